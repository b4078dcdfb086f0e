"""Plain values out of what forms and JSON hold. Each raises ``Unreadable`` with words for the person who wrote it."""

from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

from django.utils.translation import gettext as _

from loyalty.earning import calendar


class Unreadable(ValueError):
    """A value that is of no use at all; the message is for the person who entered it."""


def plain(value: Decimal) -> str:
    """A decimal as people write it: 1.50 is "1.5", 2.00 is "2"."""
    whole = value.to_integral_value()
    return str(int(whole)) if whole == value else str(value.normalize())


def read_whole(value: Any) -> int:
    """A whole number."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str):
        try:
            return int(value)
        except ValueError:
            pass
    raise Unreadable(_("This is no whole number."))


def read_decimal(value: Any) -> Decimal:
    """An exact number; floats are refused, for they bring fractions that nobody wrote."""
    if isinstance(value, str | int | Decimal) and not isinstance(value, bool):
        try:
            number = Decimal(value)
        except InvalidOperation:
            pass
        else:
            if number.is_finite() and abs(number.adjusted()) < 20:
                return number
    raise Unreadable(_("This is no number."))


def read_word(value: Any) -> str:
    """A text."""
    if isinstance(value, str):
        return value
    raise Unreadable(_("This is no text."))


def read_items(value: Any) -> Sequence[Any]:
    """A list."""
    if isinstance(value, Sequence) and not isinstance(value, str):
        return value
    raise Unreadable(_("This is no list."))


def read_pair(value: Any) -> tuple[Any, Any]:
    """A list of two."""
    items = read_items(value)
    if len(items) != 2:
        raise Unreadable(_("Two values belong here."))
    return items[0], items[1]


def read_object(value: Any) -> Mapping[str, Any]:
    """Values by their names."""
    if isinstance(value, Mapping):
        return value
    raise Unreadable(_("A value for each name belongs here."))


def read_window(value: Any) -> calendar.Window:
    """A window of days, or the name of a festival."""
    if isinstance(value, str) and value in calendar.FESTIVALS:
        return calendar.FESTIVALS[value][1]
    try:
        return calendar.window_from_json(read_object(value))
    except (KeyError, TypeError, ValueError):
        raise Unreadable(_("This is no window of days.")) from None


def read_minutes(value: Any) -> int:
    """Minutes since midnight of a time of day such as 20:00."""
    hours, _colon, minutes = read_word(value).partition(":")
    if not (hours.isdecimal() and minutes.isdecimal() and int(minutes) < 60):
        raise Unreadable(_("A time of day looks like 20:00."))
    return int(hours) * 60 + int(minutes)
