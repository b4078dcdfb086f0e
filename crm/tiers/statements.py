"""The decision of ``crm.tiers.decide`` as SQL, for any set of members at once.

``decision_sql`` makes a chain of common table expressions: ``held`` (what each member holds), ``scope`` (the instant
he is looked at, and his windows), sums of the metrics, ``judged`` (reached? kept? fallen to?) and ``decided`` (the
outcome). A property test holds the outcome against the pure decision.
"""

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db.backends.utils import CursorWrapper

from crm.choices import Climb, Effect, Fall, KeepCheck, Restart, Taking
from crm.tiers.decide import Occasion
from crm.tiers.figures_sql import (
    FigureColumns,
    Members,
    Values,
    base_values,
    days_later_sql,
    figure_columns,
    mark_sql,
    share_sql,
    term_end_sql,
    window_start_sql,
)
from crm.tiers.metrics import ORDER_COUNT, sources_of
from crm.tiers.scheme import Rung, Scheme
from crm.tiers.windows import next_review_day, term_end


@dataclass(frozen=True, slots=True)
class Look:
    """When and why members are looked at. On the occasion ``END`` each is looked at when his term ended, if that was
    from ``since`` on, before ``before``, and not after ``at``."""

    occasion: Occasion
    at: datetime
    since: datetime | None = None
    before: datetime | None = None


@dataclass(frozen=True, slots=True)
class Statement:
    """Common table expressions that end with ``decided``, and their parameters."""

    ctes: str
    values: Values


def decision_sql(scheme: Scheme, members: Members, look: Look) -> Statement:
    """Put the decision on these members together."""
    values = base_values(scheme, members)
    parts = _Parts(scheme, members, look, values, figure_columns(scheme.metrics(), ("reach", "keep"), members))
    ctes = f"""
WITH held AS ({_held(parts)}
), scope AS MATERIALIZED ({_scope(parts)}
){parts.figures.ctes}
, judged AS ({_judged(parts)}
), decided AS ({_decided(parts)}
)"""
    return Statement(ctes, values)


@dataclass(frozen=True, slots=True)
class _Parts:
    """What all parts of the statement are made from."""

    scheme: Scheme
    members: Members
    look: Look
    values: Values
    figures: FigureColumns

    @property
    def at_end(self) -> bool:
        return self.look.occasion is Occasion.END

    @property
    def now(self) -> bool:
        return self.look.occasion is Occasion.NOW


# --- what they hold ---------------------------------------------------------------------------------------------------


def _held(parts: _Parts) -> str:
    """The grant that each member got last, with the end that the scheme gives to those that have none."""
    return f"""
    SELECT m.id AS member_id, g.id AS grant_id, coalesce(t.rank, 0)::int AS rank, coalesce(g.source, '') AS source,
           coalesce(g.locked, FALSE) AS locked, g.begins_at, g.restart_at, {end_of_grant(parts.scheme, parts.values)}
           AS ends_at, r.id AS replaced_id, coalesce(rt.rank, 0)::int AS replaced_rank, r.source AS replaced_source,
           r.ends_at AS replaced_ends_at, r.restart_at AS replaced_restart_at, r.locked AS replaced_locked
      FROM {parts.members.rows}
      LEFT JOIN LATERAL (
           SELECT * FROM crm_tiergrant AS x WHERE x.member_id = m.id ORDER BY x.begins_at DESC, x.id DESC LIMIT 1
      ) AS g ON TRUE
      LEFT JOIN crm_tier AS t ON t.id = g.tier_id
      LEFT JOIN crm_tiergrant AS r ON r.id = g.replaced_id AND g.source = 'manual'
      LEFT JOIN crm_tier AS rt ON rt.id = r.tier_id"""


def end_of_grant(scheme: Scheme, values: Values) -> str:
    """When the grant ``g`` of tier ``t`` ends. One without end, made before the scheme gave tiers a term, gets a term
    that begins with the scheme; a tier given by hand, a locked one and the base stay without end."""
    if scheme.validity_months is None or scheme.effective_from is None:
        return "g.ends_at"
    zone = ZoneInfo(settings.PROGRAMME_TIME_ZONE)
    begun = values.add(scheme.effective_from, "timestamptz")
    end = values.add(term_end(scheme.effective_from, scheme.validity_months, zone), "timestamptz")
    may_end = f"g.begins_at < {begun} AND g.source <> 'manual' AND NOT g.locked AND t.rank > 0"
    return f"coalesce(g.ends_at, CASE WHEN {may_end} THEN {end} END)"


# --- when they are looked at, and over which windows ------------------------------------------------------------------


