"""Orders of a period one after the other, as they were paid, for whoever has to go through all of them.

The database sorts once and hands the orders out in batches, so that memory does not grow with their number. Orders
without a member, orders that nobody ever paid, and orders of which no instant is known are left out.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, NamedTuple

from django.db import connection

from crm.choices import OrderStatus
from crm.events import OrderChange

_STATUSES = {status.value: status for status in OrderStatus}

_PAID_BETWEEN = """
  FROM crm_order AS o
 WHERE coalesce(o.paid_at, o.placed_at) >= %(since)s
   AND (%(until)s::timestamptz IS NULL OR coalesce(o.paid_at, o.placed_at) < %(until)s)
   AND o.member_id IS NOT NULL AND o.status IN ('paid', 'shipped', 'completed', 'closed')
"""

# Of orders that were paid at the same instant, the one with the lower number comes first, as in an import.
_ORDERS = """
SELECT o.id, c.code, o.external_no, o.member_id, o.status, o.paid, o.refunded, o.placed_at, o.paid_at, o.shipped_at,
       o.completed_at, o.closed_at, {earlier}
  FROM {orders} AS o
  JOIN crm_channel AS c ON c.id = o.channel_id
 WHERE coalesce(o.paid_at, o.placed_at) >= %(since)s AND coalesce(o.paid_at, o.placed_at) < %(until)s
   AND o.member_id IS NOT NULL AND o.status IN ('paid', 'shipped', 'completed', 'closed')
 ORDER BY coalesce(o.paid_at, o.placed_at), o.external_no COLLATE "C", o.id
"""
# The same count as in ``crm.order_facts``, but made once for all orders.
_NUMBERED = """(
    SELECT e.*, count(*) FILTER (WHERE e.status IN ('paid', 'shipped', 'completed')) OVER (
               PARTITION BY e.member_id
               ORDER BY coalesce(e.paid_at, e.placed_at), e.id
               ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
           ) AS earlier
      FROM crm_order AS e
     WHERE e.member_id IS NOT NULL AND coalesce(e.paid_at, e.placed_at) < %(until)s
)"""


class PaidOrder(NamedTuple):
    """An order, and how many paid orders its member had before it where that was asked for, else 0."""

    change: OrderChange
    earlier_orders: int


def paid_orders(since: datetime, until: datetime, *, batch: int, numbered: bool = False) -> Iterator[list[PaidOrder]]:
    """Orders paid from ``since`` on and before ``until``, in the order of payment, ``batch`` at a time.

    Each stands as it stood when the first batch was asked for; closed ones are among them. ``numbered`` counts the
    orders of each member.
    """
    statement = _ORDERS.format(earlier="o.earlier" if numbered else "0", orders=_NUMBERED if numbered else "crm_order")
    for rows in _batches(statement, since, until, batch):
        yield [
            PaidOrder(OrderChange(pk, code, number, member_id, _STATUSES[status], *rest), earlier)
            for pk, code, number, member_id, status, *rest, earlier in rows
        ]


def ids_of_orders_since(since: datetime, *, batch: int) -> Iterator[list[int]]:
    """The ids of all orders paid from ``since`` on, ``batch`` at a time."""
    for rows in _batches(f"SELECT o.id {_PAID_BETWEEN}", since, None, batch):
        yield [pk for (pk,) in rows]


def count_paid_orders(since: datetime, until: datetime) -> int:
    """How many orders ``paid_orders`` will tell of."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) {_PAID_BETWEEN}", {"since": since, "until": until})
        number: int = cursor.fetchone()[0]
    return number


def first_and_last_paid() -> tuple[datetime, datetime] | None:
    """When the first and the last order of a member was paid; None where there is none."""
    begun = datetime.fromisoformat("0001-01-02T00:00:00+00:00")
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT min(coalesce(o.paid_at, o.placed_at)), max(coalesce(o.paid_at, o.placed_at))" + _PAID_BETWEEN,
            {"since": begun, "until": None},
        )
        first, last = cursor.fetchone()
    return None if first is None else (first, last)


def _batches(statement: str, since: datetime, until: datetime | None, batch: int) -> Iterator[list[tuple[Any, ...]]]:
    with connection.chunked_cursor() as cursor:
        cursor.execute(statement, {"since": since, "until": until})
        while rows := cursor.fetchmany(batch):
            yield rows
