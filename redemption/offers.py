"""What a buyer can turn points into at a given moment, and what his points are worth there."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_DOWN, Decimal
from typing import Any

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import F, OuterRef, Q, Subquery
from django.db.models.functions import JSONObject

from redemption.choices import CodeSource
from redemption.models import CouponPlan, Denomination, PlanWindow, PoolCode
from redemption.rewards.choices import Visibility


@dataclass(frozen=True, slots=True)
class Special:
    """That a plan asks for another ratio than usual, until ``ends_at``; ``usual`` is what one yuan costs otherwise."""

    name: str
    usual: int
    starts_at: datetime
    ends_at: datetime
    limit: int | None = None


@dataclass(frozen=True, slots=True)
class TierNeeded:
    """That a plan is for members of this tier and those above it."""

    rank: int
    name: str


@dataclass(frozen=True, slots=True)
class Span:
    """Any amount from ``least`` to ``most`` yuan in steps of ``step``."""

    least: int
    most: int
    step: int

    def __contains__(self, yuan: object) -> bool:
        return isinstance(yuan, int) and self.least <= yuan <= self.most and (yuan - self.least) % self.step == 0

    def best_down(self, funds: int, points_per_yuan: int) -> int | None:
        """Return the largest amount that ``funds`` points pay for, rounded down to a step; None if there is none."""
        affordable = min(self.most, max(funds, 0) // points_per_yuan)
        if affordable < self.least:
            return None
        return affordable - (affordable - self.least) % self.step


@dataclass(frozen=True, slots=True)
class Offer:
    """A coupon of ``yuan`` for ``points``, valid ``validity_days`` from the day it is taken."""

    plan_id: int
    plan_name: str
    terms: str
    yuan: int
    points: int
    points_per_yuan: int
    validity_days: int
    ends_at: datetime | None
    special: Special | None = None
    tier: TierNeeded | None = None

    @property
    def usual_points(self) -> int:
        """What it costs outside a special; the same as ``points`` where there is none."""
        return self.yuan * (self.special.usual if self.special else self.points_per_yuan)

    def missing(self, funds: int) -> int:
        """Return how many points somebody with ``funds`` still has to earn; 0 when he can afford it.

        Funds are what he can spend, or what he owes as a negative number: a debt is settled before anything is spent.
        """
        return max(0, self.points - funds)


@dataclass(frozen=True, slots=True)
class Limits:
    """How many coupons of a plan one member may have: a day, in its window, ever."""

    day: int | None = None
    window: int | None = None
    ever: int | None = None


@dataclass(frozen=True, slots=True)
class Terms:
    """What a plan offers at one moment. ``values`` are the denominations that can still be given out, ``offered`` all
    that it has; ``yuan_left`` and ``coupons_left`` are what is left of the budget (None: no end)."""

    plan_id: int
    name: str
    description: str
    points_per_yuan: int
    validity_days: int
    starts_at: datetime | None
    ends_at: datetime | None
    values: tuple[int, ...]
    span: Span | None
    special: Special | None
    tier: TierNeeded | None
    limits: Limits
    yuan_left: int | None
    coupons_left: int | None
    active: bool
    offered: tuple[int, ...]
    whole_span: Span | None
    visibility: Visibility

    @property
    def spent(self) -> bool:
        """Whether nothing of it can be given out any more."""
        return not self.values and self.span is None

    @property
    def seen_by_all(self) -> bool:
        """Whether somebody who stands on no rung sees it with its prices."""
        return self.tier is None or self.tier.rank <= 0 or self.visibility is Visibility.VISIBLE

    def offer(self, yuan: int) -> Offer | None:
        """Return the coupon of this value, if the plan offers it."""
        if yuan not in self.values and (self.span is None or yuan not in self.span):
            return None
        return Offer(
            plan_id=self.plan_id,
            plan_name=self.name,
            terms=self.description,
            yuan=yuan,
            points=yuan * self.points_per_yuan,
            points_per_yuan=self.points_per_yuan,
            validity_days=self.validity_days,
            ends_at=self.ends_at,
            special=self.special,
            tier=self.tier,
        )

    def offers(self) -> list[Offer]:
        """Return the coupons to choose from: the denominations, or where any amount may be taken the smallest."""
        values = self.values or ((self.span.least,) if self.span else ())
        return [offer for offer in map(self.offer, values) if offer]


def current_offers(at: datetime, *, rank: int | None = None) -> list[Offer]:
    """Return what is offered at this moment, cheapest first. One query.

    With a ``rank`` only what members who stand there may take; without one all that everybody may see.
    """
    terms = current_terms(at)
    return offers_of(terms if rank is not None else [one for one in terms if one.seen_by_all], rank=rank)


def offers_of(terms: Iterable[Terms], *, rank: int | None = None) -> list[Offer]:
    """Return the offers of plans, cheapest first; with a ``rank`` only what is for those who stand there."""
    theirs = [one for one in terms if rank is None or one.tier is None or one.tier.rank <= rank]
    offers = [offer for one in theirs for offer in one.offers()]
    return sorted(offers, key=lambda offer: (offer.points, -offer.yuan, offer.plan_id))


def shelf(offers: Iterable[Offer], funds: int) -> list[tuple[Offer, int]]:
    """Return the offers with the points missing for each: the best that can be afforded first, then the nearest."""
    priced = [(offer, offer.missing(funds)) for offer in offers]
    return sorted(priced, key=lambda pair: (pair[1], -pair[0].yuan, pair[0].points))


def of_several_plans(offers: Iterable[Offer]) -> bool:
    """Say whether offers have to be told apart by the names of their plans."""
    return len({offer.plan_id for offer in offers}) > 1


def worth_rounded_down(points: int, offers: Iterable[Offer]) -> Decimal | None:
    """Return what ``points`` buy at the best of the offers, in yuan and whole fen; None without offers.

    Less than nothing is worth nothing.
    """
    best = min((offer.points_per_yuan for offer in offers), default=None)
    if best is None:
        return None
    return (Decimal(max(points, 0)) / best).quantize(Decimal("0.01"), rounding=ROUND_DOWN)


def current_terms(at: datetime, *, plan_id: int | None = None, evenly: bool = False) -> list[Terms]:
    """Return what the plans in force offer at this moment, in their order. One query.

    ``evenly`` looks at a plan that is switched off or out of its window as if it were offered.
    """
    begun = Q(starts_at=None) | Q(starts_at__lte=at)
    not_over = Q(ends_at=None) | Q(ends_at__gt=at)
    plans = CouponPlan.objects.all() if evenly else CouponPlan.objects.filter(begun, not_over, active=True)
    if plan_id is not None:
        plans = plans.filter(pk=plan_id)
    waiting = PoolCode.objects.filter(Q(valid_until=None) | Q(valid_until__gt=at), plan=OuterRef("pk"), coupon=None)
    windows = PlanWindow.objects.filter(plan=OuterRef("pk"), starts_at__lte=at, ends_at__gt=at)
    window = JSONObject(
        name="name", points_per_yuan="points_per_yuan", starts_at="starts_at", ends_at="ends_at", limit="limit"
    )
    rows = plans.annotate(
        offered=ArraySubquery(Denomination.objects.filter(plan=OuterRef("pk")).order_by("yuan").values("yuan")),
        stocked=ArraySubquery(waiting.order_by().values("yuan").distinct()),
        window=Subquery(windows.order_by("-starts_at", "-pk").values(json=window)[:1]),
        given_coupons=F("use__coupons"),
        given_yuan=F("use__yuan"),
        tier_rank=F("min_tier__rank"),
        tier_name=F("min_tier__name"),
    )
    return [_terms(row) for row in rows.order_by("pk")]


def _terms(row: Any) -> Terms:
    """Read one annotated plan."""
    special = _special(row.window, row.points_per_yuan) if row.window else None
    yuan_left = None if row.budget_yuan is None else max(0, row.budget_yuan - row.given_yuan)
    coupons_left = None if row.budget_coupons is None else max(0, row.budget_coupons - row.given_coupons)
    most = 0 if coupons_left == 0 else yuan_left
    values = (yuan for yuan in row.offered if row.source != CodeSource.POOL or yuan in row.stocked)
    span = None if row.least_yuan is None else Span(row.least_yuan, row.most_yuan, row.step_yuan)
    return Terms(
        plan_id=row.pk,
        name=row.name,
        description=row.description,
        points_per_yuan=row.window["points_per_yuan"] if row.window else row.points_per_yuan,
        validity_days=row.validity_days,
        starts_at=row.starts_at,
        ends_at=row.ends_at,
        values=tuple(yuan for yuan in values if most is None or yuan <= most),
        span=_within_down(span, most),
        special=special,
        tier=None if row.tier_rank is None else TierNeeded(row.tier_rank, row.tier_name),
        limits=Limits(row.limit_day, row.limit_window, row.limit_ever),
        yuan_left=yuan_left,
        coupons_left=coupons_left,
        active=row.active,
        offered=tuple(row.offered),
        whole_span=span,
        visibility=Visibility(row.visibility),
    )


def _special(window: dict[str, Any], usual: int) -> Special:
    return Special(
        name=window["name"],
        usual=usual,
        starts_at=_instant(window["starts_at"]),
        ends_at=_instant(window["ends_at"]),
        limit=window["limit"],
    )


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _within_down(span: Span | None, most: int | None) -> Span | None:
    """Return the span as far as the budget allows, cut down to a step; None when nothing is left of it."""
    if span is None or most is None or most >= span.most:
        return span
    if most < span.least:
        return None
    return Span(span.least, most - (most - span.least) % span.step, span.step)
