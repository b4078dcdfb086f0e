"""Tiers in words on the buyer's pages: figures with their units, last days, and why a tier could not be taken."""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from types import MappingProxyType

from django.utils.formats import number_format
from django.utils.functional import Promise
from django.utils.translation import gettext, gettext_lazy, ngettext, pgettext

from crm.api import ClaimRefusal, Metric, Way
from loyalty import api as loyalty

_TICK = timedelta(microseconds=1)

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


def amount_in_words(figure: Decimal, metric: Metric) -> str:
    """A figure of a metric with its unit: "320 yuan", "1 order"."""
    whole = figure == figure.to_integral_value()
    number = number_format(figure, 0 if whole else metric.places, use_l10n=True, force_grouping=True)
    match metric.code:
        case "order_count":
            return ngettext("%(number)s order", "%(number)s orders", int(figure)) % {"number": number}
        case "points_earned":
            return ngettext("%(number)s point", "%(number)s points", int(figure)) % {"number": number}
    return gettext("%(number)s %(unit)s") % {"number": number, "unit": metric.unit}


def missing_in_words(way: Way) -> str:
    """What is missing on the way to a tier: "320 yuan or 1 order" where any is enough, else "320 yuan and 1 order"."""
    joint = pgettext("between two amounts", "or") if way.any_of else pgettext("between two amounts", "and")
    return f" {joint} ".join(amount_in_words(line.missing, line.metric) for line in way.missing)


def last_day(end: datetime) -> date:
    """The last day of something that ends at an instant, by the programme's calendar."""
    return (end - _TICK).astimezone(loyalty.programme_zone()).date()
