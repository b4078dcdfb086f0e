"""Why a buyer does not get a coupon, in sentences that say what he can do."""

from datetime import datetime

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from redemption.refusals import BeginsLater, EndedBefore, NeedsPoints, NeedsTier, Refused, in_words


class PlanNotOffered(Refused):
    code = "plan_not_offered"
    text = gettext_lazy("This offer has ended. Your points are untouched.")


class DenominationNotOffered(Refused):
    code = "denomination_not_offered"
    text = gettext_lazy("A coupon of this value is no longer offered. Your points are untouched.")


class PriceChanged(Refused):
    """The plan asks for another number of points than the page that the buyer agreed to."""

    code = "price_changed"
    text = gettext_lazy("The price of this coupon has changed since you opened the page. Please look at it again.")


class PageTooOld(Refused):
    code = "page_too_old"
    text = gettext_lazy("This page was open for more than a day. Please check the coupon once more and confirm again.")


class WrongToken(Refused):
    """The form is not one of ours, or was made for another member or another coupon."""

    code = "wrong_token"
    text = gettext_lazy("This form was made for another buyer or another coupon. Please choose the coupon again.")


class NoCodeLeft(Refused):
    """The pool of the platform's codes holds none of this value."""

    code = "no_code"
    text = gettext_lazy("All coupons of this value have been given out for now. Your points are untouched.")


class NotYet(BeginsLater):
    text = gettext_lazy("This coupon can be taken from %(when)s.")


class NoLonger(EndedBefore, PlanNotOffered):
    """The offer of the plan is over."""


class TierTooLow(NeedsTier):
    text = gettext_lazy("This coupon is for members from the tier %(tier)s up.")


class BudgetSpent(Refused):
    """What the plan may still give out, ``left`` yuan, is less than was asked for."""

    code = "budget_spent"

    def __init__(self, left: int) -> None:
        super().__init__(left)
        self.left = left

    def message(self) -> str:
        if self.left <= 0:
            return _("All coupons of this offer have been given out. Your points are untouched.")
        return _("Only ¥%(left)s of this offer are left. Please choose a smaller coupon.") % {"left": f"{self.left:,}"}


class LimitReached(Refused):
    """The member has had ``had`` of the ``most`` coupons that one member may have ``which``: day, special, window or
    ever. ``again_at`` is when he may have another one, None when never, or nobody knows."""

    code = "limit"

    def __init__(self, which: str, had: int, most: int, again_at: datetime | None) -> None:
        super().__init__(which, had, most, again_at)
        self.which = which
        self.had = had
        self.most = most
        self.again_at = again_at

    def message(self) -> str:
        figures = {"had": self.had, "most": self.most, "when": in_words(self.again_at)}
        match self.which:
            case "day":
                words = ngettext(
                    "You may have only %(most)s coupon a day and have had %(had)s. Again from %(when)s.",
                    "You have had %(had)s of the %(most)s coupons that you may have today. Again from %(when)s.",
                    self.most,
                )
            case "special":
                words = ngettext(
                    "You may have only %(most)s coupon at this special price and have had %(had)s. "
                    "From %(when)s they cost the usual points again.",
                    "You have had %(had)s of the %(most)s coupons that you may have at this special price. "
                    "From %(when)s they cost the usual points again.",
                    self.most,
                )
            case "window":
                words = ngettext(
                    "You may have only %(most)s coupon of this offer and have had %(had)s.",
                    "You have had %(had)s of the %(most)s coupons that you may have of this offer.",
                    self.most,
                )
            case _other:
                words = ngettext(
                    "One member may have only %(most)s coupon, and you have had %(had)s.",
                    "You have had %(had)s of the %(most)s coupons that one member may have.",
                    self.most,
                )
        return words % figures


class NotEnoughPoints(NeedsPoints):
    code = "not_enough_points"

    def message(self) -> str:
        return ngettext(
            "You need %(missing)s more point for this coupon.",
            "You need %(missing)s more points for this coupon.",
            self.missing,
        ) % {"missing": f"{self.missing:,}"}
