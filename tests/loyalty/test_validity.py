"""Points are good for a year, and the last day counts whole, in the programme's time zone."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from pytest_django import Settings

from loyalty.validity import programme_zone, validity_end
from tests.cast import SHANGHAI


@pytest.mark.parametrize(
    ("earned", "first_invalid_moment"),
    [
        (datetime(2017, 7, 8, 15, 30, tzinfo=SHANGHAI), datetime(2018, 7, 9, tzinfo=SHANGHAI)),
        (datetime(2026, 3, 10, 0, 0, tzinfo=SHANGHAI), datetime(2027, 3, 11, tzinfo=SHANGHAI)),
        (datetime(2026, 3, 10, 23, 59, 59, 999999, tzinfo=SHANGHAI), datetime(2027, 3, 11, tzinfo=SHANGHAI)),
        (datetime(2025, 12, 31, 12, 0, tzinfo=SHANGHAI), datetime(2027, 1, 1, tzinfo=SHANGHAI)),
        # Leap days: a year after 29 February is 28 February, and a year after 28 February 2023 is not the 29th.
        (datetime(2024, 2, 29, 12, 0, tzinfo=SHANGHAI), datetime(2025, 3, 1, tzinfo=SHANGHAI)),
        (datetime(2023, 2, 28, 12, 0, tzinfo=SHANGHAI), datetime(2024, 2, 29, tzinfo=SHANGHAI)),
        (datetime(2023, 3, 1, 12, 0, tzinfo=SHANGHAI), datetime(2024, 3, 2, tzinfo=SHANGHAI)),
    ],
)
def test_the_last_day_a_year_later_counts_whole(earned: datetime, first_invalid_moment: datetime) -> None:
    assert validity_end(earned) == first_invalid_moment


def test_the_day_is_that_of_the_programme_and_not_of_utc() -> None:
    """16:00 in UTC is midnight in Shanghai: a moment earlier is still the day before."""
    before_midnight = datetime(2026, 3, 9, 15, 59, 59, tzinfo=UTC)
    midnight = datetime(2026, 3, 9, 16, 0, tzinfo=UTC)

    assert validity_end(before_midnight) == datetime(2027, 3, 9, 16, 0, tzinfo=UTC)
    assert validity_end(midnight) == datetime(2027, 3, 10, 16, 0, tzinfo=UTC)


def test_another_programme_may_live_in_another_zone(settings: Settings) -> None:
    settings.PROGRAMME_TIME_ZONE = "Europe/London"
    london = ZoneInfo("Europe/London")

    assert programme_zone() == london
    # Earned in winter time, lapsing in summer time: midnight is midnight on either clock.
    end = validity_end(datetime(2025, 3, 29, 12, 0, tzinfo=london))
    assert end == datetime(2026, 3, 30, 0, 0, tzinfo=london)
    assert end.astimezone(UTC).hour == 23
