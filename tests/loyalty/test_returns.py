"""Returns that name no order: never more is taken than what the channel's orders brought."""

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import permutations

import pytest
from django.db import transaction

from crm.api import ReturnsChange
from crm.choices import OrderStatus, RefundStatus
from crm.feeds.records import BuyerRecord, OrderRecord, RefundRecord
from crm.models import Channel, Member
from crm.orders import record
from loyalty.earning.compiling import CompiledSet
from loyalty.journal import expire_due
from loyalty.models import Entry
from loyalty.posting import Verb
from loyalty.returns import ReturnsPosted, plan_return
from loyalty.rulebook import published_sets, set_at
from tests.cast import NOON, GivePoints
from tests.factories import ChannelFactory, IdentityFactory
from tests.loyalty.postings import balance

pytestmark = pytest.mark.usefixtures("books_add_up")

XIAOLU = BuyerRecord("小鹿爱喝茶", "林小鹿")


def bought(number: str, paid: str, status: OrderStatus = OrderStatus.COMPLETED, at: datetime = NOON) -> OrderRecord:
    return OrderRecord(
        number, 2, status=status, buyer=XIAOLU, paid=Decimal(paid), placed_at=at, paid_at=at,
        completed_at=at if status is OrderStatus.COMPLETED else None,
    )  # fmt: skip


def sent_back(number: str, amount: str, at: datetime = NOON) -> OrderRecord:
    refund = RefundRecord(number, RefundStatus.SUCCESS, Decimal(amount), at)
    return OrderRecord(number, 2, buyer=XIAOLU, unlinked_refund=refund)


class TestPlan:
    """The change against what the journal holds."""

    @pytest.fixture
    def rules(self, db: None) -> CompiledSet:
        """A point for each whole yuan."""
        return set_at(published_sets(), NOON)

    CHANGE = ReturnsChange(member_id=7, channel_code="tea", refunded=Decimal("40.80"), latest_at=NOON)

    @pytest.mark.parametrize(
        ("refunded", "journal", "verb", "points"),
        [
            ("40.80", ReturnsPosted(earned=100), Verb.REVERSE, 40),
            ("40.80", ReturnsPosted(earned=30), Verb.REVERSE, 30),
            ("60.00", ReturnsPosted(earned=100, taken=40, entries=1), Verb.REVERSE, 20),
            ("40.80", ReturnsPosted(earned=20, taken=40, entries=1), Verb.ACCRUE, 20),
            ("40.80", ReturnsPosted(earned=-5, taken=40, entries=1), Verb.ACCRUE, 40),
            ("100.00", ReturnsPosted(earned=100, expired=70), Verb.REVERSE, 30),
            ("100.00", ReturnsPosted(earned=100, expired=40, taken=50, entries=1), Verb.REVERSE, 10),
        ],
    )
    def test_the_difference_is_taken_or_given_back(
        self, rules: CompiledSet, refunded: str, journal: ReturnsPosted, verb: Verb, points: int
    ) -> None:
        posting = plan_return(replace(self.CHANGE, refunded=Decimal(refunded)), journal, rules, NOON)

        assert posting is not None
        assert (posting.verb, posting.points) == (verb, points)
        assert posting.key == f"returns:tea:7:{journal.entries + 1}"

    @pytest.mark.parametrize(
        ("refunded", "journal"),
        [
            ("0.99", ReturnsPosted(earned=100)),
            ("40.80", ReturnsPosted()),
            ("40.80", ReturnsPosted(earned=-10)),
            ("40.80", ReturnsPosted(earned=100, taken=40, entries=1)),
            ("40.80", ReturnsPosted(earned=100, expired=100)),
            ("100.00", ReturnsPosted(earned=100, expired=60, taken=50, entries=1)),
        ],
    )
    def test_where_nothing_is_due_nothing_is_planned(
        self, rules: CompiledSet, refunded: str, journal: ReturnsPosted
    ) -> None:
        assert plan_return(replace(self.CHANGE, refunded=Decimal(refunded)), journal, rules, NOON) is None

    def test_a_return_without_an_instant_is_dated_by_the_import(self, rules: CompiledSet) -> None:
        posting = plan_return(replace(self.CHANGE, latest_at=None), ReturnsPosted(earned=100), rules, NOON)

        assert posting is not None
        assert posting.effective_at == NOON


def test_a_return_takes_back_what_its_amount_had_earned(shop: Channel, xiaolu: Member, at: datetime) -> None:
    record(shop, [bought("1", "100")], at=at)

    report = record(shop, [sent_back("C1", "40.80")], at=at)

    assert balance(xiaolu) == 60
    assert (report.refunds, report.effects["points_reversed"]) == (1, 40)


def test_the_same_return_again_takes_nothing(shop: Channel, xiaolu: Member, at: datetime) -> None:
    record(shop, [bought("1", "100"), sent_back("C1", "40")], at=at)

    report = record(shop, [sent_back("C1", "40")], at=at)

    assert (balance(xiaolu), report.refunds) == (60, 0)


def test_returns_of_goods_bought_before_the_programme_cost_nobody_points(
    shop: Channel, xiaolu: Member, give_points: GivePoints, at: datetime
) -> None:
    give_points(xiaolu, 500)

    record(shop, [sent_back("C1", "300")], at=at)
    record(shop, [bought("1", "100")], at=at)

    assert balance(xiaolu) == 500  # The return eats what the order earned, and not the gift.


def test_pending_points_are_not_touched_until_they_are_available(shop: Channel, xiaolu: Member, at: datetime) -> None:
    record(shop, [bought("1", "100", OrderStatus.PAID), sent_back("C1", "40")], at=at)
    assert balance(xiaolu) == 0

    record(shop, [bought("1", "100")], at=at)

    assert balance(xiaolu) == 60


def test_orders_and_returns_in_any_sequence_end_alike(shop: Channel, xiaolu: Member, at: datetime) -> None:
    facts = [bought("1", "100"), sent_back("C1", "120"), bought("2", "50", OrderStatus.PAID), bought("2", "50")]
    ends = set()
    for sequence in permutations(facts):
        with transaction.atomic():
            for fact in sequence:
                record(shop, [fact], at=at)
            ends.add(balance(xiaolu))
            transaction.set_rollback(True)

    assert ends == {30}


def test_what_orders_of_another_shop_earned_is_out_of_reach(shop: Channel, xiaolu: Member, at: datetime) -> None:
    other = ChannelFactory(code="cups")
    IdentityFactory(channel=other, member=xiaolu, external_id=XIAOLU.external_id)
    record(other, [bought("1", "100")], at=at)

    record(shop, [sent_back("C1", "40")], at=at)

    assert balance(xiaolu) == 100


def test_points_that_expired_are_not_taken_a_second_time(shop: Channel, xiaolu: Member, at: datetime) -> None:
    long_ago = at - timedelta(days=500)
    record(shop, [bought("1", "100", at=long_ago)], at=long_ago)
    expire_due(at)

    record(shop, [sent_back("C1", "40")], at=at)

    assert balance(xiaolu) == 0


def test_a_closed_order_and_a_return_do_not_take_the_same_points_twice(
    shop: Channel, xiaolu: Member, at: datetime
) -> None:
    record(shop, [bought("1", "100"), sent_back("C1", "100")], at=at)

    record(shop, [replace(bought("1", "100"), status=OrderStatus.CLOSED)], at=at)

    assert balance(xiaolu) == 0
    assert list(Entry.objects.order_by("id").values_list("points", flat=True)) == [100, -100, -100, 100]
