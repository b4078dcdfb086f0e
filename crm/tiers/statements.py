"""The decision of ``crm.tiers.decide`` as SQL, for any set of members at once.

``decision_sql`` makes a chain of common table expressions: ``held`` (what each member holds), ``scope`` (the instant
he is looked at, and his windows), sums of the metrics, ``judged`` (reached? kept? fallen to?) and ``decided`` (the
outcome). A property test holds the outcome against the pure decision.
"""

from dataclasses import dataclass, replace
from datetime import datetime

from django.db.backends.utils import CursorWrapper

from crm.choices import Effect, KeepCheck
from crm.tiers.decide import Occasion
from crm.tiers.decided_sql import decided_sql
from crm.tiers.figures_sql import FigureColumns, Members, Values, base_values, figure_columns
from crm.tiers.held_sql import held_sql, scope_sql
from crm.tiers.judged_sql import judged_sql
from crm.tiers.looks import Look, Parts
from crm.tiers.scheme import Scheme


@dataclass(frozen=True, slots=True)
class Statement:
    """Common table expressions that end with ``decided``, and their parameters."""

    ctes: str
    values: Values


def decision_sql(scheme: Scheme, members: Members, look: Look) -> Statement:
    """Put the decision on these members together."""
    values = base_values(scheme, members)
    parts = Parts(scheme, members, look, values, _figures(scheme, members, look))
    ctes = f"""
WITH held AS ({held_sql(parts)}
), scope AS MATERIALIZED ({scope_sql(parts)}
){parts.figures.ctes}
, judged AS ({judged_sql(parts)}
), decided AS ({decided_sql(parts)}
)"""
    return Statement(ctes, values)


def _figures(scheme: Scheme, members: Members, look: Look) -> FigureColumns:
    """The figures over both windows; summed up once where the two are the same."""
    metrics = scheme.metrics()
    with_orders = {scheme.effect == Effect.NEXT_ORDER, scheme.keep_check == KeepCheck.NEXT_ORDER}
    until_the_same = look.occasion is not Occasion.NOW or len(with_orders) == 1
    if scheme.reach_window != scheme.keep_window or not until_the_same:
        return figure_columns(metrics, ("reach", "keep"), members)
    once = figure_columns(metrics, ("reach",), members)
    return replace(once, columns=once.columns | {("keep", code): once.column("reach", code) for code in metrics})


def ended_members(
    cursor: CursorWrapper, scheme: Scheme, members: Members, since: datetime, until: datetime
) -> list[tuple[int, datetime]]:
    """Which of these members hold nothing since a term of theirs ended, from ``since`` on and up to ``until``, and
    when it ended. ``scheme`` gives ends to grants that have none."""
    values = base_values(scheme, members)
    parts = Parts(scheme, members, Look(Occasion.END, until), values, figure_columns((), (), members))
    cursor.execute(
        f"""WITH held AS ({held_sql(parts)})
        SELECT h.member_id, h.ends_at FROM held AS h
         WHERE h.ends_at >= {values.add(since, "timestamptz")} AND h.ends_at <= {values.add(until, "timestamptz")}
         ORDER BY h.member_id""",
        values.named,
    )
    return [(member_id, end) for member_id, end in cursor.fetchall()]
