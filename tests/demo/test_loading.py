"""Loading the demo shop: only into an empty database, once, and with something to show on every page."""

from datetime import datetime
from decimal import Decimal
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.utils import translation
from pytest_django.fixtures import Settings

from config.demo.cast import CAST, Role
from config.demo.loading import CHANNEL_CODE, Loaded, OtherData, load_demo
from crm import feeds
from crm.choices import OrderStatus
from crm.feeds.records import Problem
from crm.imports import pipeline
from crm.models import (
    Channel,
    Identity,
    Mail,
    Member,
    MemberPlatformGrade,
    NoDiscount,
    Order,
    Refund,
    TierOffer,
)
from crm.tiers.cards import tier_card
from loyalty import api as loyalty
from redemption.choices import CouponState
from redemption.models import Coupon, CouponPlan, Redemption, Reward, RewardPicture
from redemption.offers import current_offers
from redemption.reports.live import live
from redemption.rewards.choices import RewardKind
from redemption.rewards.pictures import WIDTHS, picture_file
from redemption.rewards.proof import prove_store
from redemption.rewards.shelf import Choice, shelf
from redemption.rewards.standing import standing_of
from tests.factories import MemberFactory, OrderFactory

ORDERS, MEMBERS = 1500, 260

pytestmark = pytest.mark.django_db


@pytest.fixture
def loaded(tmp_path: Path, at: datetime, settings: Settings) -> Loaded:
    """A small demo shop, freshly loaded."""
    settings.MEDIA_ROOT = tmp_path / "media"
    result = load_demo(tmp_path, at=at, orders=ORDERS, members=MEMBERS)
    assert result is not None
    return result


def member(role: Role) -> int:
    """The member behind one of the cast."""
    persona = next(persona for persona in CAST if persona.role is role)
    return Identity.objects.get(channel__code=CHANNEL_CODE, external_id=persona.nick).member_id


def summary(role: Role, at: datetime) -> loyalty.AccountSummary:
    return loyalty.summary(member(role), at)


def test_every_row_of_the_exports_is_read_without_a_problem(tmp_path: Path, loaded: Loaded, at: datetime) -> None:
    exports = sorted(tmp_path.glob("*.csv"))
    assert len(exports) == 3
    for path in exports:
        problems = [item for item in feeds.read(path, at=at) if isinstance(item, Problem)]
        assert problems == []


def test_loads_all_members_and_orders_and_rejects_nothing(loaded: Loaded) -> None:
    assert loaded.counts.rejected == 0
    assert (Member.objects.count(), Order.objects.count()) == (MEMBERS, ORDERS)
    assert not Order.objects.filter(member=None).exists()
    assert not Order.objects.filter(lines=None).exists()
    assert Refund.objects.exists()


def test_the_ledger_and_the_store_of_the_demo_are_clean(loaded: Loaded) -> None:
    assert loyalty.audit().ok
    assert prove_store().ok


def test_the_store_has_rewards_with_pictures_and_redemptions_in_several_states(loaded: Loaded) -> None:
    assert {reward.kind for reward in Reward.objects.all()} == set(RewardKind)
    for picture in RewardPicture.objects.all():
        assert all(picture_file(picture.name, width).is_file() for width in WIDTHS)
    assert Reward.objects.filter(pictures=None).count() == 0
    assert set(Redemption.objects.values_list("state", flat=True)) == {"shipped", "received", "placed", "awaiting"}


def test_an_activity_is_running_and_buyers_have_taken_part_today(loaded: Loaded, at: datetime) -> None:
    [running] = live(at).rewards
    assert (running.pieces, running.members, running.left) == (24, 24, 36)
    assert running.begins_at is not None and running.begins_at.date() == at.date()
    assert 0 < running.in_five_minutes < running.in_an_hour < 24
    shown = shelf(standing_of(member(Role.REGULAR), at), Choice(), at).rewards
    assert shown[0].reward_id == running.reward_id


def test_points_that_lapsed_before_today_have_expired(loaded: Loaded) -> None:
    assert loaded.expired_points > 0


def test_each_of_the_cast_shows_what_they_are_there_for(loaded: Loaded, at: datetime) -> None:
    assert summary(Role.REGULAR, at).balance > 1000
    expiring = summary(Role.EXPIRING, at)
    assert expiring.expiring_points > 0 and expiring.expiring_at is not None
    assert (expiring.expiring_at - at).days < 14
    assert (summary(Role.PENDING, at).balance, summary(Role.PENDING, at).pending > 0) == (0, True)
    assert 0 < summary(Role.NEWCOMER, at).balance < 100
    assert summary(Role.DEBT, at).balance < 0
    assert summary(Role.EMPTY, at).balance == summary(Role.EMPTY, at).pending == 0
    held = Coupon.objects.filter(member_id=member(Role.COLLECTOR))
    assert {coupon.state for coupon in held} == {CouponState.ISSUED, CouponState.USED}


