"""What a plan gives away: how much a yuan of coupon costs in sales, at what sales earn now."""

from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_DOWN, ROUND_UP, Decimal

from django.conf import settings
from django.utils.translation import gettext as _

from loyalty import api as loyalty
from redemption.models import CouponPlan

_HUNDRED = 100


@dataclass(frozen=True, slots=True)
class Cost:
    """At ``ratio`` points for one yuan a yuan of coupon is earned by ``sales`` yuan; coupons then are ``percent`` of
    sales, and ``highest`` of those orders that earn most. ``sales`` is None where sales earn nothing."""

    ratio: int
    sales: Decimal | None
    percent: Decimal
    highest: Decimal

    def above(self, margin: Decimal) -> bool:
        """Whether more than the margin, in percent, is given away to anybody."""
        return max(self.percent, self.highest) > margin


def cost_at(ratio: int, rates: loyalty.EarnedRates) -> Cost:
    """Work out what a ratio costs. Pure."""
    return Cost(
        ratio,
        sales=_yuan_down(Decimal(ratio * _HUNDRED) / rates.usual) if rates.usual else None,
        percent=_percent_up(Decimal(rates.usual) / ratio),
        highest=_percent_up(rates.highest / ratio),
    )


def costs_in_words(plan: CouponPlan, at: datetime) -> list[tuple[str, bool]]:
    """Say what a plan costs, for its usual ratio and each special one that is not over; and whether that is above the
    margin that the shop set (``EARNING_WARNING_PERCENT``)."""
    rates = loyalty.earned_rates(at)
    margin: Decimal = settings.EARNING_WARNING_PERCENT
    specials = [window for window in plan.windows.all() if window.ends_at > at]
    ratios = [("", plan.points_per_yuan), *((window.name, window.points_per_yuan) for window in specials)]
    return [_in_words(name, cost_at(ratio, rates), margin) for name, ratio in ratios]


def _in_words(name: str, cost: Cost, margin: Decimal) -> tuple[str, bool]:
    figures = {
        "ratio": cost.ratio, "sales": cost.sales, "percent": cost.percent, "highest": cost.highest, "margin": margin,
    }  # fmt: skip
    if cost.sales is None:
        words = _("Orders earn no points by the rules in force, so they pay for no coupon.")
    else:
        words = (
            _(
                "At %(ratio)s points for one yuan, a yuan of coupon is earned by ¥%(sales)s of sales: "
                "%(percent)s%% of the price, and up to %(highest)s%% for the orders that earn most."
            )
            % figures
        )
    high = cost.above(margin)
    if high:
        words += " " + _("That is more than the margin of %(margin)s%% that you set.") % figures
    return (f"{name}: {words}" if name else words), high


def _yuan_down(value: Decimal) -> Decimal:
    """Sales that earn a yuan, rounded down to the fen."""
    return value.quantize(Decimal("0.01"), rounding=ROUND_DOWN)


def _percent_up(value: Decimal) -> Decimal:
    """A share in percent, rounded up to one place, so that it is never made to look smaller."""
    return value.quantize(Decimal("0.1"), rounding=ROUND_UP)
