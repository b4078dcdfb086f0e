"""What members took for their points in a period, from every side: one pass over the redemptions and coupons.

Counted is what is left of it: pieces that were cancelled or sent back are out, and so are void coupons and the points
of expired ones that were given back. The tier is the one that the member held when he took it; the channel is that of
his latest order before.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from itertools import chain
from operator import add
from typing import Any, NamedTuple

from django.apps import apps
from django.db import connection

from crm.api import OWN_CHANNEL
from loyalty import api as loyalty
from redemption.models import CouponPlan, Reward
from redemption.reports.spans import Span

LONGEST_DAYS = 366
SIDES = ("reward", "plan", "day", "tier", "channel", "member")
_MOST_ROWS = 1_000  # Of each side; the members who took most come first.

# Tier and channel are looked up once for each member and day, by their indexes. Whoever holds no grant stands on the
# base rung.
_TAKEN = """
WITH taken AS MATERIALIZED (
    SELECT 'reward' AS what, r.reward_id AS thing, r.member_id, r.placed_at AS at,
           r.quantity - r.cancelled - r.returned AS pieces,
           r.points / r.quantity * (r.quantity - r.cancelled - r.returned) AS points,
           CASE WHEN r.paid_at IS NULL THEN 0
                ELSE r.cash / r.quantity * (r.quantity - r.cancelled - r.returned) END AS cash
      FROM redemption_redemption AS r
     WHERE r.placed_at >= %(since)s AND r.placed_at < %(until)s AND r.quantity > r.cancelled + r.returned
       AND r.member_id > %(above)s AND r.member_id <= %(upto)s
     UNION ALL
    SELECT 'plan', c.plan_id, c.member_id, c.issued_at, 1, c.points - c.points_back, 0
      FROM redemption_coupon AS c
     WHERE c.issued_at >= %(since)s AND c.issued_at < %(until)s AND c.state <> 'void'
       AND c.member_id > %(above)s AND c.member_id <= %(upto)s
), of_day AS MATERIALIZED (
    SELECT t.*, (t.at AT TIME ZONE %(zone)s)::date AS day FROM taken AS t
), stood AS MATERIALIZED (
    SELECT p.member_id, p.day, coalesce(tier.id, base.id) AS tier, channel.id AS channel
      FROM (SELECT member_id, day, max(at) AS at FROM of_day GROUP BY 1, 2) AS p
      LEFT JOIN LATERAL (
          SELECT g.tier_id AS id FROM crm_tiergrant AS g
           WHERE g.member_id = p.member_id AND tstzrange(g.begins_at, LEAST(g.ended_at, g.ends_at)) @> p.at
           LIMIT 1
      ) AS tier ON true
      LEFT JOIN LATERAL (
          SELECT o.channel_id AS id
            FROM crm_order AS o
            JOIN crm_channel AS s ON s.id = o.channel_id AND s.code <> %(own)s
           WHERE o.member_id = p.member_id AND o.placed_at <= p.at
           ORDER BY o.placed_at DESC
           LIMIT 1
      ) AS channel ON true
      LEFT JOIN crm_tier AS base ON base.rank = 0
), seen AS (
    SELECT t.what, t.thing, t.day, t.member_id, t.pieces, t.points, t.cash, s.tier, s.channel
      FROM of_day AS t
      JOIN stood AS s ON s.member_id = t.member_id AND s.day = t.day
), summed AS (
    SELECT CASE GROUPING(what, thing, day, tier, channel, member_id)
                WHEN 15 THEN what WHEN 55 THEN 'day' WHEN 59 THEN 'tier' WHEN 61 THEN 'channel' WHEN 62 THEN 'member'
                ELSE 'total' END AS side,
           coalesce(thing, tier, channel, member_id) AS key, day,
           count(*) AS times, count(DISTINCT member_id) AS members, sum(pieces) AS pieces, sum(points) AS points,
           sum(cash) AS cash, coalesce(sum(points) FILTER (WHERE what = 'plan'), 0) AS coupon_points
      FROM seen
     GROUP BY GROUPING SETS ((what, thing), (day), (tier), (channel), (member_id), ())
)
SELECT side, key, day, times, members, pieces, points, cash, coupon_points
  FROM (SELECT s.*, row_number() OVER (PARTITION BY side ORDER BY points DESC, key, day) AS place FROM summed AS s) AS x
 WHERE side <> 'member' OR place <= %(most)s
