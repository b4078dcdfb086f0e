"""How far a member is from a tier, and what he waits for once he is there. Pure: figures in, lines out."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import Enum
from zoneinfo import ZoneInfo

from crm.choices import Climb, Effect, Fall, GrantSource, KeepCheck, Taking
from crm.tiers.decide import Holding, Standing, reached
from crm.tiers.metrics import Metric, find_metric
from crm.tiers.scheme import Figures, Mark, Scheme, Threshold
from crm.tiers.windows import term_end


@dataclass(frozen=True, slots=True)
class WayLine:
    """One threshold on the way: what was counted (never below zero), what is asked for, and what is missing of it;
    nothing is missing when it is met. ``share`` is between 0 and 1."""

    metric: Metric
    figure: Decimal
    asked: Decimal
    missing: Decimal
    share: Decimal

    @property
    def met(self) -> bool:
        """Whether the threshold is met."""
        return not self.missing


@dataclass(frozen=True, slots=True)
class Way:
    """How far a mark is: each of its thresholds, of which any one or all are needed."""

    lines: tuple[WayLine, ...] = ()
    any_of: bool = False
    met: bool = False

    @property
    def missing(self) -> tuple[WayLine, ...]:
        """The thresholds that something is still missing from; none when the mark is met."""
        return () if self.met else tuple(line for line in self.lines if not line.met)


class Waits(Enum):
    """What a member who has come up to a tier waits for until it is his."""

    ORDER = "order"  # His next successful order.
    DAY = "day"  # The next review day.
    NIGHT = "night"  # The next look at everybody.
    MORE = "more"  # He did not take it in time; whatever counts next opens it anew.


@dataclass(frozen=True, slots=True)
class Outlook:
    """What lies ahead of a member. ``reached`` is the rank that he has come up to and neither holds nor may claim yet,
    and ``waits`` what for; ``next_rank`` the one that ``way`` leads to, above everything that he has come up to; and
    ``keep`` what he needs to keep what he holds, where that is looked at."""

    reached: int = 0
    waits: Waits | None = None
    next_rank: int = 0
    way: Way | None = None
    keep: Way | None = None


def way_to(mark: Mark, figures: Figures) -> Way:
    """Say how far a mark is. Raises LookupError for a metric that nobody counts."""
    lines = tuple(_line(threshold, figures) for threshold in mark.thresholds)
    return Way(lines, mark.any_of, mark.is_met(figures))


def outlook(scheme: Scheme, standing: Standing) -> Outlook:
    """Say what lies ahead of a member by the rules. Nothing does while his tier is locked."""
    holding = standing.holding
    if holding is not None and holding.locked:
        return Outlook()
    came_to = reached(scheme, standing.rank, standing.reach)
    waits = _waits(scheme, standing, came_to) if came_to > max(standing.rank, standing.offered) else None
    highest = max(came_to, standing.offered)
    ahead = next((rung for rung in scheme.rungs if rung.rank > highest), None)
    if scheme.climb == Climb.ONE and highest > standing.rank:
        ahead = None  # Its counters begin when the one before it is his.
    return Outlook(
        reached=came_to if waits else 0,
        waits=waits,
        next_rank=ahead.rank if ahead else 0,
        way=way_to(ahead.reach, standing.reach) if ahead else None,
        keep=_keep(scheme, standing),
    )


def end_of_term(scheme: Scheme | None, holding: Holding, zone: ZoneInfo) -> datetime | None:
    """When what is held ends. A tier without end, held since before the scheme gave tiers a term, has one that begins
    with the scheme; ``crm.tiers.statements.end_of_grant`` says the same in SQL."""
    if holding.ends_at is not None or scheme is None:
        return holding.ends_at
    if scheme.validity_months is None or scheme.effective_from is None or holding.rank == 0:
        return None
    if holding.by_hand or holding.locked or holding.begins_at >= scheme.effective_from:
        return None
    return term_end(scheme.effective_from, scheme.validity_months, zone)


def _line(threshold: Threshold, figures: Figures) -> WayLine:
    metric = find_metric(threshold.metric)
    figure = max(figures.get(threshold.metric, Decimal(0)), Decimal(0))
    missing = Decimal(0)
    if not threshold.is_met(figures):
        missing = threshold.at_least - figure
        if threshold.strict:
            missing += Decimal(1).scaleb(-metric.places)
    return WayLine(metric, figure, threshold.at_least, missing, threshold.share_rounded_down(figures))


def _waits(scheme: Scheme, standing: Standing, rank: int) -> Waits:
    if scheme.effect == Effect.NEXT_ORDER:
        return Waits.ORDER
    if scheme.effect == Effect.REVIEW_DAY:
        return Waits.DAY
    if scheme.taking == Taking.CLAIM and standing.missed >= rank:
        return Waits.MORE
    return Waits.NIGHT


def _keep(scheme: Scheme, standing: Standing) -> Way | None:
    holding = standing.holding
    if holding is None or holding.source == GrantSource.MANUAL or scheme.fall == Fall.KEEP:
        return None
    rung = scheme.rung(holding.rank)
    if rung is None or (holding.ends_at is None and scheme.keep_check == KeepCheck.AT_END):
        return None
    return way_to(rung.keep, standing.keep)
