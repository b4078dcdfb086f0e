"""What a member sees of his tier: what he holds, what he may claim, and how far the next one is.

Figures are those of this moment, while a review may look at an earlier one: what is shown as reached and not yet his
says what it waits for.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import connection

from crm.choices import GrantSource, OfferKind
from crm.models import Tier
from crm.tiers.claims import end_of_claimed_term
from crm.tiers.decide import Holding, Standing
from crm.tiers.figures_sql import Members, base_values, figure_columns, figures_json_sql
from crm.tiers.holding import GRANT_AT
from crm.tiers.progress import Outlook, Waits, Way, end_of_term, outlook, way_to
from crm.tiers.scheme import Scheme, mark_from_json
from crm.tiers.schemebook import scheme_at
from crm.tiers.windows import Window, next_review_day, window_start

_TICK = timedelta(microseconds=1)

# Every tier of the shop, with the grant by which ``%(member)s`` holds it at ``%(at)s``, the offer by which he may take
# it, and when an offer of it lapsed.
_LADDER = f"""
SELECT t.code, t.name, t.rank, t.discount_percent,
       g.begins_at, g.ends_at, g.source, g.locked, g.restart_at,
       o.id, o.kind, o.until, o.figures::text, s.validity_months,
       (SELECT max(p.closed_at) FROM crm_tieroffer AS p
         WHERE p.member_id = %(member)s AND p.tier_id = t.id AND p.state = 'lapsed' AND p.kind = 'up')
  FROM crm_tier AS t
  LEFT JOIN {GRANT_AT.format(member="%(member)s", instant="%(at)s::timestamptz")} AND g.tier_id = t.id
  LEFT JOIN crm_tieroffer AS o
    ON o.member_id = %(member)s AND o.tier_id = t.id AND o.state = 'open' AND o.until > %(at)s
  LEFT JOIN crm_tierscheme AS s ON s.id = o.scheme_id
 ORDER BY t.rank
"""


# SQL text: the same as one value, which ``tier_card_of`` reads.
_COLUMNS = (
    "code", "name", "rank", "percent", "begins_at", "ends_at", "source", "locked", "restart_at", "offer", "kind",
    "until", "figures", "months", "lapsed_at",
)  # fmt: skip
TIER_LADDER = f"""
(SELECT json_agg(json_build_array({", ".join(f"rung.{name}" for name in _COLUMNS)}) ORDER BY rung.rank)::text
   FROM ({_LADDER}) AS rung ({", ".join(_COLUMNS)}))
