"""Figures of many members over windows of their own, as SQL.

A *scope* is a common table expression with a row for each member: ``member_id``, ``as_of``, and for each window a
``…_from`` and a ``…_until``. What is counted lies from the one on and before the other.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.conf import settings

from crm.choices import WindowKind
from crm.tiers.metrics import sources_of
from crm.tiers.scheme import Mark, Scheme
from crm.tiers.windows import Window


@dataclass(frozen=True, slots=True)
class Members:
    """Whom a statement is about: those with ids above ``after`` and up to ``last``, or those of ``ids``."""

    after: int = 0
    last: int = 0
    ids: Sequence[int] | None = None

    @property
    def rows(self) -> str:
        """A FROM item ``m`` with the column ``id``."""
        if self.ids is None:
            return "(SELECT id FROM crm_member WHERE id > %(after)s AND id <= %(last)s) AS m"
        return "unnest(%(ids)s::bigint[]) AS m (id)"

    def condition(self, column: str) -> str:
        """The condition on a column that names members."""
        if self.ids is None:
            return f"{column} > %(after)s AND {column} <= %(last)s"
        return f"{column} = ANY (%(ids)s::bigint[])"

    @property
    def values(self) -> dict[str, Any]:
        """The parameters that ``rows`` and ``condition`` use."""
        return {"after": self.after, "last": self.last} if self.ids is None else {"ids": list(self.ids)}


@dataclass(slots=True)
class Values:
    """The parameters of a statement that is put together. ``add`` gives the placeholder of a value."""

    named: dict[str, Any] = field(default_factory=dict)

    def add(self, value: Any, sql_type: str) -> str:
        """Keep a value; returns what stands for it in the statement."""
        name = f"v{len(self.named)}"
        self.named[name] = value
        return f"%({name})s::{sql_type}"


def base_values(scheme: Scheme, members: Members) -> Values:
    """What every statement needs: the members, the programme's zone, and what the sources of metrics may ask for."""
    after = scheme.success_after_days
    return Values(
        {
            **members.values,
            "zone": settings.PROGRAMME_TIME_ZONE,
            "success_after": None if after is None else timedelta(days=after),
            "currency": scheme.currency,
        }
    )


def window_start_sql(window: Window, until: str) -> str:
    """``crm.tiers.windows.window_start`` for an expression of SQL."""
    local = f"(({until} - interval '1 microsecond') AT TIME ZONE %(zone)s)"
    length = int(window.length)
    match window.kind:
        case WindowKind.ALL_TIME:
            return "'-infinity'::timestamptz"
        case WindowKind.DAYS:
            first = f"date_trunc('day', {local}) - make_interval(days => {length - 1})"
        case WindowKind.MONTHS:
            first = f"date_trunc('month', {local}) - make_interval(months => {length - 1})"
        case WindowKind.PERIOD:
            months = f"((extract(month FROM {local})::int - 1) / {length}) * {length}"
            first = f"date_trunc('year', {local}) + make_interval(months => {months})"
    return f"(({first}) AT TIME ZONE %(zone)s)"


def term_end_sql(begins_at: str, months: int | None) -> str:
    """``crm.tiers.windows.term_end`` for an expression of SQL."""
    if months is None:
        return "NULL::timestamptz"
    day = f"(({begins_at} - interval '1 microsecond') AT TIME ZONE %(zone)s)::date"
    return f"((({day} + make_interval(months => {int(months)}))::date + 1)::timestamp AT TIME ZONE %(zone)s)"


def days_later_sql(at: str, days: int) -> str:
    """``crm.tiers.windows.days_later`` for an expression of SQL."""
    return f"((({at} AT TIME ZONE %(zone)s)::date + {int(days) + 1})::timestamp AT TIME ZONE %(zone)s)"


@dataclass(frozen=True, slots=True)
class FigureColumns:
    """How figures come into a statement: ``ctes`` that sum them up, ``joins`` that bring them to the rows of ``scope``,
    and ``last_at``, when something was last counted."""

    ctes: str
    joins: str
    last_at: str
    columns: dict[tuple[str, str], str]

    def column(self, window: str, metric: str) -> str:
        """The expression of a metric's figure over a window."""
        return self.columns[window, metric]


