"""What a change of the validity policy would do to points that members have, before it is published. Reads only."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime

from django.db import connection

from loyalty.validity import Policy, programme_zone

EXAMPLES = 5


@dataclass(frozen=True, slots=True)
class Touched:
    """How many members and points a change touches."""

    members: int = 0
    points: int = 0


@dataclass(frozen=True, slots=True)
class MonthPoints:
    """Points whose validity ends in a month (its first day; None: never), as things are and under the new policy."""

    month: date | None
    before: int
    after: int


@dataclass(frozen=True, slots=True)
class Example:
    """One lot whose validity would change."""

    member_id: int
    points: int
    before: datetime | None
    after: datetime | None


@dataclass(frozen=True, slots=True)
class PolicyPreview:
    """What applying a policy to all points would do. A member with several lots may be in several of the figures.

    ``at_once`` is the part of ``shortened`` whose validity would end the moment the change takes effect.
    """

    total: Touched
    shortened: Touched
    lengthened: Touched
    unchanged: Touched
    at_once: Touched
    months: tuple[MonthPoints, ...]
    examples: tuple[Example, ...]


# A row for each direction, for what would end at once, and for each month before and after; ``what`` tells them apart.
_FIGURES = """
WITH lots AS MATERIALIZED (
    SELECT v.account_id, v.remaining, v.after <= %(at)s AS at_once,
           CASE
               WHEN v.after IS NOT DISTINCT FROM v.before THEN 'unchanged'
               WHEN coalesce(v.after, 'infinity') < coalesce(v.before, 'infinity') THEN 'shortened'
               ELSE 'lengthened'
           END AS direction,
           date_trunc('month', (v.before - interval '1 microsecond') AT TIME ZONE %(zone)s)::date AS month_before,
           date_trunc('month', (v.after - interval '1 microsecond') AT TIME ZONE %(zone)s)::date AS month_after
      FROM {lots}
)
SELECT grouping(direction, at_once, month_before, month_after) AS what,
       direction, at_once, coalesce(month_before, month_after), count(DISTINCT account_id), sum(remaining)::bigint
  FROM lots
 GROUP BY GROUPING SETS ((direction), (at_once), (month_before), (month_after), ())
"""
_DIRECTION, _AT_ONCE, _MONTH_BEFORE, _MONTH_AFTER, _TOTAL = 0b0111, 0b1011, 0b1101, 0b1110, 0b1111

_EXAMPLES = """
SELECT v.account_id, v.remaining, v.before, v.after
  FROM {lots}
 WHERE v.after IS DISTINCT FROM v.before
 ORDER BY coalesce(v.after, 'infinity') > coalesce(v.before, 'infinity'), v.remaining DESC, v.lot_id
 LIMIT %(examples)s
"""

_LOTS = """loyalty_revalue(
    ROW(%(kind)s, %(days)s, %(months)s, %(years)s, %(month)s, %(day)s)::loyalty_validity,
    'infinity', %(at)s, %(zone)s, 0, 9223372036854775807
) AS v"""


def preview_change(policy: Policy, at: datetime) -> PolicyPreview:
    """What it would mean to apply ``policy`` at ``at`` to all points that can be spent then. Two statements."""
    values: dict[str, str | int | datetime] = {
        "kind": policy.kind.value,
        "days": policy.days,
        "months": policy.months,
        "years": policy.years,
        "month": policy.month,
        "day": policy.day,
        "at": at,
        "zone": str(programme_zone()),
        "examples": EXAMPLES,
    }
    with connection.cursor() as cursor:
        cursor.execute(_FIGURES.format(lots=_LOTS), values)
        figures = cursor.fetchall()
        cursor.execute(_EXAMPLES.format(lots=_LOTS), values)
        examples = tuple(Example(*row) for row in cursor.fetchall())
    directions = {row[1]: Touched(row[4], row[5]) for row in figures if row[0] == _DIRECTION}
    at_once = [Touched(row[4], row[5]) for row in figures if row[0] == _AT_ONCE and row[2]]
    totals = [Touched(row[4], row[5] or 0) for row in figures if row[0] == _TOTAL]
    return PolicyPreview(
        total=totals[0],
        shortened=directions.get("shortened", Touched()),
        lengthened=directions.get("lengthened", Touched()),
        unchanged=directions.get("unchanged", Touched()),
        at_once=at_once[0] if at_once else Touched(),
        months=_months(
            {row[3]: row[5] for row in figures if row[0] == _MONTH_BEFORE},
            {row[3]: row[5] for row in figures if row[0] == _MONTH_AFTER},
        ),
        examples=examples,
    )


def _months(before: dict[date | None, int], after: dict[date | None, int]) -> tuple[MonthPoints, ...]:
    months: Iterable[date | None] = sorted(before.keys() | after.keys(), key=lambda month: (month is None, month))
    return tuple(MonthPoints(month, before.get(month, 0), after.get(month, 0)) for month in months)
