"""How long points are valid."""

from datetime import date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from django.conf import settings


def programme_zone() -> ZoneInfo:
    """The time zone in which a day of the programme begins and ends."""
    return ZoneInfo(settings.PROGRAMME_TIME_ZONE)


def validity_end(at: datetime) -> datetime:
    """The first instant at which points accrued at ``at`` are no longer valid: a year later, the last day whole.

    Points of 8 July 2017 can be spent through 8 July 2018. A year after 29 February ends with 28 February.
    """
    zone = programme_zone()
    return _end(at.astimezone(zone).date(), zone)


@lru_cache(maxsize=4096)  # A batch of orders has some thousand instants on a few hundred days.
def _end(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(_a_year_after(day) + timedelta(days=1), time.min, tzinfo=zone)


def _a_year_after(day: date) -> date:
    try:
        return day.replace(year=day.year + 1)
    except ValueError:
        return day.replace(year=day.year + 1, day=28)
