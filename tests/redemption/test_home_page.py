"""The one statement of the points page finds what the pages that ask one by one show."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from django.core.cache import caches
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from crm import api as crm
from crm.models import Channel, Member, Order, TierOffer
from loyalty import api as loyalty
from redemption.home_page import COUPONS, LINES, Own, read_by_all, read_own
from redemption.models import CouponPlan
from redemption.wallet import ready_coupons
from tests.cast import NOON, GivePoints
from tests.crm.tiers.seller import Seller
from tests.crm.tiers.test_cards import begin
from tests.loyalty.postings import earned, ripe, waiting, write
from tests.loyalty.rulesets import SPEND, publish_rules, rule
from tests.redemption.conftest import SignIn

DAY = timedelta(days=1)


def one_by_one(member: Member, at: datetime) -> Own:
    """The same from the functions that other pages use."""
    sets = loyalty.published_sets()
    return Own(
        loyalty.Overview(
            loyalty.summary(member.pk, at),
            # A buyer is not told who of the shop it was.
            [replace(line, actor="") for line in loyalty.history(member.pk, limit=LINES)],
            loyalty.checkin_board(member.pk, at, sets),
            loyalty.profile_rewarded(member.pk),
            empty_order(member, at),
        ),
        list(ready_coupons(member.pk, at)[:COUPONS]),
        crm.tier_card(member.pk, at),
    )


def empty_order(member: Member, at: datetime) -> int | None:
    """The newest order, as the page of the orders without points has it."""
    newest = Order.objects.filter(member=member, placed_at__gt=at - 30 * DAY).order_by("placed_at").last()
    found = loyalty.orders_without_points(member.pk, at, limit=1)
    return newest.pk if newest and found and found[0].order.order_id == newest.pk else None


def expect_the_same(member: Member, at: datetime) -> Own:
    found = read_own(member.pk, at, read_by_all(at))
    assert found == one_by_one(member, at)
    return found


@pytest.fixture
def rewarded(db: None, at: datetime) -> None:
    rules = [
        {**SPEND, "name": "买即送"}, rule("signin", {"points": 2, "streak": [[3, 10]]}), rule("profile", {"points": 50})
    ]  # fmt: skip
    publish_rules(*rules, since=at - timedelta(days=30))


def test_of_a_member_who_has_nothing(xiaolu: Member, at: datetime) -> None:
    found = expect_the_same(xiaolu, at)

    assert found.points.summary == loyalty.AccountSummary()
    assert found.tier == crm.TierCard(())


def test_of_points_of_every_kind(xiaolu: Member, dayong: Member, rewarded: None, at: datetime) -> None:
    write(
        earned(xiaolu, 100, key="never", at=at),
        earned(xiaolu, 20, key="soon 1", at=at, expires_at=at + DAY),
        earned(xiaolu, 30, key="soon 2", at=at, expires_at=at + DAY),
        earned(xiaolu, 15, key="over", at=at - DAY, expires_at=at),
        waiting(xiaolu, 7, key="waiting", at=at),
        waiting(xiaolu, 9, key="ripe", at=at),
        earned(dayong, 1000, key="his", at=at),
        at=at,
    )
    write(ripe(xiaolu, "ripe", at=at), at=at)
    loyalty.burn(xiaolu.pk, 5, key="coupon", at=at, trace={"yuan": 1, "points_per_yuan": 5})
    loyalty.hold(xiaolu.pk, 11, key="aside", at=at, deadline=at + DAY)
    loyalty.adjust(xiaolu.pk, 3, key="gift", at=at, reason="A gift", actor_id=None)
    loyalty.check_in(xiaolu.pk, at - DAY)
    loyalty.check_in(xiaolu.pk, at)

    found = expect_the_same(xiaolu, at)

    assert (found.points.summary.expiring_points, found.points.summary.held) == (34, 11)
    assert found.points.board is not None
    assert found.points.board.streak == 2
    assert len(found.points.lines) == LINES


def test_of_orders_with_the_names_of_rules(xiaolu: Member, shop: Channel, rewarded: None, at: datetime) -> None:
    xiaolu.identities.update(external_id=xiaolu.name)
    Seller(shop).record(xiaolu, "35153131", 128, at - DAY)

    [line] = expect_the_same(xiaolu, at).points.lines

    assert (line.order_no, line.channel_name) == ("35153131", "山间茶铺")


def test_of_a_tier_to_take_and_the_way_to_the_next_one(xiaolu: Member, shop: Channel, at: datetime) -> None:
    seller = Seller(shop)
    begin(seller, taking="claim", restart="never", claim_days=7)
    xiaolu.identities.update(external_id=xiaolu.name)
    seller.record(xiaolu, "1", 1200, NOON - DAY)

    offered = expect_the_same(xiaolu, at)
    crm.claim_tier(xiaolu.pk, TierOffer.objects.get().pk, at=at)
    held = expect_the_same(xiaolu, at)

    assert offered.tier.claimable is not None
    assert held.tier.ends_at is not None


def test_of_coupons_what_runs_out_first(
    xiaolu: Member, plan: CouponPlan, give_points: GivePoints, sign_in: SignIn, at: datetime
) -> None:
    give_points(xiaolu, 1000)
    client: Client = sign_in(xiaolu)
    for yuan in (5, 10, 20):
        token = client.get(f"/coupons/{plan.pk}/{yuan}/").context["token"]
        client.post(f"/coupons/{plan.pk}/{yuan}/", {"token": token})

    found = expect_the_same(xiaolu, at)

    asked = ready_coupons(xiaolu.pk, at)
    assert [(one.code, one.yuan, one.expires_at) for one in found.coupons] == [
        (one.code, one.yuan, one.expires_at) for one in asked
    ]


def test_a_look_under_a_scheme_costs_two_queries_and_what_all_share_none(
    xiaolu: Member, seller_with_tiers: Seller, at: datetime, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    shared = read_by_all(at)

    with django_assert_num_queries(2):
        read_own(xiaolu.pk, at, read_by_all(at))

    assert shared.scheme is not None


@pytest.fixture
def seller_with_tiers(shop: Channel) -> Seller:
    seller = Seller(shop)
    seller.begin("taobao", "2025-01-01")
    return seller


def test_what_all_share_is_read_anew_after_ten_seconds(
    plan: CouponPlan, at: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    terms = read_by_all(at).terms
    CouponPlan.objects.update(active=False)
    assert read_by_all(at).terms == terms

    caches["near"].clear()  # As time does.

    assert read_by_all(at).terms == []
