"""How figures are written on the buyer's pages. Chinese and English both group digits by three."""

import re
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django import template
from django.utils.timesince import TIME_STRINGS, timeuntil
from django.utils.translation import ngettext_lazy

from crm import api as crm
from crm.api import Metric, Way
from redemption.refusals import in_words, soon_in_words

register = template.Library()

_WHOLE = Decimal(100)
_MINUS = "\N{MINUS SIGN}"
# Django calls a day of the calendar (日) what here is a length of time (天).
_TIME_STRINGS: dict[str, Any] = {**TIME_STRINGS, "day": ngettext_lazy("%(num)d day", "%(num)d days", "num")}
_AFTER_FULL_WIDTH = re.compile(r"(?<=[。！？；：，、）」])\s+")


@register.filter
def number(value: int) -> str:
    """Write ``-12345`` as ``−12,345``."""
    return f"{value:,}".replace("-", _MINUS)


@register.filter
def signed(value: int) -> str:
    """Write a change of points with its sign: ``+120``, ``−50``, ``0``."""
    return f"{value:+,}".replace("-", _MINUS) if value else "0"


@register.filter
def yuan(value: int | Decimal) -> str:
    """Write an amount as ``¥1,280`` or ``¥12.80``: fen only where there are any."""
    amount = Decimal(value)
    return f"¥{amount:,.0f}" if amount == amount.to_integral_value() else f"¥{amount:,.2f}"


@register.filter
def money(value: Decimal, currency: str) -> str:
    """Write an amount of some currency: ``¥12.80``, ``12.80 USD``."""
    return yuan(value) if currency == "CNY" else f"{value:,.2f} {currency}"


@register.filter
def time_left(until: datetime, at: datetime) -> str:
    """Write how long there is until then in the largest unit: "4 days", "3 hours"."""
    return timeuntil(until, at, time_strings=_TIME_STRINGS, depth=1)


@register.filter
def moment(at: datetime | None) -> str:
    """Write a day with the time, as the refusals do: "March 11, 2026, 12:00"; nothing where there is none."""
    return in_words(at)


@register.filter
def soon(at: datetime, since: datetime) -> str:
    """Write a moment where there is little room, to somebody who is shown it from ``since`` on: "March 11, 12:00"."""
    return soon_in_words(at, since)


@register.filter
def together(title: str) -> str:
    """Keep "× 2" at the end of a title in one piece, and with the last word before it."""
    return title.replace(" × ", "\N{NO-BREAK SPACE}×\N{NO-BREAK SPACE}")


@register.filter(is_safe=True)
def close_up(text: str) -> str:
    """Take the spaces away after full-width punctuation: sentences of a template stand apart in English only."""
    return _AFTER_FULL_WIDTH.sub("", text)


@register.filter
def less(whole: int, part: int) -> int:
    """Return what is there of a whole that ``part`` is missing from; never below nothing."""
    return max(whole - part, 0)


@register.filter
def amount_of(figure: Decimal, metric: Metric) -> str:
    """Write a figure of a tier's threshold with its unit: "320 yuan"."""
    return crm.amount_in_words(figure, metric)


@register.filter
def missing(way: Way) -> str:
    """Write what is missing on the way to a tier: "320 yuan or 1 order", "320 yuan and 1 order"."""
    return crm.missing_in_words(way)


@register.filter
def price_words(percent: Decimal) -> str:
    """Write what one pays of the list price; nothing where that is all of it."""
    return crm.percent_in_words(percent) if percent != _WHOLE else ""


@register.filter
def last_day(end: datetime) -> date:
    """Return the last day of something that ends at an instant."""
    return crm.last_day(end)
