"""What a buyer can turn points into at a given moment, and what his points are worth there."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_DOWN, Decimal

from django.db.models import Q, QuerySet

from redemption.models import CouponPlan, Denomination


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

    def missing(self, funds: int) -> int:
        """Return how many points somebody with ``funds`` still has to earn; 0 when he can afford it.

        Funds are what he can spend, or what he owes as a negative number: a debt is settled before anything is spent.
        """
        return max(0, self.points - funds)


def current_offers(at: datetime) -> list[Offer]:
    """Return everything offered at this moment, cheapest first. One query."""
    rows = Denomination.objects.filter(_offered(at)).select_related("plan")
    return sorted(map(_offer, rows), key=lambda offer: (offer.points, -offer.yuan, offer.plan_id))


def shelf(offers: Iterable[Offer], funds: int) -> list[tuple[Offer, int]]:
    """Return the offers with the points missing for each: the best that can be afforded first, then the nearest."""
    priced = [(offer, offer.missing(funds)) for offer in offers]
    return sorted(priced, key=lambda pair: (pair[1], -pair[0].yuan, pair[0].points))


def find_offer(plan_id: int, yuan: int, at: datetime) -> Offer | None:
    """Return the coupon of this plan and value if it is offered at this moment."""
    rows = Denomination.objects.filter(_offered(at), plan_id=plan_id, yuan=yuan).select_related("plan")
    return next(map(_offer, rows), None)


def is_plan_offered(plan_id: int, at: datetime) -> bool:
    """Say whether the plan offers anything at this moment."""
    return _plans(at).filter(pk=plan_id).exists()


def worth_rounded_down(points: int, offers: Iterable[Offer]) -> Decimal | None:
    """Return what ``points`` buy at the best of the offers, in yuan and whole fen; None without offers.

    Less than nothing is worth nothing.
    """
    best = min((offer.points_per_yuan for offer in offers), default=None)
    if best is None:
        return None
    return (Decimal(max(points, 0)) / best).quantize(Decimal("0.01"), rounding=ROUND_DOWN)


def _plans(at: datetime) -> QuerySet[CouponPlan]:
    begun = Q(starts_at=None) | Q(starts_at__lte=at)
    not_over = Q(ends_at=None) | Q(ends_at__gt=at)
    return CouponPlan.objects.filter(begun, not_over, active=True)


def _offered(at: datetime) -> Q:
    return Q(plan__in=_plans(at))


def _offer(row: Denomination) -> Offer:
    plan = row.plan
    return Offer(
        plan_id=plan.pk,
        plan_name=plan.name,
        terms=plan.description,
        yuan=row.yuan,
        points=row.yuan * plan.points_per_yuan,
        points_per_yuan=plan.points_per_yuan,
        validity_days=plan.validity_days,
        ends_at=plan.ends_at,
    )