def _scope(parts: _Parts) -> str:
    """One row for each member to be decided on, with what is counted when."""
    at = parts.values.add(parts.look.at, "timestamptz")
    base = f"""
        SELECT h.*, d.as_of, {_order_columns(parts)}
          FROM {_looked_at(parts, at)} {_latest_order(parts)}
         WHERE {_chosen(parts, at)}"""
    return f"""
    SELECT b.*, {_window_columns(parts)}
      FROM (SELECT j.*, {_judged_columns(parts)}, {_until_columns(parts)} FROM ({base}) AS j) AS b"""


def _looked_at(parts: _Parts, at: str) -> str:
    """The members ``h`` and the instants ``d.as_of`` at which they are looked at."""
    if parts.at_end:
        return "held AS h CROSS JOIN LATERAL (SELECT h.ends_at AS as_of) AS d"
    return f"""(
                SELECT {_live_columns()}
                  FROM held AS l CROSS JOIN LATERAL (SELECT l.ends_at IS NULL OR l.ends_at > {at} AS live) AS e
          ) AS h CROSS JOIN LATERAL (SELECT {at} AS as_of) AS d"""


def _chosen(parts: _Parts, at: str) -> str:
    """Which members are decided on. Whoever has a grant that begins later is left alone, on a review day also whoever
    has moved on that very day."""
    look = parts.look
    if parts.at_end:
        begun = parts.values.add(look.since, "timestamptz") if look.since else "'-infinity'"
        over = parts.values.add(look.before, "timestamptz") if look.before else "'infinity'"
        return f"h.ends_at >= {begun} AND h.ends_at < {over} AND h.ends_at <= {at}"
    moved = "h.begins_at >= d.as_of OR h.locked" if look.occasion is Occasion.DAY else "h.begins_at > d.as_of"
    return f"({moved}) IS NOT TRUE"


def _live_columns() -> str:
    """What is held, for an instant other than its end: a grant that has run out is as good as none."""
    kept = ("grant_id", "begins_at", "restart_at", "ends_at", "replaced_id")
    live = ", ".join(f"CASE WHEN e.live THEN l.{name} END AS {name}" for name in kept)
    return f"""l.member_id, {live}, CASE WHEN e.live THEN l.rank ELSE 0 END AS rank,
                       CASE WHEN e.live THEN l.source ELSE '' END AS source, e.live AND l.locked AS locked,
                       l.replaced_rank, l.replaced_source, l.replaced_ends_at, l.replaced_restart_at,
                       l.replaced_locked"""


def _order_columns(parts: _Parts) -> str:
    """The latest successful order, and whether it is a new one under this scheme."""
    if not parts.scheme.looks_at_orders:
        return "NULL::timestamptz AS order_at, FALSE AS new_order"
    since = "'-infinity'::timestamptz"
    if parts.scheme.effective_from is not None:
        since = parts.values.add(parts.scheme.effective_from, "timestamptz")
    return f"""c.order_at, coalesce(
               c.order_at >= {since} AND c.order_at > coalesce(st.seen_order_at, '-infinity'), FALSE
           ) AS new_order"""


def _latest_order(parts: _Parts) -> str:
    if not parts.scheme.looks_at_orders:
        return ""
    [orders] = sources_of([ORDER_COUNT])
    rows = orders.rows.format(members=f"{orders.member} = h.member_id")
    before = "r.at <= d.as_of" if parts.now else "r.at < d.as_of"
    return f"""
          LEFT JOIN crm_tierstanding AS st ON st.member_id = h.member_id
          LEFT JOIN LATERAL (
              SELECT max(r.at) AS order_at FROM ({rows}) AS r WHERE r.order_count > 0 AND {before}
          ) AS c ON TRUE"""


def _judged_columns(parts: _Parts) -> str:
    """The tier that is judged, and from when on its holder's counters count: at the end of a tier given by hand, those
    of the one that it replaced."""
    if not parts.at_end:
        return "j.rank AS judged_rank, coalesce(j.restart_at, '-infinity') AS counters_from"
    return """CASE WHEN j.source = 'manual' THEN j.replaced_rank ELSE j.rank END AS judged_rank,
           coalesce(CASE WHEN j.source = 'manual' THEN j.replaced_restart_at ELSE j.restart_at END, '-infinity')
           AS counters_from"""


def _until_columns(parts: _Parts) -> str:
    """Until when is counted: with what happens at this very instant, or up to the latest order where orders decide.
    Terms and review days look at what was before them."""
    if not parts.now:
        return "j.as_of AS reach_until, j.as_of AS keep_until"
    order, now = (f"coalesce({at}, '-infinity') + interval '1 microsecond'" for at in ("j.order_at", "j.as_of"))
    reach = order if parts.scheme.effect == Effect.NEXT_ORDER else now
    keep = order if parts.scheme.keep_check == KeepCheck.NEXT_ORDER else now
    return f"{reach} AS reach_until, {keep} AS keep_until"


