"""What outstanding points will cost the shop: the figure a bookkeeper asks for at the end of a day.

    liability (yuan) = max(closing, 0) (points) x cost of a point (yuan a point) x (1 - expected breakage)

Expected breakage is the share of points that members let lapse. It is worked out from the shop's own history:

    expected breakage = expired (points) / accrued (points)

over the last twelve full cohorts. A cohort is what became available in one month of the programme's calendar and has a
validity; it is full when the validity of all its lots has ended. Accrued are its points without those taken back, for
those were never the member's to spend; expired are its points that lapsed unspent. While no cohort is full the share is
0, which states the liability in full.

This is the proportional method for rights that customers are expected not to use: IFRS 15, B44 to B47, and article 39
of the Chinese standard on revenue (企业会计准则第14号——收入). Points as an option of the customer are B39 to B43 and
article 35 there.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal

from django.db import connection, transaction
from django.db.models import Max

from loyalty.models import LiabilityRate
from loyalty.validity import programme_zone

COHORTS = 12
DEFAULT_COST_PER_POINT = Decimal("0.10")  # 10 points make a yuan, as in the coupons a shop starts with.
_FEN = Decimal("0.01")
_TEN_THOUSANDTH = Decimal("0.0001")


@dataclass(frozen=True, slots=True)
class Cost:
    """What a point costs, in yuan, and by which published version (0: nothing was published yet)."""

    version: int
    per_point: Decimal


@dataclass(frozen=True, slots=True)
class Cohorts:
    """Points of full cohorts: what members had to spend, and what of it lapsed."""

    accrued: int
    expired: int


def yuan_to_fen_half_up(amount: Decimal) -> Decimal:
    """Round an amount in yuan to whole fen, half a fen up."""
    return amount.quantize(_FEN, ROUND_HALF_UP)


def share_to_four_places_down(part: int, whole: int) -> Decimal:
    """The share ``part / whole`` with four places, the rest cut off: it states more liability. 0 of nothing."""
    if whole <= 0:
        return Decimal("0.0000")
    return (Decimal(part) / Decimal(whole)).quantize(_TEN_THOUSANDTH, ROUND_DOWN)


def liability(closing: int, cost_per_point: Decimal, breakage: Decimal) -> Decimal:
    """What ``closing`` points will cost, in yuan. Points owed by members are no asset: below zero it is zero."""
    return yuan_to_fen_half_up(max(closing, 0) * cost_per_point * (1 - breakage))


def expected_breakage(cohorts: Cohorts) -> Decimal:
    """The share of points that lapse unspent, between 0 and 1."""
    return min(share_to_four_places_down(cohorts.expired, cohorts.accrued), Decimal("1.0000"))


def full_cohorts(at: datetime) -> Cohorts:
    """Add up the last twelve monthly cohorts whose validity had ended by ``at``. One pass over the lots, and one over
    the uses of those cohorts."""
    with connection.cursor() as cursor:
        cursor.execute(_FULL_COHORTS, {"at": at, "zone": str(programme_zone()), "cohorts": COHORTS})
        accrued, expired = cursor.fetchone()
    return Cohorts(accrued=accrued, expired=expired)


_FULL_COHORTS = """
    WITH cohort AS (
        SELECT date_trunc('month', l.available_at AT TIME ZONE %(zone)s) AS month, sum(l.points) AS points
          FROM loyalty_lot AS l
         WHERE NOT l.pending AND l.available_at IS NOT NULL AND l.expires_at IS NOT NULL AND l.available_at < %(at)s
         GROUP BY 1
        HAVING max(l.expires_at) <= %(at)s
         ORDER BY 1 DESC
         LIMIT %(cohorts)s
    ), used AS (
        -- Taking back draws on lots as spending does; a reversal that brings points is an undone purchase.
        SELECT coalesce(sum(u.points) FILTER (WHERE e.kind = 'expiry'), 0) AS expired,
               coalesce(sum(u.points) FILTER (WHERE e.kind = 'reversal' AND e.points + e.pending < 0), 0) AS reversed
          FROM loyalty_lot AS l
          JOIN loyalty_lotuse AS u ON u.lot_id = l.id
          JOIN loyalty_entry AS e ON e.id = u.entry_id
         WHERE l.expires_at IS NOT NULL AND NOT l.pending
           AND e.recorded_at < %(at)s AND e.kind IN ('expiry', 'reversal')
           AND date_trunc('month', l.available_at AT TIME ZONE %(zone)s) IN (SELECT month FROM cohort)
    )
    SELECT (coalesce((SELECT sum(points) FROM cohort), 0) - used.reversed)::bigint, used.expired::bigint FROM used
"""


def cost_on(at: datetime) -> Cost:
    """The published cost of a point in force at ``at``; ten points for a yuan while nothing was published."""
    rate = LiabilityRate.objects.filter(effective_from__lte=at).order_by("-effective_from", "-version").first()
    if rate is None:
        return Cost(version=0, per_point=DEFAULT_COST_PER_POINT)
    return Cost(version=rate.version, per_point=rate.cost_per_point)


def publish_cost(
    cost_per_point: Decimal, *, effective_from: datetime, at: datetime, actor_id: int | None, reason: str
) -> LiabilityRate:
    """Publish what a point costs from ``effective_from`` on, in yuan. Days that are closed keep their figure.

    Raises ValueError for a cost below zero or no reason.
    """
    if cost_per_point < 0 or not reason.strip():
        raise ValueError("the cost of a point needs a figure that is not negative, and a reason")
    with transaction.atomic():
        latest = LiabilityRate.objects.aggregate(latest=Max("version"))["latest"] or 0
        return LiabilityRate.objects.create(
            version=latest + 1,
            cost_per_point=cost_per_point,
            effective_from=effective_from,
            published_at=at,
            published_by_id=actor_id,
            reason=reason,
        )
