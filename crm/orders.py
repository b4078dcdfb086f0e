"""Recording orders: the one way by which trades, buyers and refunds come into the house.

``record`` takes a batch of what a feed read, joins it with what is known and tells the upper floors which orders
changed, all in one transaction. Lock order: the channel first, so that two imports into one shop take turns; then
whatever the handlers lock (accounts, lots).
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper

from crm.choices import OrderStatus
from crm.events import OrderChange, OrderChanges, ReturnsChange, orders_changed
from crm.feeds.records import OrderRecord, Problem
from crm.models import Channel
from crm.order_grades import record_grades
from crm.order_merge import Merged, merge
from crm.order_staging import Staged, prepare, stage

# The first half of a two-part advisory lock; the second is the channel.
_RECORDING = 0x0C0D


@dataclass(slots=True)
class RecordReport:
    """What a batch did. ``effects`` are further counters, mostly of the upper floors, such as points accrued;
    ``remarks`` are about rows that were recorded, yet not all that stands in them."""

    orders_new: int = 0
    orders_updated: int = 0
    orders_unchanged: int = 0
    members_new: int = 0
    refunds: int = 0
    effects: dict[str, int] = field(default_factory=dict)
    remarks: list[Problem] = field(default_factory=list)

    def add(self, other: "RecordReport") -> None:
        """Add the figures of a further batch."""
        self.orders_new += other.orders_new
        self.orders_updated += other.orders_updated
        self.orders_unchanged += other.orders_unchanged
        self.members_new += other.members_new
        self.refunds += other.refunds
        for name, value in other.effects.items():
            self.effects[name] = self.effects.get(name, 0) + value
        self.remarks += other.remarks


def record(channel: Channel, records: Iterable[OrderRecord], *, at: datetime) -> RecordReport:
    """Record a batch of orders of one channel, in one transaction. Some thousand records a call are best.

    The same records again change nothing; records in any order, in one call or many, end in the same state.
    """
    return record_prepared(channel, prepare(records), at=at)


def record_prepared(channel: Channel, rounds: Iterable[Staged], *, at: datetime, source: str = "") -> RecordReport:
    """Record what ``crm.order_staging.prepare`` has made of a batch, maybe in another thread. ``source`` names the file
    it stands in."""
    report = RecordReport()
    with transaction.atomic(), connection.cursor() as cursor:
        lock_recording(cursor, channel.pk)
        for staged in rounds:
            report.add(_record_round(cursor, channel, staged, at, source))
    return report


def lock_recording(cursor: CursorWrapper, channel_id: int) -> None:
    """Have whoever brings buyers or orders into a channel take turns, until the end of the transaction."""
    cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [_RECORDING, channel_id])


def _record_round(cursor: CursorWrapper, channel: Channel, staged: Staged, at: datetime, source: str) -> RecordReport:
    stage(cursor, staged)
    merged = merge(cursor, channel.pk, at)
    grades = record_grades(cursor, channel.pk, source)
    changes = _changes(cursor, channel, merged)
    effects = orders_changed(changes, at) if changes.orders or changes.returns else {}
    return RecordReport(
        orders_new=len(merged.new),
        orders_updated=len(merged.updated),
        orders_unchanged=staged.records - len(merged.new) - len(merged.updated),
        members_new=merged.members_new,
        refunds=merged.refunds,
        effects=effects | ({"grades": grades.members} if grades.members else {}),
        remarks=grades.remarks,
    )


# Plain SQL with an array: the ORM would spell out some thousand placeholders, which costs more than the query. Instants
# come as microseconds, for reading them from text would take a quarter of the time that Python has for an order.
_ORDERS = """
SELECT id, external_no, member_id, status, paid, refunded,
       (extract(EPOCH FROM placed_at) * 1000000)::bigint, (extract(EPOCH FROM paid_at) * 1000000)::bigint,
       (extract(EPOCH FROM shipped_at) * 1000000)::bigint, (extract(EPOCH FROM completed_at) * 1000000)::bigint,
       (extract(EPOCH FROM closed_at) * 1000000)::bigint
  FROM crm_order WHERE id = ANY (%(orders)s) ORDER BY id
"""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_STATUSES = {status.value: status for status in OrderStatus}


def _instant(microseconds: int | None) -> datetime | None:
    return None if microseconds is None else _EPOCH + timedelta(microseconds=microseconds)


def _changes(cursor: CursorWrapper, channel: Channel, merged: Merged) -> OrderChanges:
    cursor.execute(_ORDERS, {"orders": merged.orders})
    orders = tuple(
        OrderChange(
            pk, channel.code, external_no, member_id, _STATUSES[status], paid, refunded, *map(_instant, instants)
        )
        for pk, external_no, member_id, status, paid, refunded, *instants in cursor.fetchall()
    )
    members = {change.member_id for change in orders if change.member_id is not None} | merged.members_with_returns
    return OrderChanges(orders=orders, returns=_returns(cursor, channel, members))


# The sum of all returns without an order, for those of the members who ever had one.
_RETURNS = """
SELECT member_id, %(code)s, sum(amount), max(at)
  FROM crm_refund
 WHERE order_id IS NULL AND channel_id = %(channel)s AND status = 'success' AND member_id = ANY (%(members)s)
 GROUP BY member_id
 ORDER BY member_id
"""


def _returns(cursor: CursorWrapper, channel: Channel, member_ids: set[int]) -> tuple[ReturnsChange, ...]:
    cursor.execute(
        _RETURNS,
        {"code": channel.code, "channel": channel.pk, "members": sorted(member_ids)},
    )
    return tuple(ReturnsChange(*row) for row in cursor.fetchall())
