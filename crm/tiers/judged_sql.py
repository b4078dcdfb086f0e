"""What members have reached, whether they keep what they hold, and how near they are, as SQL."""

from crm.choices import Climb, Fall, Taking
from crm.tiers.figures_sql import mark_sql, share_sql
from crm.tiers.looks import Parts, case_sql
from crm.tiers.scheme import Rung


def judged_sql(parts: Parts) -> str:
    offers = "0 AS offered, 0 AS missed"
    joins = parts.figures.joins
    if parts.scheme.taking == Taking.CLAIM:
        offers = "coalesce(offer.rank, 0) AS offered, coalesce(missed.rank, 0) AS missed"
        joins += f"""
  LEFT JOIN LATERAL (
      SELECT ot.rank FROM crm_tieroffer AS o JOIN crm_tier AS ot ON ot.id = o.tier_id
       WHERE o.member_id = s.member_id AND o.state = 'open' AND o.until > s.as_of
  ) AS offer ON TRUE
  LEFT JOIN LATERAL (
      SELECT max(ot.rank) AS rank FROM crm_tieroffer AS o JOIN crm_tier AS ot ON ot.id = o.tier_id
       WHERE o.member_id = s.member_id AND o.state = 'lapsed' AND o.kind = 'up'
         AND o.closed_at >= {parts.figures.last_at}
  ) AS missed ON TRUE"""
    figures = "".join(
        f", {parts.figures.column(window, code)} AS {window}_{code}"
        for window in ("reach", "keep")
        for code in parts.scheme.metrics()
    )
    return f"""
    SELECT s.*, {_reached(parts)} AS reached, {_kept(parts)} AS kept, {_lower(parts)} AS lower, {offers},
           {_shares(parts)}, {parts.figures.last_at} AS last_at{figures}
      FROM scope AS s
  {joins}"""


def _reached(parts: Parts) -> str:
    """``crm.tiers.decide.reached`` as an expression."""
    rank = "s.judged_rank"
    if parts.scheme.climb == Climb.ONE:
        cases = [
            f"WHEN {rank} < {rung.rank} THEN CASE WHEN {_mark(parts, rung, 'reach')} THEN {rung.rank} ELSE {rank} END"
            for rung in parts.scheme.rungs
        ]
    else:
        cases = [
            f"WHEN {rank} < {rung.rank} AND {_mark(parts, rung, 'reach')} THEN {rung.rank}"
            for rung in reversed(parts.scheme.rungs)
        ]
    return case_sql(cases, rank)


def _kept(parts: Parts) -> str:
    """``crm.tiers.decide.is_kept`` as an expression."""
    cases = [f"WHEN s.judged_rank = {r.rank} THEN {_mark(parts, r, 'keep')}" for r in parts.scheme.rungs]
    return case_sql(cases, "TRUE")


def _lower(parts: Parts) -> str:
    """``crm.tiers.decide.lower_rank`` as an expression."""
    cases = []
    for rung in reversed(parts.scheme.rungs):
        enough = "" if parts.scheme.fall == Fall.ONE_DOWN else f" AND {_mark(parts, rung, 'keep')}"
        cases.append(f"WHEN s.judged_rank > {rung.rank}{enough} THEN {rung.rank}")
    return case_sql(cases, "0")


def _shares(parts: Parts) -> str:
    """How near the next rung is, and how near to being kept the one that is held."""
    rungs = parts.scheme.rungs
    following = case_sql([f"WHEN s.judged_rank < {rung.rank} THEN {rung.rank}" for rung in rungs], "NULL::int")
    near = [
        f"WHEN s.judged_rank < {rung.rank} THEN {share_sql(rung.reach, 'reach', parts.figures, parts.values)}"
        for rung in rungs
    ]
    kept = [
        f"WHEN s.judged_rank = {rung.rank} THEN {share_sql(rung.keep, 'keep', parts.figures, parts.values)}"
        for rung in rungs
    ]
    return f"""{following} AS next_rank, {case_sql(near, "NULL")}::numeric(5, 4) AS next_share,
           {case_sql(kept, "NULL")}::numeric(5, 4) AS keep_share"""


def _mark(parts: Parts, rung: Rung, window: str) -> str:
    return mark_sql(rung.reach if window == "reach" else rung.keep, window, parts.figures, parts.values)
