"""What was given or offered for money that has since gone back.

A grant or an offer says between which instants was counted what justified it. Counting the same again, with what is
known now, tells whether it still holds: money that was refunded counts as never paid, at the instant of its order. The
marks are those of the scheme that it was given under, so that changed thresholds undo nothing.
"""

import json
from collections.abc import Sequence
from datetime import datetime

from django.db.backends.utils import CursorWrapper

from crm.tiers.figures_sql import (
    FigureColumns,
    Members,
    Values,
    base_values,
    figure_columns,
    figures_json_sql,
    mark_sql,
)
from crm.tiers.scheme import Mark, Scheme
from crm.tiers.staging import clear, staged_ids

_GRANTS = """
SELECT g.member_id, g.id AS grant_id, t.rank, CASE g.move WHEN 'up' THEN 'reach' ELSE 'keep' END AS kind,
       g.ends_at, CASE g.move WHEN 'up' THEN r.restart_at ELSE g.restart_at END AS restart_at,
       {at} AS as_of, coalesce(g.qualified_from, '-infinity') AS proof_from, g.qualified_until AS proof_until
  FROM crm_tiergrant AS g
  JOIN crm_tier AS t ON t.id = g.tier_id
  LEFT JOIN crm_tiergrant AS r ON r.id = g.replaced_id
 WHERE g.scheme_id = {scheme} AND g.move IN ('up', 'renewed') AND NOT g.locked AND t.rank > 0
   AND g.begins_at <= {at} AND g.ended_at IS NULL AND (g.ends_at IS NULL OR g.ends_at > {at}) AND {members}
"""
_OFFERS = """
SELECT g.member_id, g.id AS grant_id, t.rank, CASE g.kind WHEN 'up' THEN 'reach' ELSE 'keep' END AS kind,
       NULL::timestamptz AS ends_at, NULL::timestamptz AS restart_at,
       {at} AS as_of, coalesce(g.qualified_from, '-infinity') AS proof_from, g.qualified_until AS proof_until
  FROM crm_tieroffer AS g
  JOIN crm_tier AS t ON t.id = g.tier_id
 WHERE g.scheme_id = {scheme} AND g.state = 'open' AND {members}
"""

_SCHEMES_OF_GRANTS = """
SELECT DISTINCT g.scheme_id FROM crm_tiergrant AS g
 WHERE g.scheme_id IS NOT NULL AND g.move IN ('up', 'renewed') AND g.ended_at IS NULL
   AND (g.ends_at IS NULL OR g.ends_at > %(at)s) AND {members}
"""
_SCHEMES_OF_OFFERS = "SELECT DISTINCT g.scheme_id FROM crm_tieroffer AS g WHERE g.state = 'open' AND {members}"


def schemes_of_grants(cursor: CursorWrapper, members: Members, at: datetime) -> set[int]:
    """The ids of the schemes by which these members hold a tier. What nobody holds need not be counted again."""
    return _scheme_ids(cursor, _SCHEMES_OF_GRANTS, members, at)


def schemes_of_offers(cursor: CursorWrapper, members: Members, at: datetime) -> set[int]:
    """The ids of the schemes by which these members may claim a tier."""
    return _scheme_ids(cursor, _SCHEMES_OF_OFFERS, members, at)


def _scheme_ids(cursor: CursorWrapper, statement: str, members: Members, at: datetime) -> set[int]:
    cursor.execute(statement.format(members=members.condition("g.member_id")), members.values | {"at": at})
    return {scheme_id for (scheme_id,) in cursor.fetchall()}


def look_for_undone_grants(cursor: CursorWrapper, scheme: Scheme, members: Members, at: datetime) -> list[int]:
    """Stage the tiers of these members that no longer hold: each goes down to the highest one that the figures of its
    own window still come to. Returns the members, ascending."""
    clear(cursor, members)
    values = base_values(scheme, members)
    ctes, figures = _proof(_GRANTS, scheme, members, at, values)
    version = values.add(scheme.version, "integer")
    cursor.execute(
        f"""{ctes}
        INSERT INTO crm_stage_move (
            member_id, grant_id, as_of, outcome, target, qualified_from, qualified_until, ends_at, restart_at, locked,
            source, figures
        )
        SELECT s.member_id, s.grant_id, s.as_of, 'taken_back', s.target, nullif(s.proof_from, '-infinity'),
               s.proof_until, CASE WHEN s.target > 0 THEN s.ends_at END, s.restart_at, FALSE, 'system',
               jsonb_build_object('scheme', {version}, 'asked', s.asked, 'figures', {figures})
          FROM proved AS s
         WHERE NOT s.holds""",
        values.named,
    )
    return staged_ids(cursor)


