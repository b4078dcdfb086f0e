"""What the buyer's pages say when a tier was taken, or could not be."""

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType

from django.utils.formats import date_format
from django.utils.functional import Promise
from django.utils.translation import gettext, gettext_lazy

from crm.api import ClaimRefusal, last_day

_REFUSALS: Mapping[ClaimRefusal, Promise] = MappingProxyType(
    {
        ClaimRefusal.UNKNOWN: gettext_lazy("There is no such tier to take."),
        ClaimRefusal.TOO_LATE: gettext_lazy("The time to take this tier is over. You can reach it again."),
        ClaimRefusal.NO_LONGER_MET: gettext_lazy(
            "Money of your orders went back to you, and what is left is not enough for this tier any more."
        ),
        ClaimRefusal.OVERTAKEN: gettext_lazy("Your tier has changed since; this offer no longer counts."),
    }
)


def refusal_in_words(reason: ClaimRefusal) -> str:
    """Say why a tier could not be taken."""
    return str(_REFUSALS[reason])


def claimed_in_words(tier: str, *, granted_at: datetime, ends_at: datetime | None, at: datetime) -> str:
    """Say what came of taking a tier at a moment: it is his and until when, or it was his already."""
    if granted_at < at:
        return gettext("You had taken this tier already; it counted once.")
    if ends_at is None:
        return gettext("The tier “%(tier)s” is yours.") % {"tier": tier}
    said = {"tier": tier, "day": date_format(last_day(ends_at), "DATE_FORMAT")}
    return gettext("The tier “%(tier)s” is yours through %(day)s.") % said
