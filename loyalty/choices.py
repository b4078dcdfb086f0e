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
