"""What becomes of members, as SQL: the outcome, where it leads, and what belongs to it."""

from zoneinfo import ZoneInfo

from django.conf import settings

from crm.choices import Effect, Fall, KeepCheck, Restart, Taking
from crm.tiers.figures_sql import days_later_sql, term_end_sql
from crm.tiers.looks import Parts, case_sql
from crm.tiers.windows import next_review_day


def decided_sql(parts: Parts) -> str:
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


def _outcome_at_end(parts: Parts) -> str:
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
    return case_sql(cases, "'down'")


def _outcome(parts: Parts) -> str:
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
    return case_sql(cases, "NULL")


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


def _restart(parts: Parts) -> str:
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


def _keep_due(parts: Parts) -> str:
    """When it is next looked at whether the member keeps what he holds, as far as a day can be named."""
    if parts.scheme.keep_check != KeepCheck.REVIEW_DAY:
        return "CASE WHEN o.judged_rank > 0 THEN o.ends_at END"
    zone = ZoneInfo(settings.PROGRAMME_TIME_ZONE)
    day = parts.values.add(next_review_day(parts.scheme.review_months, parts.look.at, zone), "timestamptz")
    return f"CASE WHEN o.judged_rank > 0 THEN least(o.ends_at, {day}) END"
