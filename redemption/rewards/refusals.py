"""Why a buyer does not get a reward, in sentences that say what he can do."""

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from redemption.refusals import BeginsLater, EndedBefore, NeedsPoints, NeedsTier, Refused


class RewardRefused(Refused):
    """Nothing was redeemed, and no points were touched."""


class RewardGone(RewardRefused):
    code = "gone"
    text = gettext_lazy("This reward is no longer offered. Your points are untouched.")


class WrongWish(RewardRefused):
    """The form is not one of ours, or was made for another member or another reward."""

    code = "wrong_token"
    text = gettext_lazy("This form was made for another buyer or another reward. Please open the reward again.")


class WishTooOld(RewardRefused):
    code = "page_too_old"
    text = gettext_lazy("This page was open for more than a day. Please look at the price once more and confirm again.")


class PriceChanged(RewardRefused):
    """The reward costs something else than the page said that the buyer agreed to."""

    code = "price_changed"
    text = gettext_lazy("The price has changed since you opened the page. Please look at it again and confirm.")


class NotForYou(RewardRefused):
    code = "not_for_you"
    text = gettext_lazy("This reward is for members whom the shop has chosen.")


class AddressMissing(RewardRefused):
    code = "address_missing"
    text = gettext_lazy("Please choose where the parcel shall go.")


class NotYet(BeginsLater, RewardRefused):
    text = gettext_lazy("This reward can be redeemed from %(when)s.")


class NoLonger(EndedBefore, RewardRefused):
    """The offer of the reward is over."""


class TierTooLow(NeedsTier, RewardRefused):
    text = gettext_lazy("This reward is for members from the tier %(tier)s up.")


class TooManyAtOnce(RewardRefused):
    """One redemption may be of at most ``most`` pieces."""

    code = "too_many"

    def __init__(self, most: int) -> None:
        super().__init__(most)
        self.most = most

    def message(self) -> str:
        return ngettext(
            "Only %(most)s piece can be redeemed at once.",
            "At most %(most)s pieces can be redeemed at once.",
            self.most,
        ) % {"most": self.most}


class SoldOut(RewardRefused):
    """There are fewer pieces than were asked for: ``left`` of them, as far as is known."""

    code = "sold_out"

    def __init__(self, left: int) -> None:
        super().__init__(left)
        self.left = left

    def message(self) -> str:
        if self.left <= 0:
            return _("This reward is sold out. Your points are untouched.")
        return ngettext(
            "Only %(left)s piece is left. Please choose fewer.",
            "Only %(left)s pieces are left. Please choose fewer.",
            self.left,
        ) % {"left": self.left}


class LimitReached(RewardRefused):
    """The member has had ``had`` of the ``most`` pieces that one member may have ``which``: day, window or ever."""

    code = "limit"

    def __init__(self, which: str, had: int, most: int) -> None:
        super().__init__(which, had, most)
        self.which = which
        self.had = had
        self.most = most

    def message(self) -> str:
        match self.which:
            case "day":
                words = ngettext(
                    "You may have only %(most)s piece a day and have had %(had)s. Come back tomorrow.",
                    "You have had %(had)s of the %(most)s pieces that you may have today. Come back tomorrow.",
                    self.most,
                )
            case "window":
                words = ngettext(
                    "You may have only %(most)s piece of this offer and have had %(had)s.",
                    "You have had %(had)s of the %(most)s pieces that you may have of this offer.",
                    self.most,
                )
            case _other:
                words = ngettext(
                    "One member may have only %(most)s piece, and you have had %(had)s.",
                    "You have had %(had)s of the %(most)s pieces that one member may have.",
                    self.most,
                )
        return words % {"had": self.had, "most": self.most}


class NotEnoughPoints(NeedsPoints, RewardRefused):
    code = "short"

    def message(self) -> str:
        return ngettext(
            "You need %(missing)s more point for this reward.",
            "You need %(missing)s more points for this reward.",
            self.missing,
        ) % {"missing": f"{self.missing:,}"}