def _window_columns(parts: _Parts) -> str:
    reach = window_start_sql(parts.scheme.reach_window, "b.reach_until")
    keep = window_start_sql(parts.scheme.keep_window, "b.keep_until")
    return f"greatest({reach}, b.counters_from) AS reach_from, greatest({keep}, b.counters_from) AS keep_from"


# --- what they have reached, and what becomes of them -----------------------------------------------------------------


def _judged(parts: _Parts) -> str:
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


def _reached(parts: _Parts) -> str:
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
    return _case(cases, rank)


def _kept(parts: _Parts) -> str:
    """``crm.tiers.decide.is_kept`` as an expression."""
    cases = [f"WHEN s.judged_rank = {r.rank} THEN {_mark(parts, r, 'keep')}" for r in parts.scheme.rungs]
    return _case(cases, "TRUE")


def _lower(parts: _Parts) -> str:
    """``crm.tiers.decide.lower_rank`` as an expression."""
    cases = []
    for rung in reversed(parts.scheme.rungs):
        enough = "" if parts.scheme.fall == Fall.ONE_DOWN else f" AND {_mark(parts, rung, 'keep')}"
        cases.append(f"WHEN s.judged_rank > {rung.rank}{enough} THEN {rung.rank}")
    return _case(cases, "0")


def _shares(parts: _Parts) -> str:
    """How near the next rung is, and how near to being kept the one that is held."""
    rungs = parts.scheme.rungs
    following = _case([f"WHEN s.judged_rank < {rung.rank} THEN {rung.rank}" for rung in rungs], "NULL::int")
    near = [
        f"WHEN s.judged_rank < {rung.rank} THEN {share_sql(rung.reach, 'reach', parts.figures, parts.values)}"
        for rung in rungs
    ]
    kept = [
        f"WHEN s.judged_rank = {rung.rank} THEN {share_sql(rung.keep, 'keep', parts.figures, parts.values)}"
        for rung in rungs
    ]
    return f"""{following} AS next_rank, {_case(near, "NULL")}::numeric(5, 4) AS next_share,
           {_case(kept, "NULL")}::numeric(5, 4) AS keep_share"""


def _mark(parts: _Parts, rung: Rung, window: str) -> str:
    return mark_sql(rung.reach if window == "reach" else rung.keep, window, parts.figures, parts.values)


def _case(cases: list[str], otherwise: str) -> str:
    return f"CASE {' '.join(cases)} ELSE {otherwise} END" if cases else otherwise


def _decided(parts: _Parts) -> str:
    """The outcome of each member (NULL: he stays as he is), the rank that it leads to, and what belongs to it."""
    outcome = _outcome_at_end(parts) if parts.at_end else _outcome(parts)
    scheme = parts.scheme
    return f"""
    SELECT o.*,
           CASE o.outcome
               WHEN 'up' THEN o.reached WHEN 'offer' THEN o.reached WHEN 'down' THEN o.lower
               WHEN 'resumed' THEN CASE WHEN o.resumable THEN o.replaced_rank ELSE 0 END
               ELSE o.judged_rank
           END AS target,
           CASE WHEN o.outcome IN ('renewed', 'down', 'renewal') THEN 'keep' ELSE 'reach' END AS mark,
           {_restart(parts)} AS new_restart_at, {term_end_sql("o.as_of", scheme.validity_months)} AS term_ends_at,
           {days_later_sql("o.as_of", scheme.claim_days)} AS claim_until, {_keep_due(parts)} AS keep_due_at
      FROM (
          SELECT j.*, {outcome} AS outcome, {_RESUMABLE} AS resumable,
                 CASE WHEN j.last_at > '-infinity' THEN j.last_at + interval '1 microsecond' ELSE j.as_of END
                 AS counted_until
            FROM judged AS j
      ) AS o"""


_RESUMABLE = "(j.replaced_id IS NOT NULL AND (j.replaced_ends_at IS NULL OR j.replaced_ends_at > j.as_of))"


