"""The stable words of rewards and redemptions. Values are stored; labels are what people see."""

from enum import StrEnum

from django.db import models
from django.utils.translation import pgettext_lazy


class RewardKind(models.TextChoices):
    """What the buyer gets. Only goods are sent; only digital goods have a pool of codes."""

    GOODS = "goods", pgettext_lazy("kind of a reward", "Goods, sent by parcel")
    DIGITAL = "digital", pgettext_lazy("kind of a reward", "Digital good, a code from a pool")
    TICKET = "ticket", pgettext_lazy("kind of a reward", "Ticket, shown on the spot")
    DONATION = "donation", pgettext_lazy("kind of a reward", "Donation")


class Visibility(models.TextChoices):
    """What members see of a reward whose conditions (tier, tags) they do not meet."""

    VISIBLE = "visible", pgettext_lazy("who sees a reward", "Everybody sees it")
    TEASER = "teaser", pgettext_lazy("who sees a reward", "Others see its name and picture, not its price")
    HIDDEN = "hidden", pgettext_lazy("who sees a reward", "Others do not see it")


class Sight(StrEnum):
    """How much of something a member is shown: all, the name and for whom it is, or nothing."""

    WHOLE = "whole"
    TEASER = "teaser"
    NOTHING = "nothing"


class RedemptionState(models.TextChoices):
    """The life of a redemption; ``redemption/rewards/life.py`` says which state may follow which."""

    PLACED = "placed", pgettext_lazy("state of a redemption", "Placed")
    AWAITING = "awaiting", pgettext_lazy("state of a redemption", "Waiting for payment")
    CONFIRMED = "confirmed", pgettext_lazy("state of a redemption", "Confirmed")
    SHIPPED = "shipped", pgettext_lazy("state of a redemption", "Shipped")
    RECEIVED = "received", pgettext_lazy("state of a redemption", "Received")
    CANCELLED = "cancelled", pgettext_lazy("state of a redemption", "Cancelled")
    RETURNED = "returned", pgettext_lazy("state of a redemption", "Returned")


class PaidBy(models.TextChoices):
    """Who told us that the cash part of a redemption is paid."""

    STAFF = "staff", pgettext_lazy("who reported a payment", "Marked by staff")
    ORDER = "order", pgettext_lazy("who reported a payment", "An imported order")
    CALL = "call", pgettext_lazy("who reported a payment", "A payment call")


class FitsNothing(models.TextChoices):
    """Why a payment call was signed and in time, and all the same belongs to nothing that we know."""

    UNREADABLE = "unreadable", pgettext_lazy("a payment call", "It could not be read")
    BAD_REDEMPTION = "bad_redemption", pgettext_lazy("a payment call", "It names no redemption")
    BAD_PAYMENT = "bad_payment", pgettext_lazy("a payment call", "It has no name of its own")
    BAD_AMOUNT = "bad_amount", pgettext_lazy("a payment call", "Its amount is none")
    UNKNOWN_REDEMPTION = "unknown_redemption", pgettext_lazy("a payment call", "No redemption has this number")
    NO_CASH = "no_cash", pgettext_lazy("a payment call", "The redemption costs points only")
    CONFLICT = "conflict", pgettext_lazy("a payment call", "Its name was used for another payment")