"""


class Row(NamedTuple):
    """A line of a report: ``key`` is the id of what it is about, or None where nobody knows; ``coupon_points`` are
    those of the points that became coupons. ``cash`` (yuan) is what was paid beside the points."""

    side: str
    key: int | None
    day: date | None
    times: int
    members: int
    pieces: int
    points: int
    cash: Decimal
    coupon_points: int
    name: str = ""

    def cost(self, per_point: Decimal) -> Decimal:
        """What the points cost the shop, in yuan."""
        return loyalty.yuan_to_fen_half_up(self.points * per_point)


@dataclass(frozen=True, slots=True)
class Taken:
    """The report of a period. ``per_point`` is what a point costs (yuan) at its end; ``left`` the pieces that can still
    be redeemed of the rewards in it, None where they are not counted."""

    total: Row | None
    sides: dict[str, list[Row]]
    per_point: Decimal
    left: dict[int, int | None]


def rows_of_span(since: datetime, until: datetime, span: Span) -> list[Row]:
    """Return the lines of the report as far as these members are concerned, in no order. One query."""
    values: dict[str, Any] = {
        "since": since, "until": until, "zone": str(loyalty.programme_zone()), "own": OWN_CHANNEL, "most": _MOST_ROWS,
        "above": span.above, "upto": span.upto,
    }  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(_TAKEN, values)
        rows = [Row(*row) for row in cursor.fetchall()]
    return [row for row in rows if row.times]  # Of nothing there is a total all the same.


def added(rows: Iterable[Row], more: Iterable[Row]) -> list[Row]:
    """Add the lines of some members to those of others."""
    sums: dict[tuple[str, int | None, date | None], Row] = {}
    for row in chain(rows, more):
        about = row[:3]
        known = sums.get(about)
        sums[about] = row if known is None else Row(*about, *map(add, known[3:9], row[3:9]))
    return list(sums.values())


def taken_from(rows: Iterable[Row], until: datetime) -> Taken:
    """Put the lines in their order, with names and with what is left. A handful of queries."""
    sides: dict[str, list[Row]] = {side: [] for side in (*SIDES, "total")}
    for row in rows:
        sides[row.side].append(row)
    for found in sides.values():
        found.sort(key=lambda row: (-row.points, row.key is None, row.key or 0, row.day or date.min))
        del found[_MOST_ROWS:]
    total = next(iter(sides.pop("total")), None)
    sides["day"].sort(key=lambda row: row.day or date.min)
    for side, found in sides.items():
        sides[side] = _named(side, found)
    return Taken(total, sides, loyalty.cost_on(until).per_point, _left([row.key for row in sides["reward"]]))


def _named(side: str, rows: list[Row]) -> list[Row]:
    if side == "day" or not rows:
        return rows
    models: dict[str, Any] = {
        "reward": Reward,
        "plan": CouponPlan,
        "tier": apps.get_model("crm", "Tier"),
        "channel": apps.get_model("crm", "Channel"),
        "member": apps.get_model("crm", "Member"),
    }
    names = models[side].objects.filter(pk__in=[row.key for row in rows if row.key is not None])
    known = dict(names.values_list("pk", "name"))
    return [row._replace(name=known.get(row.key, "")) for row in rows]


_LEFT = """
SELECT w.id,
       CASE WHEN w.kind = 'digital' THEN (
                SELECT count(*) FROM redemption_rewardcode AS c WHERE c.reward_id = w.id AND c.redemption_id IS NULL
            )
            WHEN w.counted THEN coalesce(s.free, 0) END
  FROM redemption_reward AS w
  LEFT JOIN redemption_stock AS s ON s.reward_id = w.id
 WHERE w.id = ANY (%s)
"""


def _left(reward_ids: list[int | None]) -> dict[int, int | None]:
    with connection.cursor() as cursor:
        cursor.execute(_LEFT, [reward_ids])
        return dict(cursor.fetchall())