def _outcome_at_end(parts: _Parts) -> str:
    scheme = parts.scheme
    given = scheme.taking == Taking.SYSTEM
    cases = [
        f"""WHEN j.source = 'manual' AND (
                  j.replaced_id IS NULL OR {_RESUMABLE} OR j.replaced_source = 'manual'
              ) THEN 'resumed'"""
    ]
    if given and scheme.effect != Effect.REVIEW_DAY:
        due = "" if scheme.effect == Effect.AT_ONCE else " AND j.new_order"
        cases.append(f"WHEN j.reached > j.judged_rank{due} THEN 'up'")
    if scheme.fall == Fall.KEEP:
        cases.append("WHEN TRUE THEN 'renewed'")
    elif given:
        cases.append("WHEN j.kept THEN 'renewed'")
    return _case(cases, "'down'")


def _outcome(parts: _Parts) -> str:
    scheme, day = parts.scheme, not parts.now
    cases = ["WHEN j.locked THEN NULL"]
    if due := _due(scheme.effect == Effect.REVIEW_DAY, scheme.effect == Effect.NEXT_ORDER, day):
        if scheme.taking == Taking.SYSTEM:
            cases.append(f"WHEN {due} AND j.reached > j.judged_rank THEN 'up'")
        else:
            new = "j.reached > greatest(j.offered, j.missed)"
            cases.append(f"WHEN {due} AND j.reached > j.judged_rank AND {new} THEN 'offer'")
    checked = _due(
        scheme.keep_check == KeepCheck.REVIEW_DAY, scheme.keep_check == KeepCheck.NEXT_ORDER, day,
        otherwise=False,
    )  # fmt: skip
    if checked and scheme.fall != Fall.KEEP:
        cases.append(f"WHEN {checked} AND j.source <> 'manual' AND NOT j.kept THEN 'down'")
    if parts.now and scheme.taking == Taking.CLAIM and scheme.fall != Fall.KEEP:
        ranks = ", ".join(str(rung.rank) for rung in scheme.rungs) or "NULL"
        cases.append(
            f"""WHEN j.ends_at - j.as_of <= make_interval(days => {int(scheme.renew_days)}) AND j.offered = 0
                 AND j.source <> 'manual' AND j.judged_rank IN ({ranks}) AND j.kept THEN 'renewal'"""
        )
    return _case(cases, "NULL")


def _due(on_review_days: bool, with_orders: bool, day: bool, *, otherwise: bool = True) -> str:
    """When something is due on this occasion: "TRUE", the condition of a new order, or "" for never. ``otherwise`` says
    whether it is due whenever somebody looks, where it waits for neither."""
    if day:
        return "TRUE" if on_review_days else ""
    if on_review_days:
        return ""
    if with_orders:
        return "j.new_order"
    return "TRUE" if otherwise else ""


def _restart(parts: _Parts) -> str:
    """``crm.tiers.decide.counters_begin`` as an expression. A member who moves now begins anew after the last thing
    that was counted: what he did between that and this moment is not known yet, and shall count."""
    at = "o.counted_until" if parts.now else "o.as_of"
    match parts.scheme.restart:
        case Restart.NEVER:
            rule = "NULL::timestamptz"
        case Restart.CHANGE:
            rule = f"CASE WHEN o.outcome = 'renewed' THEN nullif(o.counters_from, '-infinity') ELSE {at} END"
        case Restart.TERM:
            rule = at
    return f"CASE WHEN o.outcome = 'resumed' THEN o.replaced_restart_at ELSE {rule} END"


def _keep_due(parts: _Parts) -> str:
    """When it is next looked at whether the member keeps what he holds, as far as a day can be named."""
    if parts.scheme.keep_check != KeepCheck.REVIEW_DAY:
        return "CASE WHEN o.judged_rank > 0 THEN o.ends_at END"
    zone = ZoneInfo(settings.PROGRAMME_TIME_ZONE)
    day = parts.values.add(next_review_day(parts.scheme.review_months, parts.look.at, zone), "timestamptz")
    return f"CASE WHEN o.judged_rank > 0 THEN least(o.ends_at, {day}) END"


# --- whose terms have ended -------------------------------------------------------------------------------------------


def ended_members(
    cursor: CursorWrapper, scheme: Scheme, members: Members, since: datetime, until: datetime
) -> list[tuple[int, datetime]]:
    """Which of these members hold nothing since a term of theirs ended, from ``since`` on and up to ``until``, and
    when it ended. ``scheme`` gives ends to grants that have none."""
    values = base_values(scheme, members)
    parts = _Parts(scheme, members, Look(Occasion.END, until), values, figure_columns((), (), members))
    cursor.execute(
        f"""WITH held AS ({_held(parts)})
        SELECT h.member_id, h.ends_at FROM held AS h
         WHERE h.ends_at >= {values.add(since, "timestamptz")} AND h.ends_at <= {values.add(until, "timestamptz")}
         ORDER BY h.member_id""",
        values.named,
    )
    return [(member_id, end) for member_id, end in cursor.fetchall()]
