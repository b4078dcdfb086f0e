"""The stable words of the points floor. Values are stored; labels are what people see."""

from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy


class EntryKind(models.TextChoices):
    """Why points moved. Each kind has one counter-account, so the journal is double-entry by construction."""

    ACCRUAL = "accrual", _("Earned")
    OPENING = "opening", _("Carried over")
    MATURATION = "maturation", _("Became available")
    BURN = "burn", _("Spent")
    HOLD = "hold", _("Set aside")
    CAPTURE = "capture", _("Set-aside points spent")
    RELEASE = "release", _("Set-aside points given back")
    EXPIRY = "expiry", pgettext_lazy("journal entry", "Expired")
    ADJUSTMENT = "adjustment", _("Adjusted by the shop")
    REVERSAL = "reversal", _("Taken back")


class ValidityKind(models.TextChoices):
    """How the end of points' validity is found."""

    PER_LOT_DAYS = "per_lot_days", _("A number of days from each accrual")
    PER_LOT_MONTHS = "per_lot_months", _("A number of months from each accrual")
    ACCOUNT_RENEWAL = "account_renewal", _("A number of months from the member's last purchase")
    YEAR_END = "year_end", _("A fixed day of the year")
    NEVER = "never", _("No end")


class ExistingPoints(models.TextChoices):
    """What a new validity policy does to points that members have already."""

    NEW_POINTS_ONLY = "new_points_only", _("Keep what was promised: the policy counts for new points only")
    LENGTHEN_EXISTING = "lengthen_existing", _("Lengthen existing points where the policy is better for the member")
    APPLY_TO_ALL = "apply_to_all", _("Apply it to all points, also where that shortens what was promised")


class RenewalReason(models.TextChoices):
    """Why the validity of a lot changed after it had been promised."""

    PURCHASE = "purchase", _("A purchase renewed the whole account")
    PARTIAL_RETURN = "partial_return", _("A part of the order was returned")
    REVIVAL = "revival", _("Points came back after their validity had ended")
    POLICY = "policy", _("The validity policy was changed")
    PAST_PURCHASE = "past_purchase", _("Points of past orders count from the day of their import")


class RuleSetState(models.TextChoices):
    """Whether a set of rules can still be changed."""

    DRAFT = "draft", _("Draft")
    PUBLISHED = "published", _("Published")


class BacktestState(models.TextChoices):
    """How far a trial of rules on past orders is."""

    QUEUED = "queued", _("Waiting for a worker")
    RUNNING = "running", pgettext_lazy("backtest", "Running")
    DONE = "done", pgettext_lazy("backtest", "Done")
    FAILED = "failed", pgettext_lazy("backtest", "Failed")
    CANCELLED = "cancelled", pgettext_lazy("backtest", "Cancelled")


class ReferralState(models.TextChoices):
    """Whether a promoter earns by the buyer he brought."""

    COUNTING = "counting", _("Counts")
    REVIEW = "review", _("Waiting for review")
    REFUSED = "refused", _("Refused by the rules")
    REJECTED = "rejected", _("Rejected by staff")
