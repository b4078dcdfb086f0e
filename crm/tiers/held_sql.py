"""What members hold, and at which instant each is looked at over which windows, as SQL."""

from zoneinfo import ZoneInfo

from django.conf import settings

from crm.choices import Effect, KeepCheck
from crm.tiers.decide import Occasion
from crm.tiers.figures_sql import Values, window_start_sql
from crm.tiers.looks import Parts
from crm.tiers.metrics import ORDER_COUNT, sources_of
from crm.tiers.scheme import Scheme
from crm.tiers.windows import term_end


def held_sql(parts: Parts) -> str:
    """The grant that each member got last, with the end that the scheme gives to those that have none.

    Both grants are looked up one member at a time: the planner would else read the whole history of the shop for each
    chunk of members.
    """
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
      LEFT JOIN LATERAL (
           SELECT * FROM crm_tiergrant AS y WHERE y.id = g.replaced_id AND g.source = 'manual' LIMIT 1
      ) AS r ON TRUE
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


def scope_sql(parts: Parts) -> str:
    """One row for each member to be decided on, with what is counted when."""
    at = parts.values.add(parts.look.at, "timestamptz")
    base = f"""
        SELECT h.*, d.as_of, {_order_columns(parts)}
          FROM {_looked_at(parts, at)} {_latest_order(parts)}
         WHERE {_chosen(parts, at)}"""
    return f"""
    SELECT b.*, {_window_columns(parts)}
      FROM (SELECT j.*, {_judged_columns(parts)}, {_until_columns(parts)} FROM ({base}) AS j) AS b"""


def _looked_at(parts: Parts, at: str) -> str:
    """The members ``h`` and the instants ``d.as_of`` at which they are looked at."""
    if parts.at_end:
        return "held AS h CROSS JOIN LATERAL (SELECT h.ends_at AS as_of) AS d"
    return f"""(
                SELECT {_live_columns()}
                  FROM held AS l CROSS JOIN LATERAL (SELECT l.ends_at IS NULL OR l.ends_at > {at} AS live) AS e
          ) AS h CROSS JOIN LATERAL (SELECT {at} AS as_of) AS d"""


def _chosen(parts: Parts, at: str) -> str:
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


def _order_columns(parts: Parts) -> str:
    """The latest successful order, and whether it is a new one under this scheme."""
    if not parts.scheme.looks_at_orders:
        return "NULL::timestamptz AS order_at, FALSE AS new_order"
    since = "'-infinity'::timestamptz"
    if parts.scheme.effective_from is not None:
        since = parts.values.add(parts.scheme.effective_from, "timestamptz")
    return f"""c.order_at, coalesce(
               c.order_at >= {since} AND c.order_at > coalesce(st.seen_order_at, '-infinity'), FALSE
           ) AS new_order"""


def _latest_order(parts: Parts) -> str:
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


def _judged_columns(parts: Parts) -> str:
    """The tier that is judged, and from when on its holder's counters count: at the end of a tier given by hand, those
    of the one that it replaced."""
    if not parts.at_end:
        return "j.rank AS judged_rank, coalesce(j.restart_at, '-infinity') AS counters_from"
    return """CASE WHEN j.source = 'manual' THEN j.replaced_rank ELSE j.rank END AS judged_rank,
           coalesce(CASE WHEN j.source = 'manual' THEN j.replaced_restart_at ELSE j.restart_at END, '-infinity')
           AS counters_from"""


def _until_columns(parts: Parts) -> str:
    """Until when is counted: with what happens at this very instant, or up to the latest order where orders decide.
    Terms and review days look at what was before them."""
    if not parts.now:
        return "j.as_of AS reach_until, j.as_of AS keep_until"
    order, now = (f"coalesce({at}, '-infinity') + interval '1 microsecond'" for at in ("j.order_at", "j.as_of"))
    reach = order if parts.scheme.effect == Effect.NEXT_ORDER else now
    keep = order if parts.scheme.keep_check == KeepCheck.NEXT_ORDER else now
    return f"{reach} AS reach_until, {keep} AS keep_until"


def _window_columns(parts: Parts) -> str:
    reach = window_start_sql(parts.scheme.reach_window, "b.reach_until")
    keep = window_start_sql(parts.scheme.keep_window, "b.keep_until")
    return f"greatest({reach}, b.counters_from) AS reach_from, greatest({keep}, b.counters_from) AS keep_from"
