"""Whether those who took something bought: their orders in the thirty days before and after, for all of it together and
for each reward and plan."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from operator import add
from typing import Any, NamedTuple

from django.db import connection

from crm.api import OWN_CHANNEL
from redemption.reports.spans import Span

AFTER = timedelta(days=30)

# Counted from the first time in the period that a member took the thing, or for the total, anything. The orders of
# those members are read once. The cash parts of redemptions are no sales of these.
_SALES = """
WITH taken AS MATERIALIZED (
    SELECT 'reward' AS what, r.reward_id AS thing, r.member_id, r.placed_at AS at
      FROM redemption_redemption AS r
     WHERE r.placed_at >= %(since)s AND r.placed_at < %(until)s AND r.quantity > r.cancelled + r.returned
       AND r.member_id > %(above)s AND r.member_id <= %(upto)s
     UNION ALL
    SELECT 'plan', c.plan_id, c.member_id, c.issued_at
      FROM redemption_coupon AS c
     WHERE c.issued_at >= %(since)s AND c.issued_at < %(until)s AND c.state <> 'void'
       AND c.member_id > %(above)s AND c.member_id <= %(upto)s
), first AS MATERIALIZED (
    SELECT CASE WHEN GROUPING(what) = 0 THEN what ELSE 'total' END AS what, thing, member_id, min(at) AS at
      FROM taken
     GROUP BY GROUPING SETS ((what, thing, member_id), (member_id))
), bought AS MATERIALIZED (
    SELECT o.member_id, o.placed_at, o.paid - o.refunded AS yuan
      FROM crm_order AS o
      JOIN crm_channel AS s ON s.id = o.channel_id AND s.code <> %(own)s
     WHERE o.member_id IN (SELECT member_id FROM taken) AND o.status IN ('paid', 'shipped', 'completed')
       AND o.placed_at > %(since)s - %(days)s AND o.placed_at < %(until)s + %(days)s
), of_member AS (
    SELECT f.what, f.thing, f.at,
           coalesce(sum(b.yuan) FILTER (WHERE b.placed_at <= f.at), 0) AS before,
           coalesce(sum(b.yuan) FILTER (WHERE b.placed_at > f.at), 0) AS after,
           count(b.yuan) FILTER (WHERE b.placed_at > f.at) AS orders
      FROM first AS f
      LEFT JOIN bought AS b
        ON b.member_id = f.member_id AND b.placed_at > f.at - %(days)s AND b.placed_at <= f.at + %(days)s
     GROUP BY f.what, f.thing, f.member_id, f.at
)
SELECT what, thing, count(*), count(*) FILTER (WHERE at + %(days)s <= %(at)s), count(*) FILTER (WHERE orders > 0),
       sum(before), sum(after), sum(orders)
  FROM of_member
 GROUP BY what, thing
"""


class Sales(NamedTuple):
    """Of ``members`` who took something, ``buyers`` ordered again within thirty days: ``orders`` for ``after`` yuan,
    less what went back; ``before`` is what all of them bought in the thirty days before. For ``complete`` of them the
    thirty days are over; the others may still buy."""

    members: int = 0
    complete: int = 0
    buyers: int = 0
    before: Decimal = Decimal(0)
    after: Decimal = Decimal(0)
    orders: int = 0

    def percent_half_up(self, cost: Decimal) -> Decimal | None:
        """How many percent of the sales the points cost, half a tenth up; None without sales."""
        if self.after <= 0:
            return None
        return (cost * 100 / self.after).quantize(Decimal("0.1"), ROUND_HALF_UP)


@dataclass(frozen=True, slots=True)
class SalesOfRedeemers:
    """The sales of all who took anything, and of those who took each reward and each plan's coupons. Whoever took two
    things stands with both, so the parts come to more than the whole."""

    total: Sales
    by_thing: dict[tuple[str, int], Sales]

    def of(self, side: str, key: int | None) -> Sales:
        """The sales behind a line of the report by ``reward`` or ``plan``."""
        return self.by_thing.get((side, key or 0), Sales())


def sales_of_span(since: datetime, until: datetime, at: datetime, span: Span) -> SalesOfRedeemers:
    """Return the figures of these members. One query."""
    values: dict[str, Any] = {
        "since": since, "until": until, "days": AFTER, "own": OWN_CHANNEL, "at": at,
        "above": span.above, "upto": span.upto,
    }  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(_SALES, values)
        found = {(what, thing): Sales(*figures) for what, thing, *figures in cursor.fetchall()}
    return SalesOfRedeemers(found.pop(("total", None), Sales()), found)


def no_sales() -> SalesOfRedeemers:
    """The figures of nobody."""
    return SalesOfRedeemers(Sales(), {})


def added_sales(some: SalesOfRedeemers, more: SalesOfRedeemers) -> SalesOfRedeemers:
    """Add the figures of some members to those of others."""
    by_thing = dict(some.by_thing)
    for thing, sales in more.by_thing.items():
        by_thing[thing] = _sum(by_thing.get(thing, Sales()), sales)
    return SalesOfRedeemers(_sum(some.total, more.total), by_thing)


def _sum(one: Sales, other: Sales) -> Sales:
    return Sales(*map(add, one, other))
