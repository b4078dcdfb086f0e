"""Tiers in words that staff and buyers read alike: figures with their units, what is missing, last days."""

from datetime import date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from django.conf import settings
from django.utils.formats import number_format
from django.utils.translation import gettext, ngettext, pgettext

from crm.tiers.metrics import Metric
from crm.tiers.progress import Way

_TICK = timedelta(microseconds=1)


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
    return (end - _TICK).astimezone(ZoneInfo(settings.PROGRAMME_TIME_ZONE)).date()
