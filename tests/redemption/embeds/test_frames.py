"""Embeds as a visitor's browser gets them: who may show them, what strangers see, what a browser may keep."""

import gzip
import re
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import time_machine
from django.contrib.staticfiles import finders
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from crm.models import Member
from redemption.embeds.choices import EmbedTemplate
from redemption.models import CouponPlan, Embed, PlanWindow, Reward, Stock
from tests.cast import GivePoints
from tests.factories import TierFactory
from tests.loyalty.rulesets import publish_rules, rule
from tests.redemption.conftest import SignIn
from tests.redemption.embeds.conftest import SITE, MakeEmbed

PLAIN = [template for template in EmbedTemplate if template is not EmbedTemplate.BADGE]


def address(embed: Embed) -> str:
    return f"/embed/{embed.public_key}/"


@pytest.fixture
def cup(db: None) -> Reward:
    cup = Reward.objects.create(name="青瓷茶杯", points=500, cash="9.90", list_price="39.00", limit_ever=2)
    Stock.objects.create(reward=cup, free=12)
    return cup


@pytest.mark.parametrize("template", EmbedTemplate)
@pytest.mark.parametrize("language", ["en", "zh-CN"])
def test_every_template_invites_a_stranger(
    template: EmbedTemplate,
    language: str,
    *,
    make_embed: MakeEmbed,
    plan: CouponPlan,
    cup: Reward,
    at: datetime,
    visitor: Client,
) -> None:
    publish_rules(rule("signin", {"points": 3}), since=at - timedelta(days=9))
    TierFactory(rank=0, name="普通会员")
    embed = make_embed(template, reward=cup)

    page = visitor.get(address(embed), headers={"accept-language": language})

    assert page.status_code == 200
    assert f'class="{template}"' in page.content.decode()
    assert 'target="_blank"' in page.content.decode()
    assert "href=" in page.content.decode()


@pytest.mark.parametrize("template", PLAIN)
def test_a_shop_with_nothing_to_offer_shows_no_empty_hole(
    template: EmbedTemplate, make_embed: MakeEmbed, visitor: Client
) -> None:
    page = visitor.get(address(make_embed(template))).content.decode()

    assert re.search(r'<main id="panel">\s*<(section|button)', page)


class TestWhereItMayStand:
    def test_only_the_sites_of_the_shop_may_frame_it(self, make_embed: MakeEmbed, visitor: Client) -> None:
        embed = make_embed("bar", origins=f"{SITE}\nhttps://*.tea.cn")

        page = visitor.get(address(embed))

        assert f"frame-ancestors {SITE} https://*.tea.cn" in page["Content-Security-Policy"]
        assert "X-Frame-Options" not in page

    def test_its_policy_lets_in_nothing_but_our_own_files(self, make_embed: MakeEmbed, visitor: Client) -> None:
        policy = visitor.get(address(make_embed("bar")))["Content-Security-Policy"]

        assert "unsafe" not in policy
        assert "default-src 'none'" in policy
        assert "script-src 'self';" in policy

    @pytest.mark.parametrize("path", ["/", "/coupons/", "/account/login/code/", "/admin/login/", "/sso/?token=x"])
    def test_no_other_page_may_be_framed(self, path: str, visitor: Client, db: None) -> None:
        page = visitor.get(path)

        assert page["X-Frame-Options"] == "DENY"
        assert "frame-ancestors 'none'" in page["Content-Security-Policy"]

    def test_a_revoked_one_leaves_an_empty_place(self, make_embed: MakeEmbed, visitor: Client, at: datetime) -> None:
        embed = make_embed("bar", revoked_at=at)

        page = visitor.get(address(embed))

        assert (page.status_code, page.content) == (410, b"")

    def test_one_that_never_was_is_not_found(self, visitor: Client, db: None) -> None:
        assert visitor.get("/embed/em_0000000000000000/").status_code == 404
        assert visitor.get("/embed/anything/").status_code == 404


