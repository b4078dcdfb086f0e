"""Whether those who took something bought: their orders in the thirty days before and after."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import connection

from crm.api import OWN_CHANNEL

AFTER = timedelta(days=30)

# Counted from the first thing that each member took in the period. The cash parts of redemptions are no sales of these.
_SALES = """
WITH first AS MATERIALIZED (
    SELECT member_id, min(at) AS at
      FROM (
          SELECT r.member_id, r.placed_at AS at
            FROM redemption_redemption AS r
           WHERE r.placed_at >= %(since)s AND r.placed_at < %(until)s AND r.quantity > r.cancelled + r.returned
           UNION ALL
          SELECT c.member_id, c.issued_at
            FROM redemption_coupon AS c
           WHERE c.issued_at >= %(since)s AND c.issued_at < %(until)s AND c.state <> 'void'
      ) AS t
     GROUP BY member_id
)
SELECT count(*), count(*) FILTER (WHERE f.at + %(days)s <= %(at)s), count(*) FILTER (WHERE x.orders > 0),
       coalesce(sum(x.before), 0), coalesce(sum(x.after), 0), coalesce(sum(x.orders), 0)
  FROM first AS f
 CROSS JOIN LATERAL (
      SELECT coalesce(sum(o.paid - o.refunded) FILTER (WHERE o.placed_at <= f.at), 0) AS before,
             coalesce(sum(o.paid - o.refunded) FILTER (WHERE o.placed_at > f.at), 0) AS after,
             count(*) FILTER (WHERE o.placed_at > f.at) AS orders
        FROM crm_order AS o
        JOIN crm_channel AS s ON s.id = o.channel_id AND s.code <> %(own)s
       WHERE o.member_id = f.member_id AND o.status IN ('paid', 'shipped', 'completed')
         AND o.placed_at > f.at - %(days)s AND o.placed_at <= f.at + %(days)s
 ) AS x
"""


@dataclass(frozen=True, slots=True)
class Sales:
    """Of ``members`` who took something, ``buyers`` ordered again within thirty days: ``orders`` for ``after`` yuan,
    less what went back; ``before`` is what all of them bought in the thirty days before. For ``complete`` of them the
    thirty days are over; the others may still buy."""

    members: int
    complete: int
    buyers: int
    before: Decimal
    after: Decimal
    orders: int


def sales_of_redeemers(since: datetime, until: datetime, at: datetime) -> Sales:
    """Work the figures out. One query, an index look-up for each member."""
    values: dict[str, Any] = {"since": since, "until": until, "days": AFTER, "own": OWN_CHANNEL, "at": at}
    with connection.cursor() as cursor:
        cursor.execute(_SALES, values)
        return Sales(*cursor.fetchone())
