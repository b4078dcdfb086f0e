"""A buyer whom his shop has vouched for sees his points inside an embed, signs in for the day and takes a coupon."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
import time_machine
from django.test import Client
from django.utils.dateformat import format as date_format
from django.utils.timezone import localtime
from pytest_django import DjangoAssertNumQueries

from crm.models import Channel, Member, ShopKey, TierGrant, TierOffer
from crm.sso.keys import revoke_key
from loyalty import api as loyalty
from redemption.embeds.choices import EmbedTemplate
from redemption.models import Coupon, CouponPlan, Embed
from tests.cast import NOON, GivePoints
from tests.crm.tiers.seller import Seller
from tests.crm.tiers.test_cards import begin_claims
from tests.factories import ChannelFactory, StaffFactory, TierFactory, UserFactory
from tests.loyalty.rulesets import publish_rules, rule
from tests.redemption.conftest import SignIn
from tests.redemption.embeds.conftest import MakeEmbed, Token

Session = Callable[..., dict[str, str]]


@pytest.fixture
def rich(xiaolu: Member, give_points: GivePoints) -> Member:
    give_points(xiaolu, 1230)
    return xiaolu


def path(embed: Embed, rest: str) -> str:
    return f"/embed/{embed.public_key}/{rest}"


@pytest.mark.parametrize("template", [one for one in EmbedTemplate if one is not EmbedTemplate.BADGE])
def test_a_member_sees_what_is_his(
    template: EmbedTemplate,
    *,
    rich: Member,
    plan: CouponPlan,
    make_embed: MakeEmbed,
    visitor: Client,
    session: Session,
    at: datetime,
) -> None:
    publish_rules(rule("signin", {"points": 3}), since=at - timedelta(days=9))
    for rank, name in enumerate(("普通会员", "VIP会员")):
        TierFactory(rank=rank, name=name)
    embed = make_embed(template)

    page = visitor.post(path(embed, "content/"), headers=session(embed))

    assert page.status_code == 200
    shown = page.content.decode()
    assert "Sign in +3" in shown if template == "calendar" else "1,230" in shown
    assert "no-store" in page["Cache-Control"]


def test_a_token_opens_one_session(make_embed: MakeEmbed, rich: Member, token: Token, visitor: Client) -> None:
    embed, once = make_embed("bar"), token()

    first = visitor.post(path(embed, "session/"), {"token": once})
    second = visitor.post(path(embed, "session/"), {"token": once})

    assert first.status_code == 200
    assert (second.status_code, second.json()) == (403, {"fault": "replayed"})


@pytest.mark.parametrize("wrong", ["", "nonsense", "a.b.c"])
def test_what_is_no_token_opens_nothing(wrong: str, make_embed: MakeEmbed, visitor: Client) -> None:
    answer = visitor.post(path(make_embed("bar"), "session/"), {"token": wrong})

    assert (answer.status_code, answer.json()) == (403, {"fault": "invalid"})


def test_a_token_for_signing_in_opens_no_embed(
    make_embed: MakeEmbed, rich: Member, token: Token, visitor: Client
) -> None:
    answer = visitor.post(path(make_embed("bar"), "session/"), {"token": token(aud="pointkeeper:tea:sign-in")})

    assert answer.json() == {"fault": "wrong_audience"}


def test_one_shop_vouches_for_nobody_on_anothers_embeds(
    make_embed: MakeEmbed, rich: Member, token: Token, visitor: Client, session: Session
) -> None:
    own, foreign = make_embed("bar"), make_embed("bar", channel=ChannelFactory(code="coffee"))

    assert visitor.post(path(foreign, "session/"), {"token": token()}).json() == {"fault": "wrong_audience"}
    assert visitor.post(path(foreign, "content/"), headers=session(own)).status_code == 401


class TestWhoIsLetIn:
    @pytest.mark.parametrize("header", ["", "Bearer ", "Bearer nonsense", "Basic eDp4"])
    def test_nobody_without_a_session(self, header: str, make_embed: MakeEmbed, visitor: Client) -> None:
        answer = visitor.post(path(make_embed("bar"), "content/"), headers={"authorization": header})

        assert (answer.status_code, answer.json()) == (401, {"fault": "session_ended"})

    def test_a_cookie_of_the_buyers_pages_counts_for_nothing(
        self, rich: Member, plan: CouponPlan, make_embed: MakeEmbed, sign_in: SignIn
    ) -> None:
        """So another site that makes his browser post here gets nowhere: it cannot send the session."""
        buyer = sign_in(rich)
        embed = make_embed("coupons")

        for rest in ("content/", "check-in/", f"coupon/{plan.pk}/10/"):
            assert buyer.post(path(embed, rest), headers={"origin": "http://testserver"}).status_code == 401

    @pytest.mark.parametrize(
        "headers",
        [
            {"origin": "https://evil.example"}, {"origin": "null"}, {"origin": ""},
            {"origin": "http://testserver", "sec-fetch-site": "cross-site"}, {"origin": "http://testserver.evil.example"},
        ],
    )  # fmt: skip
    def test_no_page_but_the_frame_itself_may_ask(
        self, headers: dict[str, str], *, make_embed: MakeEmbed, rich: Member, token: Token, session: Session
    ) -> None:
        embed = make_embed("bar")
        good = session(embed)

        assert Client().post(path(embed, "content/"), headers={**good, **headers}).json() == {"fault": "wrong_origin"}
        assert Client().post(path(embed, "session/"), {"token": token()}, headers=headers).status_code == 403

    def test_a_session_ends_after_half_an_hour(
        self, rich: Member, make_embed: MakeEmbed, visitor: Client, session: Session, at: datetime
    ) -> None:
        embed = make_embed("bar")
        headers = session(embed)

        with time_machine.travel(at + timedelta(minutes=29, seconds=59), tick=False):
            assert visitor.post(path(embed, "content/"), headers=headers).status_code == 200
        with time_machine.travel(at + timedelta(minutes=30), tick=False):
            assert visitor.post(path(embed, "content/"), headers=headers).status_code == 401

    def test_with_its_key_a_session_is_revoked(
        self, rich: Member, make_embed: MakeEmbed, visitor: Client, session: Session, at: datetime
    ) -> None:
        embed = make_embed("bar")
        headers = session(embed)

        revoke_key(ShopKey.objects.get().pk, actor_id=StaffFactory().pk, reason="Leaked", at=at)

        assert visitor.post(path(embed, "content/"), headers=headers).status_code == 401

    def test_a_member_whose_login_is_closed_is_signed_out(
        self, rich: Member, make_embed: MakeEmbed, visitor: Client, session: Session
    ) -> None:
        embed = make_embed("bar")
        headers = session(embed)
        rich.user = UserFactory(is_active=False)
        rich.save()

        assert visitor.post(path(embed, "content/"), headers=headers).status_code == 401

    def test_a_revoked_embed_does_nothing_any_more(
        self, rich: Member, make_embed: MakeEmbed, visitor: Client, session: Session, at: datetime
    ) -> None:
        embed = make_embed("bar")
        headers = session(embed)
        Embed.objects.update(revoked_at=at)

        assert visitor.post(path(embed, "content/"), headers=headers).status_code == 404


class TestTakingACoupon:
    def ask(self, visitor: Client, embed: Embed, plan: CouponPlan, headers: dict[str, str]) -> str:
        """Open the question; return the token in it."""
        page = visitor.post(path(embed, f"coupon/{plan.pk}/10/"), headers=headers).content.decode()
        assert "It costs 100 points; you keep 1,130." in page
        return page.split('name="token" value="')[1].split('"')[0]

    def test_he_is_asked_and_then_it_is_his(
        self, *, rich: Member, plan: CouponPlan, make_embed: MakeEmbed, visitor: Client, session: Session, at: datetime
    ) -> None:
        embed = make_embed("coupons")
        headers = session(embed)
        token = self.ask(visitor, embed, plan, headers)
        assert not Coupon.objects.exists()

        page = visitor.post(path(embed, f"coupon/{plan.pk}/10/"), {"token": token}, headers=headers).content.decode()

        coupon = Coupon.objects.get()
        assert coupon.spoken_code in page
        assert f"Valid through {date_format(localtime(coupon.last_moment), 'N j, Y')}" in page
        assert loyalty.summary(rich.pk, at).balance == 1130

    def test_the_same_press_again_is_the_same_coupon_and_the_page_says_so(
        self, *, rich: Member, plan: CouponPlan, make_embed: MakeEmbed, visitor: Client, session: Session, at: datetime
    ) -> None:
        embed = make_embed("coupons")
        headers = session(embed)
        token = self.ask(visitor, embed, plan, headers)
        visitor.post(path(embed, f"coupon/{plan.pk}/10/"), {"token": token}, headers=headers)

        with time_machine.travel(at + timedelta(seconds=20), tick=False):
            again = visitor.post(path(embed, f"coupon/{plan.pk}/10/"), {"token": token}, headers=headers)

        assert "You had taken this coupon already; it counted once." in again.content.decode()
        assert Coupon.objects.count() == 1
        assert loyalty.summary(rich.pk, at).balance == 1130

    def test_another_buyers_token_takes_nothing(
        self,
        *,
        rich: Member,
        dayong: Member,
        plan: CouponPlan,
        make_embed: MakeEmbed,
        visitor: Client,
        session: Session,
    ) -> None:
        embed = make_embed("coupons")
        token = self.ask(visitor, embed, plan, session(embed))

        page = visitor.post(
            path(embed, f"coupon/{plan.pk}/10/"), {"token": token}, headers=session(embed, "dayong_w")
        ).content.decode()

        assert "made for another buyer" in page
        assert not Coupon.objects.exists()

    def test_what_is_not_offered_is_told(
        self, *, rich: Member, plan: CouponPlan, make_embed: MakeEmbed, visitor: Client, session: Session
    ) -> None:
        embed = make_embed("coupons")

        page = visitor.post(path(embed, f"coupon/{plan.pk}/999/"), headers=session(embed)).content.decode()

        assert "A coupon of this value is no longer offered." in page

    @pytest.mark.parametrize("fields", [{}, {"token": "x"}], ids=["asking", "taking"])
    def test_a_plan_that_he_shall_not_know_of_answers_like_one_that_never_was(
        self,
        fields: dict[str, str],
        *,
        rich: Member,
        plan: CouponPlan,
        make_embed: MakeEmbed,
        visitor: Client,
        session: Session,
    ) -> None:
        CouponPlan.objects.update(min_tier=TierFactory(rank=2, name="VIP会员"), visibility="hidden")
        embed = make_embed("coupons")
        headers = session(embed)

        hidden, unknown = (
            visitor.post(path(embed, f"coupon/{plan_id}/10/"), fields, headers=headers).content.decode()
            for plan_id in (plan.pk, plan.pk + 1)
        )

        assert hidden == unknown
        for told in ("Shop coupon", "100 points", "VIP会员"):
            assert told not in hidden

    def test_a_flood_is_slowed_down(
        self, *, rich: Member, plan: CouponPlan, make_embed: MakeEmbed, visitor: Client, session: Session
    ) -> None:
        embed = make_embed("coupons")
        headers = session(embed)

        answers = [
            visitor.post(path(embed, f"coupon/{plan.pk}/10/"), {"token": "x"}, headers=headers).status_code
            for _ in range(11)
        ]

        assert answers == [200] * 10 + [429]


def test_the_day_is_signed_once(
    rich: Member, make_embed: MakeEmbed, visitor: Client, session: Session, at: datetime
) -> None:
    publish_rules(rule("signin", {"points": 3}), since=at - timedelta(days=9))
    embed = make_embed("calendar")
    headers = session(embed)

    first = visitor.post(path(embed, "check-in/"), headers=headers).content.decode()
    second = visitor.post(path(embed, "check-in/"), headers=headers).content.decode()

    assert "Signed in: 3 points more." in first
    assert "You have signed in today already." in second
    assert loyalty.summary(rich.pk, at).balance == 1233


@pytest.mark.parametrize(
    ("template", "queries"), [("bar", 5), ("card", 6), ("coupons", 4), ("tier", 4), ("float", 8), ("rewards", 5)]
)
def test_an_embed_asks_a_fixed_number_of_questions(
    template: str,
    queries: int,
    *,
    rich: Member,
    plan: CouponPlan,
    make_embed: MakeEmbed,
    visitor: Client,
    session: Session,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    embed = make_embed(template)
    headers = session(embed)

    with django_assert_num_queries(queries):
        visitor.post(path(embed, "content/"), headers=headers)


def test_the_tier_shows_what_is_missing_to_the_next_one(
    shop: Channel, rich: Member, make_embed: MakeEmbed, visitor: Client, session: Session
) -> None:
    Seller(shop).begin("taobao", "2025-01-01")
    embed = make_embed("tier")

    page = visitor.post(path(embed, "content/"), headers=session(embed)).content.decode()

    assert "1,000 yuan or 5 orders more to 高级会员" in page


@pytest.fixture
def vip_to_take(shop: Channel, rich: Member) -> TierOffer:
    """林小鹿 has reached VIP, and has a month to take it."""
    seller = Seller(shop)
    begin_claims(seller)
    rich.name = "小鹿爱喝茶"  # As the shop's orders know him.
    seller.record(rich, "1", 1200, NOON - timedelta(days=1))
    return TierOffer.objects.get()


def test_a_tier_to_take_is_named_with_its_last_day(
    vip_to_take: TierOffer, make_embed: MakeEmbed, visitor: Client, session: Session
) -> None:
    embed = make_embed("tier")

    page = visitor.post(path(embed, "content/"), headers=session(embed)).content.decode()

    assert "“VIP会员” is yours to take by April 8, 2026." in page
    assert f"/tier/{vip_to_take.pk}/" in page


def test_a_tier_is_taken_once(
    *, vip_to_take: TierOffer, rich: Member, make_embed: MakeEmbed, visitor: Client, session: Session, at: datetime
) -> None:
    embed = make_embed("tier")
    headers = session(embed)

    first = visitor.post(path(embed, f"tier/{vip_to_take.pk}/"), headers=headers).content.decode()
    with time_machine.travel(at + timedelta(seconds=20), tick=False):
        again = visitor.post(path(embed, f"tier/{vip_to_take.pk}/"), headers=headers).content.decode()

    assert "The tier “VIP会员” is yours" in first
    assert "You are VIP会员" in first
    assert "You had taken this tier already; it counted once." in again
    assert TierGrant.objects.filter(member=rich).count() == 1


def test_somebody_elses_tier_is_not_to_be_had(
    vip_to_take: TierOffer, dayong: Member, make_embed: MakeEmbed, visitor: Client, session: Session
) -> None:
    embed = make_embed("tier")

    page = visitor.post(path(embed, f"tier/{vip_to_take.pk}/"), headers=session(embed, "dayong_w")).content.decode()

    assert "There is no such tier to take." in page
    assert not TierGrant.objects.filter(member=dayong).exists()
