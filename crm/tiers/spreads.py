"""How a figure is spread over the members, counted over several stretches of time at once: one statement.

A large shop is looked at through a sample: fifty thousand members, picked by a hash of their number and so by chance
as far as anything about them goes, say within half a percent what all would say, and in a few seconds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import connection

from crm.models import Member
from crm.tiers.adviser import BOUNDS, Spread
from crm.tiers.figures_sql import Members, base_values, figure_columns, window_start_sql
from crm.tiers.scheme import Scheme
from crm.tiers.windows import Window

SAMPLE = 50_000

_SAMPLED = "SELECT id FROM crm_member WHERE abs(hashint8(id)::bigint) %% %(every)s = 0"


@dataclass(frozen=True, slots=True)
class Spreads:
    """The spread over each stretch of time, by its name. ``looked_at`` members of ``members`` were counted."""

    spreads: Mapping[str, Spread]
    members: int
    looked_at: int

    def of_all_rounded_down(self, looked_at: int) -> int:
        """How many of all members such a number of those looked at stands for."""
        return looked_at * self.members // self.looked_at if self.looked_at else 0


def spreads_of(
    metric: str, windows: Mapping[str, Window], scheme: Scheme, *, at: datetime, sample: int = SAMPLE
) -> Spreads:
    """Count a metric for the members over each of the windows that end at ``at``.

    ``scheme`` says when an order has succeeded and which currency counts. Raises LookupError for an unknown metric.
    """
    number = Member.objects.count()
    ids = _members(number, sample)
    names = list(windows)
    counted = _count(metric, [windows[name] for name in names], scheme, Members(ids=ids), at)
    return Spreads(dict(zip(names, counted, strict=True)), number, len(ids))


def _members(number: int, sample: int) -> list[int]:
    every = -(-number // sample)
    with connection.cursor() as cursor:
        cursor.execute(_SAMPLED, {"every": max(every, 1)})
        return [member_id for (member_id,) in cursor.fetchall()]


def _count(metric: str, windows: Sequence[Window], scheme: Scheme, members: Members, at: datetime) -> list[Spread]:
    values = base_values(scheme, members)
    now = values.add(at, "timestamptz")
    bounds = values.add(list(BOUNDS), "numeric[]")
    names = [f"w{number}" for number in range(len(windows))]
    stretches = ", ".join(
        f"{window_start_sql(window, now)} AS {name}_from, {now} AS {name}_until"
        for name, window in zip(names, windows, strict=True)
    )
    sums = figure_columns([metric], names, members)
    figures = ", ".join(f"{sums.column(name, metric)} AS {name}" for name in names)
    buckets = " UNION ALL ".join(
        f"SELECT {number}, width_bucket({name}::numeric, {bounds}), count(*) FROM figures GROUP BY 2"
        for number, name in enumerate(names)
    )
    counts = [[0] * (len(BOUNDS) + 1) for _window in windows]
    with connection.cursor() as cursor:
        cursor.execute(
            f"""WITH scope AS (SELECT m.id AS member_id, {now} AS as_of, {stretches} FROM {members.rows}){sums.ctes},
                figures AS MATERIALIZED (SELECT {figures} FROM scope AS s {sums.joins})
                {buckets}""",
            values.named,
        )
        for number, bucket, members_in_it in cursor.fetchall():
            counts[number][bucket] = members_in_it
    return [Spread(tuple(row)) for row in counts]
