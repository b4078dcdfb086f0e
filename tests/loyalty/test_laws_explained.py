"""Law 11: every line that this house can write says what it is for and how it was worked out.

One long story of 林小鹿, told through the functions that pages, imports and the night use, in which every kind of entry
occurs, both coming and going. The guard is the table of explanations in ``loyalty.explain``.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from django.utils import translation

from crm.choices import OrderStatus, RefundStatus
from crm.feeds.records import BuyerRecord, OrderRecord, RefundRecord
from crm.models import Channel, Member
from crm.orders import record
from loyalty import explain as explaining
from loyalty.api import StatementLine, adjust, burn, capture, history, hold, open_balance, release, run_nightly, undo
from loyalty.checkin import check_in
from loyalty.choices import EntryKind
from loyalty.explain import explain, headline
from tests.loyalty.rulesets import SPEND, publish_rules, rule

DAY = timedelta(days=1)
XIAOLU = BuyerRecord("小鹿爱喝茶", "林小鹿")


def order(number: str, status: OrderStatus, at: datetime, paid: str = "100") -> OrderRecord:
    return OrderRecord(
        number, 2, status=status, buyer=XIAOLU, paid=Decimal(paid), placed_at=at, paid_at=at, updated_at=at,
        shipped_at=at, completed_at=at if status is OrderStatus.COMPLETED else None,
    )  # fmt: skip


@pytest.fixture
def lines(shop: Channel, xiaolu: Member, at: datetime) -> list[StatementLine]:
    """The statement after the story: all that orders, returns, spending, holds, staff and nights write."""
    publish_rules(SPEND, rule("signin", {"points": 3}), since=at - 9 * DAY)
    her = xiaolu.pk
    open_balance(her, 300, key="old", at=at, expires_at=at + 5 * DAY, reason="The old cards", actor_id=None)
    check_in(her, at)

    record(shop, [order(number, OrderStatus.PAID, at) for number in ("1", "2", "3")], at=at)
    record(shop, [order("1", OrderStatus.COMPLETED, at)], at=at + DAY)
    record(shop, [replace(order("1", OrderStatus.COMPLETED, at), refunded=Decimal(30))], at=at + DAY)
    record(shop, [replace(order("2", OrderStatus.CLOSED, at), closed_at=at + DAY)], at=at + DAY)
    record(shop, [order("3", OrderStatus.PAID, at + DAY, paid="80")], at=at + DAY)
    record(shop, [order("4", OrderStatus.COMPLETED, at), order("5", OrderStatus.COMPLETED, at)], at=at + DAY)
    refund = RefundRecord("R1", RefundStatus.SUCCESS, Decimal(180), at + DAY)
    record(shop, [OrderRecord("R1", 2, buyer=XIAOLU, unlinked_refund=refund)], at=at + DAY)
    record(shop, [replace(order("5", OrderStatus.CLOSED, at), closed_at=at + DAY)], at=at + DAY)

    burn(her, 50, key="coupon", at=at + DAY, trace={"yuan": 5, "points_per_yuan": "10"})
    undo(her, "coupon", key="undo", at=at + DAY, revive_until=None, points=20)
    hold(her, 60, key="hold", at=at + DAY, deadline=at + 2 * DAY)
    capture(her, "hold", key="capture", at=at + DAY, points=10)
    release(her, "hold", key="release", at=at + DAY, revive_until=None, points=5)
    adjust(her, 40, key="gift", at=at + DAY, reason="A broken cup", actor_id=None)
    adjust(her, -4, key="slip", at=at + DAY, reason="A slip", actor_id=None)
    run_nightly(at + 40 * DAY, at=at + 40 * DAY)
    return history(her, limit=100)


def unexplained(lines: list[StatementLine]) -> set[tuple[str, bool]]:
    """Kinds, coming or going, whose lines say nothing, or nothing but until when their points are valid."""
    with translation.override("en"):
        return {
            (line.kind.value, line.points + line.pending + line.held > 0)
            for line in lines
            if not headline(line) or not [said for said in explain(line) if said and not said.startswith("Valid ")]
        }


def test_the_story_has_every_kind_of_entry_coming_and_going(lines: list[StatementLine]) -> None:
    assert {line.kind for line in lines} == set(EntryKind)
    both = {line.kind for line in lines if line.points > 0} & {line.kind for line in lines if line.points < 0}
    assert both >= {EntryKind.ADJUSTMENT, EntryKind.REVERSAL}
    assert {bool(line.trace.get("lapsed")) for line in lines if line.kind is EntryKind.RELEASE} == {True, False}
    assert {bool(line.trace.get("unconfirmed")) for line in lines if line.kind is EntryKind.MATURATION} == {True, False}


def test_every_line_explains_itself(lines: list[StatementLine]) -> None:
    assert unexplained(lines) == set()


@pytest.mark.parametrize("kind", explaining._ORIGINS)
def test_a_kind_without_an_explanation_is_found(
    kind: EntryKind, lines: list[StatementLine], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(explaining._ORIGINS, kind)

    # What staff wrote themselves still has their reason.
    assert {name for name, _ in unexplained(lines)} == ({kind.value} if kind is not EntryKind.OPENING else set())


def test_what_explains_a_line_is_kept_with_it(lines: list[StatementLine]) -> None:
    """What was earned carries the award that made it, and what was taken back the figures that it came from."""
    for line in lines:
        if line.kind is EntryKind.ACCRUAL and "returned" not in line.trace:
            assert line.trace["award"], line
            assert "set" in line.trace, line
        if line.kind is EntryKind.REVERSAL and line.points + line.pending < 0:
            assert {"kept", "returned"} & set(line.trace), line
