"""What the buyer's pages say when a tier could not be taken."""

from collections.abc import Mapping
from types import MappingProxyType

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy

from crm.api import ClaimRefusal

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