class TestWhatIsKept:
    def test_no_cookie_is_set_and_none_is_looked_at(
        self, make_embed: MakeEmbed, xiaolu: Member, give_points: GivePoints, sign_in: SignIn
    ) -> None:
        give_points(xiaolu, 4321)
        buyer = sign_in(xiaolu)

        page = buyer.get(address(make_embed("card")))

        assert not page.cookies
        assert "Cookie" not in page["Vary"]
        assert "4,321" not in page.content.decode()
        assert "public, max-age=30" in page["Cache-Control"]

    def test_who_has_it_already_is_told_so(self, make_embed: MakeEmbed, visitor: Client) -> None:
        embed = make_embed("bar")
        first = visitor.get(address(embed))

        again = visitor.get(address(embed), headers={"if-none-match": first["ETag"]})

        assert (again.status_code, again.content) == (304, b"")
        assert again["ETag"] == first["ETag"]

    def test_a_second_visitor_costs_no_query(
        self, make_embed: MakeEmbed, visitor: Client, cup: Reward, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        embed = make_embed("badge", reward=cup)

        with django_assert_num_queries(2):  # The embed, the reward.
            visitor.get(address(embed))
        with django_assert_num_queries(0):
            visitor.get(address(embed))

    def test_what_is_sold_is_seen_after_five_seconds(
        self, make_embed: MakeEmbed, visitor: Client, cup: Reward, at: datetime
    ) -> None:
        embed = make_embed("badge", reward=cup)
        first = visitor.get(address(embed))
        assert "12 left" in first.content.decode()
        Stock.objects.update(free=3)

        with time_machine.travel(at + timedelta(seconds=6), tick=False):
            later = visitor.get(address(embed), headers={"if-none-match": first["ETag"]})

        assert later.status_code == 200
        assert "3 left" in later.content.decode()

    def test_languages_are_kept_apart(self, make_embed: MakeEmbed, visitor: Client) -> None:
        embed = make_embed("bar")

        assert "Every order brings points" in visitor.get(address(embed)).content.decode()
        assert "每一单都有积分" in visitor.get(address(embed), headers={"accept-language": "zh-CN"}).content.decode()

    def test_an_embed_may_speak_one_language_only(self, make_embed: MakeEmbed, visitor: Client) -> None:
        embed = make_embed("bar", language="zh-hans")

        page = visitor.get(address(embed)).content.decode()

        assert '<html lang="zh-hans"' in page
        assert "每一单都有积分" in page


def test_a_coupon_names_its_plan_and_its_usual_price(
    make_embed: MakeEmbed, visitor: Client, plan: CouponPlan, at: datetime
) -> None:
    CouponPlan.objects.update(points_per_yuan=100)
    hour = timedelta(hours=1)
    PlanWindow.objects.create(plan=plan, name="Double 11", points_per_yuan=50, starts_at=at - hour, ends_at=at + hour)

    page = visitor.get(address(make_embed("coupons"))).content.decode()

    assert "Shop coupon" in page
    assert "1,000 points <s>2,000</s>" in page


class TestTheBadge:
    def test_it_names_price_stock_and_limit(self, make_embed: MakeEmbed, visitor: Client, cup: Reward) -> None:
        page = visitor.get(address(make_embed("badge", reward=cup))).content.decode()

        assert "500 points" in page
        assert "¥9.90" in page
        assert "<s>¥39</s>" in page
        assert "12 left" in page
        assert "2 each" in page

    def test_sold_out_is_said(self, make_embed: MakeEmbed, visitor: Client, cup: Reward) -> None:
        Stock.objects.update(free=0)

        assert "Sold out" in visitor.get(address(make_embed("badge", reward=cup))).content.decode()

    @pytest.mark.parametrize("change", [{"active": False}, {"visibility": "hidden"}, {"visibility": "teaser"}])
    def test_what_is_not_for_everybody_is_not_shown(
        self, change: dict[str, object], make_embed: MakeEmbed, visitor: Client, cup: Reward
    ) -> None:
        cup.min_tier = TierFactory(rank=1)
        for name, value in change.items():
            setattr(cup, name, value)
        cup.save()

        page = visitor.get(address(make_embed("badge", reward=cup))).content.decode()

        assert "Not offered for points right now" in page
        assert not re.search(r"\b500\b", page)


def test_the_seller_chooses_words_and_colour(make_embed: MakeEmbed, visitor: Client) -> None:
    embed = make_embed("bar", colour="#0f766e", title_en="<b>Tea club</b>", invitation_en="Drink & earn")

    page = visitor.get(address(embed)).content.decode()

    assert "--accent:#0f766e" in page
    assert "&lt;b&gt;Tea club&lt;/b&gt;" in page
    assert "Drink &amp; earn" in page


@pytest.mark.parametrize("template", EmbedTemplate)
def test_all_that_the_first_paint_needs_weighs_less_than_ten_kilobytes(
    template: EmbedTemplate, make_embed: MakeEmbed, plan: CouponPlan, cup: Reward, visitor: Client
) -> None:
    page = visitor.get(address(make_embed(template, reward=cup))).content
    script = visitor.get("/embed.js").content
    files = [Path(str(finders.find(f"embed/{name}"))).read_bytes() for name in ("embed.css", "frame.js")]

    assert sum(len(gzip.compress(part)) for part in (page, script, *files)) < 10 * 1024


def test_nothing_of_a_third_party_is_loaded(make_embed: MakeEmbed, visitor: Client) -> None:
    page = visitor.get(address(make_embed("float"))).content.decode()

    assert not re.search(r'(src|href)="(https?:)?//', page)


def test_the_loader_is_public_and_asked_for_again_every_hour(visitor: Client) -> None:
    answer = visitor.get("/embed.js")

    assert answer["Content-Type"] == "text/javascript; charset=utf-8"
    assert "max-age=3600" in answer["Cache-Control"]
    assert visitor.get("/embed.js", headers={"if-none-match": answer["ETag"]}).status_code == 304