def undone_offers(cursor: CursorWrapper, scheme: Scheme, members: Members, at: datetime) -> list[int]:
    """Which of these members may claim a tier whose mark they no longer meet, ascending."""
    values = base_values(scheme, members)
    ctes, _figures = _proof(_OFFERS, scheme, members, at, values)
    cursor.execute(f"{ctes} SELECT s.member_id FROM proved AS s WHERE NOT s.holds ORDER BY s.member_id", values.named)
    return [member_id for (member_id,) in cursor.fetchall()]


def withdraw_offers(cursor: CursorWrapper, member_ids: Sequence[int], at: datetime) -> int:
    """Take the open offers of these members back; they are locked. Returns how many there were."""
    cursor.execute(
        "UPDATE crm_tieroffer SET state = 'withdrawn', closed_at = greatest(%(at)s, opened_at)"
        " WHERE state = 'open' AND member_id = ANY (%(ids)s)",
        {"at": at, "ids": list(member_ids)},
    )
    return int(cursor.rowcount)


def _proof(of: str, scheme: Scheme, members: Members, at: datetime, values: Values) -> tuple[str, str]:
    """Count the windows of grants or offers again. Returns expressions that end with ``proved``, and the figures as
    JSON of a row ``s`` of it."""
    metrics = scheme.metrics()
    figures = figure_columns(metrics, ("proof",), members)
    rows = of.format(
        at=values.add(at, "timestamptz"), scheme=values.add(scheme.id, "bigint"),
        members=members.condition("g.member_id"),
    )  # fmt: skip
    columns = "".join(f", {figures.column('proof', code)} AS proof_{code}" for code in metrics)
    ctes = f"""
WITH scope AS MATERIALIZED ({rows}){figures.ctes}
, proved AS (
    SELECT s.*, {_holds(scheme, figures, values)} AS holds, {_target(scheme, figures, values)} AS target,
           {_asked(scheme, values)} AS asked{columns}
      FROM scope AS s
  {figures.joins}
)"""
    return ctes, figures_json_sql(metrics, "proof", "s")


def _marks(scheme: Scheme) -> list[tuple[str, int, Mark]]:
    """Kind, rank and mark of everything the scheme asks for, the highest rungs first."""
    rungs = reversed(scheme.rungs)
    return [(kind, rung.rank, getattr(rung, kind)) for rung in rungs for kind in ("reach", "keep")]


def _holds(scheme: Scheme, figures: FigureColumns, values: Values) -> str:
    cases = [
        f"WHEN s.kind = '{kind}' AND s.rank = {rank} THEN {mark_sql(mark, 'proof', figures, values)}"
        for kind, rank, mark in _marks(scheme)
    ]
    return f"CASE {' '.join(cases)} ELSE TRUE END" if cases else "TRUE"


def _target(scheme: Scheme, figures: FigureColumns, values: Values) -> str:
    cases = [
        f"WHEN s.kind = '{kind}' AND s.rank > {rank} AND {mark_sql(mark, 'proof', figures, values)} THEN {rank}"
        for kind, rank, mark in _marks(scheme)
    ]
    return f"CASE {' '.join(cases)} ELSE 0 END" if cases else "0"


def _asked(scheme: Scheme, values: Values) -> str:
    cases = [
        f"WHEN s.kind = '{kind}' AND s.rank = {rank} THEN {values.add(json.dumps(mark.as_json()), 'jsonb')}"
        for kind, rank, mark in _marks(scheme)
    ]
    return f"CASE {' '.join(cases)} END" if cases else "NULL::jsonb"