def figure_columns(metrics: Sequence[str], windows: Sequence[str], members: Members) -> FigureColumns:
    """Sum ``metrics`` over the ``windows`` of the table expression ``scope``, which is joined as ``s``.

    Members who are named are summed up one by one, from an index. How many of them a scope leaves over cannot be
    foreseen, and a planner that expects one would sum up all of them again for each.
    """
    ctes, joins, last = [], [], ["'-infinity'::timestamptz"]
    columns: dict[tuple[str, str], str] = {}
    for source in sources_of(metrics):
        name = f"sums_{source.code}"
        codes = [metric.code for metric in source.metrics if metric.code in metrics]
        sums = [(window, code) for window in windows for code in codes]
        if members.ids is None:
            rows = source.rows.format(members=members.condition(source.member))
            ctes.append(f", {name} AS ({_sums(rows, sums)})")
            joins.append(f"LEFT JOIN {name} ON {name}.member_id = s.member_id")
        else:
            rows = source.rows.format(members=f"{source.member} = s.member_id")
            joins.append(f"LEFT JOIN LATERAL (SELECT {_sum_columns(sums)} FROM ({rows}) AS r) AS {name} ON TRUE")
        last.append(f"{name}.last_at")
        columns |= {(window, code): f"coalesce({name}.{window}_{code}, 0)" for window, code in sums}
    return FigureColumns("\n".join(ctes), "\n  ".join(joins), f"greatest({', '.join(last)})", columns)


def _sums(rows: str, sums: Sequence[tuple[str, str]]) -> str:
    return f"""
    SELECT s.member_id, {_sum_columns(sums)}
      FROM scope AS s JOIN ({rows}) AS r ON r.member_id = s.member_id
     GROUP BY s.member_id
"""


def _sum_columns(sums: Sequence[tuple[str, str]]) -> str:
    columns = (
        f"sum(r.{code}) FILTER (WHERE r.at >= s.{window}_from AND r.at < s.{window}_until) AS {window}_{code}"
        for window, code in sums
    )
    return ", ".join(["max(r.at) FILTER (WHERE r.at <= s.as_of) AS last_at", *columns])


def mark_sql(mark: Mark, window: str, figures: FigureColumns, values: Values) -> str:
    """Whether a mark is met, as an expression."""
    tests = [
        f"{figures.column(window, threshold.metric)} {'>' if threshold.strict else '>='} "
        f"{values.add(threshold.at_least, 'numeric')}"
        for threshold in mark.thresholds
    ]
    if not tests:
        return "FALSE" if mark.any_of else "TRUE"
    return f"({(' OR ' if mark.any_of else ' AND ').join(tests)})"


def share_sql(mark: Mark, window: str, figures: FigureColumns, values: Values) -> str:
    """How near a mark is, rounded down, as an expression; see ``Mark.share_rounded_down``."""
    shares = []
    for threshold in mark.thresholds:
        figure, asked = figures.column(window, threshold.metric), values.add(threshold.at_least, "numeric")
        sign = ">" if threshold.strict else ">="
        shares.append(
            f"CASE WHEN {figure} {sign} {asked} THEN 1 WHEN {figure} <= 0 THEN 0 WHEN {asked} = 0 THEN 0.9999"
            f" ELSE least(trunc({figure} / {asked}, 4), 0.9999) END"
        )
    if not shares:
        return "1"
    return f"{'greatest' if mark.any_of else 'least'}({', '.join(shares)})"


def figures_json_sql(metrics: Sequence[str], window: str, row: str) -> str:
    """The figures of a window as JSON, from the columns ``spend`` … of a row; as text, so that money stays exact."""
    pairs = ", ".join(f"'{code}', ({row}.{window}_{code})::text" for code in metrics)
    return f"jsonb_build_object({pairs})"