"""
_READERS: Mapping[str, Callable[[Any], Any]] = {
    "percent": Decimal,
    **dict.fromkeys(("begins_at", "ends_at", "restart_at", "until", "lapsed_at"), datetime.fromisoformat),
}


@dataclass(frozen=True, slots=True)
class LadderTier:
    """A tier of the shop as a member sees it. ``percent`` is what its members pay of the list price."""

    code: str
    name: str
    rank: int
    percent: Decimal


@dataclass(frozen=True, slots=True)
class ClaimableTier:
    """What a member may take until an instant, and what he has done for it. ``ends_at`` is when it would end were it
    taken now; None for a tier without end."""

    offer_id: int
    tier: LadderTier
    renewal: bool
    until: datetime
    ends_at: datetime | None
    way: Way


@dataclass(frozen=True, slots=True)
class TierCard:
    """Where a member stands. ``tier`` is what he holds, the base where he holds nothing; ``since`` and ``ends_at`` are
    its instants, None for the base and for a tier without end. ``next_tier`` is the one that ``way`` leads to,
    ``reached`` one that he has come up to and that ``waits`` for something, on a review day until ``review_at``."""

    ladder: tuple[LadderTier, ...]
    tier: LadderTier | None = None
    since: datetime | None = None
    ends_at: datetime | None = None
    by_hand: bool = False
    claimable: ClaimableTier | None = None
    reached: LadderTier | None = None
    waits: Waits | None = None
    review_at: datetime | None = None
    next_tier: LadderTier | None = None
    way: Way | None = None
    keep: Way | None = None

    @property
    def at_top(self) -> bool:
        """Whether there is no tier above the one that he holds."""
        return self.tier is not None and len(self.ladder) > 1 and self.tier == self.ladder[-1]


def ladder() -> tuple[LadderTier, ...]:
    """The tiers of the shop, lowest first; for those who are no members. One query."""
    rows = Tier.objects.order_by("rank").values_list("code", "name", "rank", "discount_percent")
    return tuple(LadderTier(*row) for row in rows)


def tier_card(member_id: int, at: datetime) -> TierCard:
    """Say where a member stands at an instant. Five queries, one where the shop has no tiers, two without a scheme."""
    with connection.cursor() as cursor:
        cursor.execute(_LADDER, {"member": member_id, "at": at})
        rows = cursor.fetchall()
    return _card(rows, member_id, at, scheme_at(at)) if rows else TierCard(())


def tier_card_of(value: str | None, member_id: int, at: datetime, scheme: Scheme | None) -> TierCard:
    """Read what ``TIER_LADDER`` found. One query more under a scheme with rungs, for how far the member has come."""
    rows = json.loads(value, parse_float=Decimal) if value else []
    return _card([_read_row(row) for row in rows], member_id, at, scheme) if rows else TierCard(())


def _card(rows: Sequence[Sequence[Any]], member_id: int, at: datetime, scheme: Scheme | None) -> TierCard:
    found = _find(rows, at)
    zone = ZoneInfo(settings.PROGRAMME_TIME_ZONE)
    holding = found.holding
    base = next((tier for tier in found.tiers.values() if tier.rank == 0), None)
    ahead = _ahead(member_id, scheme, found, at, zone) if scheme is not None and scheme.rungs else Outlook()
    return TierCard(
        ladder=tuple(found.tiers.values()),
        tier=found.tiers[holding.rank] if holding else base,
        since=holding.begins_at if holding and holding.rank else None,
        ends_at=end_of_term(scheme, holding, zone) if holding else None,
        by_hand=holding is not None and holding.by_hand,
        claimable=found.claimable,
        reached=found.tiers.get(ahead.reached) if ahead.reached else None,
        waits=ahead.waits,
        review_at=next_review_day(scheme.review_months, at, zone) if scheme and ahead.waits is Waits.DAY else None,
        next_tier=found.tiers.get(ahead.next_rank) if ahead.next_rank else None,
        way=ahead.way,
        keep=ahead.keep,
    )


def _read_row(row: Sequence[Any]) -> list[Any]:
    return [
        _READERS[name](value) if value is not None and name in _READERS else value
        for name, value in zip(_COLUMNS, row, strict=True)
    ]


@dataclass(slots=True)
class _Found:
    """The ladder by rank, with what the member has of it; ``lapsed`` says when which rank was not taken in time."""

    tiers: dict[int, LadderTier] = field(default_factory=dict)
    holding: Holding | None = None
    claimable: ClaimableTier | None = None
    lapsed: dict[int, datetime] = field(default_factory=dict)


def _find(rows: Sequence[Sequence[Any]], at: datetime) -> _Found:
    found = _Found()
    for code, name, rank, percent, *grant_and_offer in rows:
        begins_at, ends_at, source, locked, restart_at, *offer, lapsed_at = grant_and_offer
        tier = found.tiers[rank] = LadderTier(code, name, rank, percent)
        if begins_at is not None:
            found.holding = Holding(rank, begins_at, ends_at, GrantSource(source), locked, restart_at)
        if offer[0] is not None:
            found.claimable = _claimable(tier, offer, at)
        if lapsed_at is not None:
            found.lapsed[rank] = lapsed_at
    return found


def _claimable(tier: LadderTier, offer: Sequence[Any], at: datetime) -> ClaimableTier:
    offer_id, kind, until, figures, months = offer
    ends_at = end_of_claimed_term(OfferKind(kind), until, months, at)
    return ClaimableTier(offer_id, tier, kind == OfferKind.RENEWAL, until, ends_at, _proof(json.loads(figures)))


def _proof(done: Mapping[str, Any]) -> Way:
    """What was asked for, and what the member had come to, as an offer says; nothing where a metric is gone."""
    asked = done.get("asked")
    if not asked:
        return Way()
    mark = mark_from_json(asked["thresholds"], asked["any"])
    try:
        return way_to(mark, {code: Decimal(figure) for code, figure in done["figures"].items()})
    except LookupError:
        return Way()


def _ahead(member_id: int, scheme: Scheme, found: _Found, at: datetime, zone: ZoneInfo) -> Outlook:
    holding = found.holding
    restart_at = holding.restart_at if holding else None
    reach, keep, last_at = _figures(member_id, scheme, restart_at, at, zone)
    missed = [rank for rank, closed_at in found.lapsed.items() if last_at is None or closed_at >= last_at]
    offered = found.claimable.tier.rank if found.claimable else 0
    return outlook(scheme, Standing(holding, reach, keep, offered, max(missed, default=0)))


_Figures = dict[str, Decimal]


def _figures(
    member_id: int, scheme: Scheme, restart_at: datetime | None, at: datetime, zone: ZoneInfo
) -> tuple[_Figures, _Figures, datetime | None]:
    """What counts for rising and for keeping at an instant, and when something was last counted."""
    members = Members(ids=[member_id])
    values = base_values(scheme, members)
    until = at + _TICK
    instants = ", ".join(
        f"{values.add(_begin(window, restart_at, until, zone), 'timestamptz')} AS {name}_from,"
        f" {values.add(until, 'timestamptz')} AS {name}_until"
        for name, window in (("reach", scheme.reach_window), ("keep", scheme.keep_window))
    )
    metrics = scheme.metrics()
    sums = figure_columns(metrics, ("reach", "keep"), members)
    columns = "".join(f", {sums.column(name, code)} AS {name}_{code}" for name in ("reach", "keep") for code in metrics)
    as_of = values.add(at, "timestamptz")
    with connection.cursor() as cursor:
        cursor.execute(
            f"""WITH scope AS (SELECT m.id AS member_id, {as_of} AS as_of, {instants} FROM {members.rows})
            {sums.ctes}, counted AS (
                SELECT nullif({sums.last_at}, '-infinity') AS last_at{columns} FROM scope AS s {sums.joins}
            )
            SELECT {figures_json_sql(metrics, "reach", "c")}, {figures_json_sql(metrics, "keep", "c")}, c.last_at
              FROM counted AS c""",
            values.named,
        )
        reach, keep, last_at = cursor.fetchone()
    return _read(reach), _read(keep), last_at


def _begin(window: Window, restart_at: datetime | None, until: datetime, zone: ZoneInfo) -> str | datetime:
    starts = [start for start in (window_start(window, until, zone), restart_at) if start is not None]
    return max(starts) if starts else "-infinity"


def _read(figures: str) -> _Figures:
    return {code: Decimal(figure) for code, figure in json.loads(figures).items()}
