"""Recording orders: the one way by which trades, buyers and refunds come into the house.

``record`` takes a batch of what a feed read, joins it with what is known and tells the upper floors which orders
changed, all in one transaction. Lock order: the channel first, so that two imports into one shop take turns; then
whatever the handlers lock (accounts, lots).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper

from crm.choices import OrderStatus, RefundStatus
from crm.events import OrderChange, OrderChanges, ReturnsChange, orders_changed
from crm.feeds.records import OrderRecord
from crm.models import Channel
from crm.order_merge import Merged, merge
from crm.order_staging import stage

# The first half of a two-part advisory lock; the second is the channel.
_RECORDING = 0x0C0D


@dataclass(slots=True)
class RecordReport:
    """What a batch did. ``effects`` are the counters of the upper floors, such as points accrued."""

    orders_new: int = 0
    orders_updated: int = 0
    orders_unchanged: int = 0
    members_new: int = 0
    refunds: int = 0
    effects: dict[str, int] = field(default_factory=dict)

    def add(self, other: "RecordReport") -> None:
        """Add the figures of a further batch."""
        self.orders_new += other.orders_new
        self.orders_updated += other.orders_updated
        self.orders_unchanged += other.orders_unchanged
        self.members_new += other.members_new
        self.refunds += other.refunds
        for name, value in other.effects.items():
            self.effects[name] = self.effects.get(name, 0) + value


def record(channel: Channel, records: Iterable[OrderRecord], *, at: datetime) -> RecordReport:
    """Record a batch of orders of one channel, in one transaction. Some thousand records a call are best.

    The same records again change nothing; records in any order, in one call or many, end in the same state.
    """
    report = RecordReport()
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [_RECORDING, channel.pk])
        for batch in _rounds(records):
            report.add(_record_round(cursor, channel, batch, at))
    return report


def _rounds(records: Iterable[OrderRecord]) -> list[list[OrderRecord]]:
    """Split records so that no round names an order twice; nearly always there is one round."""
    rounds: list[dict[str, OrderRecord]] = []
    seen: dict[str, int] = {}
    for record_ in records:
        number = seen.get(record_.external_no, 0)
        seen[record_.external_no] = number + 1
        if number == len(rounds):
            rounds.append({})
        rounds[number][record_.external_no] = record_
    return [list(batch.values()) for batch in rounds]


def _record_round(cursor: CursorWrapper, channel: Channel, batch: Sequence[OrderRecord], at: datetime) -> RecordReport:
    stage(cursor, batch)
    merged = merge(cursor, channel.pk, at, OrderStatus.values, RefundStatus.values)
    changes = _changes(cursor, channel, merged)
    effects = orders_changed(changes, at) if changes.orders or changes.returns else {}
    orders = sum(1 for r in batch if r.unlinked_refund is None)
    return RecordReport(
        orders_new=len(merged.new),
        orders_updated=len(merged.updated),
        orders_unchanged=orders - len(merged.new) - len(merged.updated),
        members_new=merged.members_new,
        refunds=merged.refunds,
        effects=effects,
    )


# Plain SQL with an array: the ORM would spell out some thousand placeholders, which costs more than the query.
_ORDERS = """
SELECT id, %(code)s, external_no, member_id, status, paid, refunded,
       placed_at, paid_at, shipped_at, completed_at, closed_at
  FROM crm_order WHERE id = ANY (%(orders)s) ORDER BY id
"""


def _changes(cursor: CursorWrapper, channel: Channel, merged: Merged) -> OrderChanges:
    cursor.execute(_ORDERS, {"code": channel.code, "orders": merged.orders})
    orders = tuple(
        OrderChange(pk, code, external_no, member_id, OrderStatus(status), *rest)
        for pk, code, external_no, member_id, status, *rest in cursor.fetchall()
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