def test_the_shop_has_rules_that_were_in_force_before_its_first_order(loaded: Loaded, at: datetime) -> None:
    first = Order.objects.order_by("paid_at").values_list("paid_at", flat=True).first()
    sets = loyalty.published_sets()
    published, built_in = sets
    assert first is not None and published.effective_from < first
    assert (published.version, built_in.version) == (1, 0)
    assert loyalty.checkin_board(member(Role.REGULAR), at, sets) is not None
    assert loyalty.rewarded_acts(sets, at) >= {"signin", "referral", "campaign", "birthday", "profile"}


def test_members_have_tiers_to_take_grades_and_no_discounts(loaded: Loaded, at: datetime) -> None:
    regular = tier_card(member(Role.REGULAR), at)
    assert regular.tier is not None
    assert (regular.tier.rank > 0, regular.claimable) == (True, None)
    assert TierOffer.objects.filter(state="open").count() > 5
    collector = MemberPlatformGrade.objects.get(member=member(Role.COLLECTOR))
    assert (str(collector.grade), MemberPlatformGrade.objects.count()) == ("VIP2", 61)
    assert NoDiscount.objects.count() == 2
    assert not Mail.objects.exists()


def test_coupons_are_offered_and_a_festival_gives_more_for_the_points(loaded: Loaded, at: datetime) -> None:
    offers = current_offers(at)
    assert {(offer.yuan, offer.points) for offer in offers} >= {(5, 50), (10, 100), (20, 200), (50, 500)}
    assert min(offer.points_per_yuan for offer in offers) < 10
    assert loaded.coupons == Coupon.objects.count() > 20


def test_a_second_load_changes_nothing(tmp_path: Path, loaded: Loaded, at: datetime) -> None:
    before = (Member.objects.count(), Order.objects.count(), Coupon.objects.count(), CouponPlan.objects.count())
    assert load_demo(tmp_path, at=at, orders=ORDERS, members=MEMBERS) is None
    assert before == (
        Member.objects.count(), Order.objects.count(), Coupon.objects.count(), CouponPlan.objects.count(),
    )  # fmt: skip


def test_next_weeks_files_can_be_imported_at_once(loaded: Loaded, at: datetime) -> None:
    channel = Channel.objects.get(code=CHANNEL_CODE)
    rejected = new = updated = 0
    for path in loaded.week:
        counts = pipeline.run_file(pipeline.Source(path, channel), at=at)
        rejected, new, updated = rejected + counts.rejected, new + counts.orders_new, updated + counts.orders_updated
    assert rejected == 1
    assert new > 10 and updated > 10
    assert summary(Role.PENDING, at).balance > 0
    returned = Order.objects.get(member_id=member(Role.DEBT))
    assert (returned.status, returned.paid - returned.refunded) == (OrderStatus.CLOSED, Decimal(0))
    assert loyalty.audit().ok


@pytest.mark.parametrize("factory", [MemberFactory, OrderFactory])
def test_refuses_a_database_with_other_data(tmp_path: Path, at: datetime, factory: type) -> None:
    factory()
    with pytest.raises(OtherData):
        load_demo(tmp_path, at=at, orders=ORDERS, members=MEMBERS)
    assert not Channel.objects.filter(code=CHANNEL_CODE).exists()
    assert list(tmp_path.iterdir()) == []


def test_the_command_says_why_it_refuses(settings: Settings, tmp_path: Path) -> None:
    settings.VAR_DIR = tmp_path
    MemberFactory()
    with translation.override("en"), pytest.raises(CommandError, match="empty database") as refusal:
        call_command("load_demo", stdout=StringIO())
    assert refusal.value.returncode == 1


def test_the_command_loads_the_whole_demo_and_does_nothing_the_second_time(settings: Settings, tmp_path: Path) -> None:
    settings.VAR_DIR = tmp_path
    first, second = StringIO(), StringIO()
    call_command("load_demo", stdout=first)
    assert "2,000" in first.getvalue() and "12,000" in first.getvalue()
    with translation.override("en"):
        call_command("load_demo", stdout=second)
    assert "Nothing was changed" in second.getvalue()
    assert Member.objects.count() == 2000
    assert sorted(path.suffix for path in (tmp_path / "demo" / "next-week").iterdir()) == [".csv"] * 3
