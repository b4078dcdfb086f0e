"""Days of the programme: over which time figures are counted, until when a tier is held, when review days are. Pure.

Every function takes an instant ``until`` before which things count, so that midnight belongs to the day that ends with
it: at the first instant of April the present quarter is the one of January to March. ``crm.tiers.statements`` says the
same in SQL, for a million members at a time; a test holds the two against each other.
"""

from calendar import monthrange
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from crm.choices import WindowKind

_TICK = timedelta(microseconds=1)
PERIODS = (1, 3, 6, 12)  # months


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of time that ends now: ``length`` days, calendar months, or a calendar period of so many months."""

    kind: WindowKind = WindowKind.ALL_TIME
    length: int = 0


def window_start(window: Window, until: datetime, zone: ZoneInfo) -> datetime | None:
    """The first instant that counts for figures ``until`` an instant; None when everything before it counts."""
    day = _day_before(until, zone)
    match window.kind:
        case WindowKind.ALL_TIME:
            return None
        case WindowKind.DAYS:
            first = day - timedelta(days=window.length - 1)
        case WindowKind.MONTHS:
            first = months_later(day.replace(day=1), 1 - window.length)
        case WindowKind.PERIOD:
            first = date(day.year, (day.month - 1) // window.length * window.length + 1, 1)
    return midnight(first, zone)


def term_end(begins_at: datetime, months: int, zone: ZoneInfo) -> datetime:
    """When a term that begins then ends: the same day so many months later is its last, and counts whole.

    A term that begins at midnight follows one that ended with the day before, and ends with that day again.
    """
    return midnight(months_later(_day_before(begins_at, zone), months) + timedelta(days=1), zone)


def days_later(at: datetime, days: int, zone: ZoneInfo) -> datetime:
    """The end of the day so many days after the one of ``at``."""
    return midnight(at.astimezone(zone).date() + timedelta(days=days + 1), zone)


def review_days(months: int, after: datetime, until: datetime, zone: ZoneInfo) -> list[datetime]:
    """The review days later than ``after`` and not later than ``until``, ``months`` (1, 3, 6) apart."""
    day = after.astimezone(zone).date()
    first = date(day.year, (day.month - 1) // months * months + 1, 1)
    days = []
    while (instant := midnight(first, zone)) <= until:
        if instant > after:
            days.append(instant)
        first = months_later(first, months)
    return days


def next_review_day(months: int, after: datetime, zone: ZoneInfo) -> datetime:
    """The first review day later than ``after``."""
    day = after.astimezone(zone).date()
    first = date(day.year, (day.month - 1) // months * months + 1, 1)
    return midnight(months_later(first, months), zone)


def months_later(day: date, months: int) -> date:
    """The same day so many months later, or the last one of a month that is shorter."""
    years, month = divmod(day.month - 1 + months, 12)
    year = day.year + years
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def midnight(day: date, zone: ZoneInfo) -> datetime:
    """The first instant of a day."""
    return datetime.combine(day, time.min, tzinfo=zone)


def _day_before(until: datetime, zone: ZoneInfo) -> date:
    return (until - _TICK).astimezone(zone).date()
