"""Moments as buyers read them; the admin keeps 2026-03-11 12:00."""

from datetime import datetime

from django.utils import formats, timezone
from django.utils.translation import gettext as _


def moment_in_words(at: datetime, day_format: str = "DATE_FORMAT") -> str:
    """Write a day as the language writes it, with the time: "March 11, 2026, 12:00", "2026年3月11日 12:00"."""
    local = timezone.localtime(at)
    return _("%(day)s, %(time)s") % {"day": formats.date_format(local, day_format), "time": local.strftime("%H:%M")}
