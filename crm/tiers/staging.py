"""Looking at members: who would move, and what has changed of where the others stand, in two temporary tables.

The tables live as long as the connection and are empty after each commit. Looking writes nothing else and locks
nothing; ``crm.tiers.applying`` makes grants and offers of what is staged.
"""

import json

from django.db.backends.utils import CursorWrapper

from crm.tiers.decide import Occasion
from crm.tiers.figures_sql import Members, Values, figures_json_sql
from crm.tiers.looks import Look
from crm.tiers.scheme import Scheme
from crm.tiers.statements import decision_sql

_TABLES = """
CREATE TEMPORARY TABLE IF NOT EXISTS crm_stage_move (
    member_id bigint PRIMARY KEY, grant_id bigint, as_of timestamptz, outcome varchar(10), target integer,
    qualified_from timestamptz, qualified_until timestamptz, ends_at timestamptz, restart_at timestamptz,
    locked boolean, source varchar(10), until timestamptz, figures jsonb
) ON COMMIT DELETE ROWS;
CREATE TEMPORARY TABLE IF NOT EXISTS crm_stage_standing (
    member_id bigint PRIMARY KEY, next_rank integer, next_share numeric(5, 4), keep_share numeric(5, 4),
    keep_due_at timestamptz, seen_order_at timestamptz
) ON COMMIT DELETE ROWS;
"""


def look(cursor: CursorWrapper, scheme: Scheme, members: Members, at: Look, *, moving: bool = True) -> list[int]:
    """Stage the decisions on these members and return who would move, ascending.

    ``moving=False`` only looks where they stand, for those who have just moved. Standings are staged on the occasion
    ``NOW``, as far as they are not what is written already. What was staged of other members before stays staged where
    ``members`` are named by their ids.
    """
    clear(cursor, members)
    statement = decision_sql(scheme, members, at)
    values = statement.values
    if moving:
        moves = _moves(scheme, values)
        standings = _STANDINGS if at.occasion is Occasion.NOW else "SELECT"
        cursor.execute(f"{statement.ctes}, moved AS ({moves}) {standings}", values.named)
    else:
        cursor.execute(f"{statement.ctes} {_STANDINGS}", values.named)
    return staged_ids(cursor)


def clear(cursor: CursorWrapper, members: Members) -> None:
    """Empty the tables for another look: of these members where they are named, else of everybody."""
    cursor.execute(_TABLES)
    if members.ids is None:
        # Emptying empty tables costs as well.
        cursor.execute("SELECT EXISTS (SELECT FROM crm_stage_move) OR EXISTS (SELECT FROM crm_stage_standing)")
        if cursor.fetchone()[0]:
            cursor.execute("TRUNCATE crm_stage_move, crm_stage_standing")
        return
    for table in ("crm_stage_move", "crm_stage_standing"):
        cursor.execute(f"DELETE FROM {table} WHERE {members.condition('member_id')}", members.values)


def staged_ids(cursor: CursorWrapper) -> list[int]:
    """Who is staged to move, ascending."""
    cursor.execute("SELECT member_id FROM crm_stage_move ORDER BY member_id")
    return [member_id for (member_id,) in cursor.fetchall()]


def _moves(scheme: Scheme, values: Values) -> str:
    metrics = scheme.metrics()
    return f"""
    INSERT INTO crm_stage_move
    SELECT d.member_id, d.grant_id, d.as_of, d.outcome, d.target,
           nullif(CASE d.mark WHEN 'keep' THEN d.keep_from ELSE d.reach_from END, '-infinity'),
           least(d.counted_until, CASE d.mark WHEN 'keep' THEN d.keep_until ELSE d.reach_until END),
           CASE WHEN d.outcome = 'resumed' THEN CASE WHEN d.resumable THEN d.replaced_ends_at END
                WHEN d.target > 0 THEN d.term_ends_at END,
           d.new_restart_at,
           d.outcome = 'resumed' AND d.resumable AND coalesce(d.replaced_locked, FALSE),
           CASE WHEN d.outcome = 'resumed' AND d.resumable THEN d.replaced_source ELSE 'system' END,
           CASE WHEN d.outcome = 'renewal' THEN d.ends_at ELSE d.claim_until END,
           CASE WHEN d.outcome = 'resumed' THEN '{{}}'::jsonb ELSE jsonb_build_object(
               'scheme', {values.add(scheme.version, "integer")},
               'asked', {_asked(scheme, values)},
               'figures', CASE d.mark WHEN 'keep' THEN {figures_json_sql(metrics, "keep", "d")}
                               ELSE {figures_json_sql(metrics, "reach", "d")} END
           ) END
      FROM decided AS d
     WHERE d.outcome IS NOT NULL
    RETURNING member_id""".replace("{{}}", "{}")


def _asked(scheme: Scheme, values: Values) -> str:
    """The mark that a decision was about: to reach the new tier, or to keep the one that is held."""
    cases = [
        f"WHEN d.mark = '{kind}' AND {rank} = {rung.rank} THEN {values.add(json.dumps(mark.as_json()), 'jsonb')}"
        for rung in scheme.rungs
        for kind, rank, mark in (("reach", "d.target", rung.reach), ("keep", "d.judged_rank", rung.keep))
    ]
    return f"CASE {' '.join(cases)} END" if cases else "NULL::jsonb"


_STANDINGS = """
INSERT INTO crm_stage_standing
SELECT d.member_id, d.next_rank, d.next_share, d.keep_share, d.keep_due_at,
       CASE WHEN d.new_order THEN d.order_at ELSE ts.seen_order_at END
  FROM decided AS d
  LEFT JOIN crm_tierstanding AS ts ON ts.member_id = d.member_id
 WHERE ts.member_id IS NULL
    OR (d.next_rank, d.next_share, d.keep_share, d.keep_due_at)
       IS DISTINCT FROM (ts.next_rank, ts.next_share, ts.keep_share, ts.keep_due_at)
    OR d.new_order
"""
