"""Every line of a statement says what it is for and how it was worked out, and its numbers are true."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from django.utils import translation

from crm.choices import OrderStatus, RefundStatus
from crm.feeds.records import BuyerRecord, OrderRecord, RefundRecord
from crm.models import Channel, Member
from crm.orders import record
from loyalty.api import StatementLine, burn, explain, headline, history
from loyalty.choices import EntryKind
from loyalty.journal import expire_due
from loyalty.movements import adjust
from loyalty.rulebook import publish_rate
from tests.cast import GivePoints

XIAOLU = BuyerRecord("小鹿爱喝茶", "林小鹿")


@pytest.fixture(autouse=True)
def in_english() -> Iterator[None]:
    with translation.override("en"):
        yield


@pytest.fixture
def tea_order(at: datetime) -> OrderRecord:
    """Tea for 100.80 yuan, paid and not yet sent."""
    return OrderRecord(
        "35153131", 2, status=OrderStatus.PAID, buyer=XIAOLU, paid=Decimal("100.80"), placed_at=at, paid_at=at,
        title="Spring tea",
    )  # fmt: skip


def newest(member: Member) -> StatementLine:
    return history(member.pk, limit=1)[0]


def told(line: StatementLine) -> list[str]:
    return [headline(line), *explain(line)]


def test_a_paid_order_tells_its_rule_and_that_the_points_wait(
    shop: Channel, xiaolu: Member, tea_order: OrderRecord, at: datetime
) -> None:
    record(shop, [tea_order], at=at)

    assert told(newest(xiaolu)) == [
        "Order 35153131 paid, points pending",
        "100.80 yuan paid; every 1 yuan earns 1 point, whole steps only: 100 points (rule version 0).",
        "The points are pending until the order succeeds; then they can be spent.",
    ]


def test_a_completed_order_tells_how_long_its_points_are_valid(
    shop: Channel, xiaolu: Member, tea_order: OrderRecord, at: datetime
) -> None:
    publish_rate(Decimal(10), 3, effective_from=at, at=at, actor_id=None, reason="Opening")
    record(shop, [replace(tea_order, status=OrderStatus.COMPLETED, completed_at=at)], at=at)

    assert told(newest(xiaolu)) == [
        "Order 35153131 completed",
        "100.80 yuan paid; every 10 yuan earns 3 points, whole steps only: 30 points (rule version 1).",
        "Valid through March 10, 2027.",
    ]


def test_pending_points_that_became_available(
    shop: Channel, xiaolu: Member, tea_order: OrderRecord, at: datetime
) -> None:
    record(shop, [tea_order], at=at)
    record(shop, [replace(tea_order, status=OrderStatus.COMPLETED, completed_at=at + timedelta(days=9))], at=at)

    assert told(newest(xiaolu)) == [
        "Order 35153131 completed, pending points available",
        "The order succeeded, so the points that were pending can now be spent.",
        "Valid through March 19, 2027.",
    ]


def test_an_order_that_became_dearer_tells_what_it_held_already(
    shop: Channel, xiaolu: Member, tea_order: OrderRecord, at: datetime
) -> None:
    record(shop, [tea_order], at=at)
    record(shop, [replace(tea_order, status=OrderStatus.SHIPPED, paid=Decimal("130.00"))], at=at)

    line = newest(xiaolu)

    assert line.pending == 30
    assert told(line)[1:3] == [
        "130.00 yuan paid; every 1 yuan earns 1 point, whole steps only: 130 points (rule version 0).",
        "The order held 100 of them already; these are the missing 30.",
    ]


def test_an_order_that_became_cheaper(shop: Channel, xiaolu: Member, tea_order: OrderRecord, at: datetime) -> None:
    record(shop, [tea_order], at=at)
    record(shop, [replace(tea_order, status=OrderStatus.SHIPPED, paid=Decimal("80.00"))], at=at)

    line = newest(xiaolu)

    assert line.pending == -20
    assert told(line) == [
        "Order 35153131 corrected",
        "The order's amount is 80.00 yuan now, which earns 80 points; the others were taken back.",
    ]


def test_a_refund_tells_what_went_back_and_what_stays(
    shop: Channel, xiaolu: Member, tea_order: OrderRecord, at: datetime
) -> None:
    done = replace(tea_order, status=OrderStatus.COMPLETED, completed_at=at)
    record(shop, [done], at=at)
    refund = RefundRecord("R1", RefundStatus.SUCCESS, Decimal("30.00"), at)
    record(shop, [replace(done, refunds=(refund,))], at=at)

    line = newest(xiaolu)

    assert line.points == -29
    assert told(line) == [
        "Refund on order 35153131",
        "30.00 of the 100.80 yuan paid went back; the rest earns 71 points, the others were taken back.",
    ]


def test_a_closed_order(shop: Channel, xiaolu: Member, tea_order: OrderRecord, at: datetime) -> None:
    record(shop, [tea_order], at=at)
    record(shop, [replace(tea_order, status=OrderStatus.CLOSED, closed_at=at)], at=at)

    line = newest(xiaolu)

    assert line.pending == -100
    assert told(line) == [
        "Order 35153131 closed",
        "The order was closed, so the points it had brought were taken back.",
    ]


def test_goods_returned_without_an_order(shop: Channel, xiaolu: Member, tea_order: OrderRecord, at: datetime) -> None:
    record(shop, [replace(tea_order, status=OrderStatus.COMPLETED, completed_at=at)], at=at)
    refund = RefundRecord("C99", RefundStatus.SUCCESS, Decimal("40.00"), at)
    record(shop, [OrderRecord("C99", 3, buyer=XIAOLU, unlinked_refund=refund)], at=at)

    line = newest(xiaolu)

    assert line.points == -40
    assert told(line) == [
        "Returned goods",
        (
            "Goods worth 40.00 yuan were returned in all; their points were taken back, at most what your orders had "
            "earned."
        ),
    ]


def test_points_given_back_for_a_return_that_took_too_many(
    shop: Channel, xiaolu: Member, tea_order: OrderRecord, at: datetime
) -> None:
    done = replace(tea_order, status=OrderStatus.COMPLETED, completed_at=at)
    refund = RefundRecord("C99", RefundStatus.SUCCESS, Decimal("100.00"), at)
    record(shop, [done, OrderRecord("C99", 3, buyer=XIAOLU, unlinked_refund=refund)], at=at)
    record(shop, [replace(done, status=OrderStatus.CLOSED, closed_at=at)], at=at)

    line = newest(xiaolu)

    assert (line.points, line.balance_after) == (100, 0)
    assert told(line) == [
        "Points given back",
        "More had been taken back for returned goods than your orders had earned; this is the difference.",
        "Valid through March 10, 2027.",
    ]


def test_a_coupon_tells_its_price(xiaolu: Member, give_points: GivePoints, at: datetime) -> None:
    give_points(xiaolu, 300)
    burn(xiaolu.pk, 200, key="form", at=at, trace={"yuan": 20, "points_per_yuan": 10})

    assert told(newest(xiaolu)) == [
        "Coupon for 20 yuan",
        "10 points make one yuan, so 20 yuan cost 200 points. Points that expire first are used first.",
    ]


def test_points_given_and_taken_by_hand_tell_the_reason(xiaolu: Member, at: datetime) -> None:
    adjust(xiaolu.pk, 50, key="a", at=at, reason="A broken cup", actor_id=None, expires_at=at + timedelta(days=1))
    adjust(xiaolu.pk, -20, key="b", at=at, reason="A slip", actor_id=None)

    taken, given = history(xiaolu.pk)

    assert told(taken) == ["Deducted by the shop", "Reason: A slip"]
    assert told(given) == ["Given by the shop", "Reason: A broken cup", "Valid through March 11, 2026."]


def test_expired_points(xiaolu: Member, give_points: GivePoints, at: datetime) -> None:
    give_points(xiaolu, 50, expires_at=at + timedelta(days=1))
    expire_due(at + timedelta(days=1))

    assert told(newest(xiaolu)) == ["Expired", "The validity of these points ended before they were used."]


def test_the_last_day_of_points_that_lapse_at_midnight_is_the_day_before(
    xiaolu: Member, give_points: GivePoints, at: datetime
) -> None:
    give_points(xiaolu, 50, expires_at=at.replace(hour=0) + timedelta(days=1))

    assert told(newest(xiaolu))[-1] == "Valid through March 10, 2026."


@pytest.mark.parametrize("kind", EntryKind)
@pytest.mark.parametrize("order_no", ["", "35153131"])
def test_every_kind_has_a_headline_and_no_line_is_too_bare_to_explain(
    kind: EntryKind, order_no: str, at: datetime
) -> None:
    """Entries of later releases or other writers may carry traces that this one does not know."""
    line = StatementLine(
        entry_id=1, kind=kind, points=-5, pending=0, held=0, balance_after=0, effective_at=at, recorded_at=at,
        order_no=order_no, order_title="", channel_name="", reference="", reason="", trace={}, expires_at=None,
        remaining=None,
    )  # fmt: skip

    assert headline(line)
    assert all(explain(line))
