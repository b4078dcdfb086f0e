"""What a tier scheme says, as data: which figures lead to which tier, and when members move. Pure.

A figure is what a metric has counted of a member over a window, net of what was refunded: yuan spent, orders, points
earned. Points mean points earned, never the balance: who spends his points stays what he is.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import ROUND_DOWN, Decimal
from typing import Any

from crm.choices import Climb, Effect, Fall, KeepCheck, RefundPolicy, Restart, Taking
from crm.tiers.windows import Window

Figures = Mapping[str, Decimal]

_FOUR_PLACES = Decimal("0.0001")
_ALMOST = Decimal("0.9999")


@dataclass(frozen=True, slots=True)
class Threshold:
    """That a metric comes to ``at_least`` so much, or to more than that where it is ``strict``."""

    metric: str
    at_least: Decimal
    strict: bool = False

    def is_met(self, figures: Figures) -> bool:
        """Whether the figures come to it; what was never counted is zero."""
        figure = figures.get(self.metric, Decimal(0))
        return figure > self.at_least if self.strict else figure >= self.at_least

    def share_rounded_down(self, figures: Figures) -> Decimal:
        """How much of it is there, between 0 and 1; 1 only when it is met."""
        if self.is_met(figures):
            return Decimal(1)
        figure = max(figures.get(self.metric, Decimal(0)), Decimal(0))
        if not self.at_least:
            return Decimal(0) if figure <= 0 else _ALMOST
        return min((figure / self.at_least).quantize(_FOUR_PLACES, ROUND_DOWN), _ALMOST)

    def as_json(self) -> dict[str, Any]:
        """As it stands in the database."""
        return {"metric": self.metric, "at_least": str(self.at_least), "strict": self.strict}


@dataclass(frozen=True, slots=True)
class Mark:
    """What is asked for: all thresholds, or any one of them."""

    thresholds: tuple[Threshold, ...] = ()
    any_of: bool = False

    def is_met(self, figures: Figures) -> bool:
        """Whether the figures meet it."""
        met = [threshold.is_met(figures) for threshold in self.thresholds]
        return any(met) if self.any_of else all(met)

    def share_rounded_down(self, figures: Figures) -> Decimal:
        """How near the figures come to it, between 0 and 1: the nearest of any, the farthest of all."""
        shares = [threshold.share_rounded_down(figures) for threshold in self.thresholds]
        return (max if self.any_of else min)(shares, default=Decimal(1))

    def as_json(self) -> dict[str, Any]:
        """For the figures of a grant."""
        return {"any": self.any_of, "thresholds": [threshold.as_json() for threshold in self.thresholds]}


def mark_from_json(thresholds: Sequence[Mapping[str, Any]], any_of: bool) -> Mark:
    """Read what ``Threshold.as_json`` wrote. Raises KeyError and decimal.InvalidOperation for anything else."""
    return Mark(
        tuple(
            Threshold(row["metric"], Decimal(str(row["at_least"])), bool(row.get("strict", False)))
            for row in thresholds
        ),
        any_of,
    )


@dataclass(frozen=True, slots=True)
class Rung:
    """A tier of the scheme, by its code and rank (above 0), with what is asked to ``reach`` and to ``keep`` it."""

    tier: str
    rank: int
    reach: Mark
    keep: Mark


@dataclass(frozen=True, slots=True)
class Scheme:
    """How members move between tiers.

    - ``rungs``: the tiers above the base, in ascending rank. A tier that is not among them is never given or taken.
    - ``taking``, ``effect``, ``climb``: whether a tier that is reached is given or offered for claiming; when; and
      whether a member may pass over rungs. With ``next_order`` figures are those at the member's latest successful
      order, and he moves only when there is a new one: changed thresholds touch nobody before that.
    - ``reach_window``, ``keep_window``: over which time is counted for rising and for keeping.
    - ``restart``: what was counted before the latest change (or term) counts no more.
    - ``validity_months``: how long a term is; None for tiers without end.
    - ``keep_check``, ``fall``: when it is looked at whether a member keeps his tier, and where he goes if not. Who
      meets what is asked gets another term, in a scheme of claims only if he claims it.
    - ``review_months``: how far review days are apart.
    - ``on_refund``: whether a tier stays, or is taken back, when a refund undoes what it was given for.
    - ``claim_days``: how long a tier that was reached can be claimed; ``renew_days``: how long before its end another
      term can be claimed.
    - ``success_after_days``: how many days after shipping an order has succeeded without confirmation (None: never).
    """

    version: int
    rungs: tuple[Rung, ...] = ()
    taking: Taking = Taking.SYSTEM
    effect: Effect = Effect.AT_ONCE
    climb: Climb = Climb.ANY
    reach_window: Window = field(default_factory=Window)
    keep_window: Window = field(default_factory=Window)
    restart: Restart = Restart.NEVER
    validity_months: int | None = None
    keep_check: KeepCheck = KeepCheck.AT_END
    fall: Fall = Fall.EARNED
    review_months: int = 3
    on_refund: RefundPolicy = RefundPolicy.KEEP
    claim_days: int = 30
    renew_days: int = 30
    success_after_days: int | None = 30
    currency: str = "CNY"
    effective_from: datetime | None = None
    id: int = 0

    def rung(self, rank: int) -> Rung | None:
        """The rung of a rank, None for the base and for tiers that are not of this scheme."""
        return next((rung for rung in self.rungs if rung.rank == rank), None)

    def metrics(self) -> tuple[str, ...]:
        """The metrics that any of its marks asks about, in the order of their names."""
        marks = [mark for rung in self.rungs for mark in (rung.reach, rung.keep)]
        return tuple(sorted({threshold.metric for mark in marks for threshold in mark.thresholds}))

    @property
    def looks_at_orders(self) -> bool:
        """Whether members move only with their successful orders, in one direction at least."""
        return self.effect == Effect.NEXT_ORDER or self.keep_check == KeepCheck.NEXT_ORDER

    @property
    def has_review_days(self) -> bool:
        """Whether members move on review days, in one direction at least."""
        return self.effect == Effect.REVIEW_DAY or self.keep_check == KeepCheck.REVIEW_DAY
