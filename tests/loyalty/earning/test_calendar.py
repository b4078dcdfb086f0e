"""Festivals and solar terms on their days."""

import csv
from datetime import date, timedelta
from pathlib import Path

import pytest

from loyalty.earning.calendar import (
    FESTIVALS,
    SOLAR_TERMS,
    DateWindow,
    LunarWindow,
    SolarTermWindow,
    Window,
    YearlyWindow,
    contains,
    lunar_date,
    membership,
    overlap,
    solar_term_date,
    window_from_json,
)

DATA = Path(__file__).resolve().parents[4] / "shared" / "data" / "calendar"
real = pytest.mark.skipif(not DATA.is_dir(), reason="the tables of calendar dates are not here")
NAMES = {
    "除夕": "new_years_eve", "春节": "spring_festival", "元宵节": "lantern", "情人节": "valentines_day",
    "妇女节/3.8": "womens_day", "520": "520", "618": "618", "端午节": "dragon_boat", "七夕节": "qixi",
    "中元节": "zhongyuan", "中秋节": "mid_autumn", "重阳节": "double_ninth", "双11": "double_11",
    "双12": "double_12", "圣诞节": "christmas", "腊八节": "laba",
}  # fmt: skip


def festival(name: str) -> Window:
    return FESTIVALS[name][1]


@pytest.mark.parametrize(
    ("name", "day"),
    [
        ("spring_festival", date(2026, 2, 17)), ("new_years_eve", date(2026, 2, 16)), ("lantern", date(2026, 3, 3)),
        ("dragon_boat", date(2026, 6, 19)), ("qixi", date(2026, 8, 19)), ("mid_autumn", date(2026, 9, 25)),
        ("double_11", date(2026, 11, 11)), ("qingming", date(2026, 4, 5)), ("winter_solstice", date(2026, 12, 22)),
        ("laba", date(2026, 1, 26)), ("spring_festival", date(2027, 2, 6)),
    ],
)  # fmt: skip
def test_a_festival_is_on_its_day_and_on_no_other_around(name: str, day: date) -> None:
    around = [day + timedelta(days=number) for number in range(-5, 6)]

    assert [each for each in around if contains(festival(name), each)] == [day]


def test_the_winter_solstice_is_the_one_of_the_year_and_not_of_the_year_before() -> None:
    assert solar_term_date(2024, "dongzhi") == date(2024, 12, 21)
    assert solar_term_date(2023, "dongzhi") == date(2023, 12, 22)


def test_a_window_may_reach_around_its_festival() -> None:
    week = LunarWindow(1, 1, first=-1, last=6)

    assert contains(week, date(2026, 2, 16))
    assert contains(week, date(2026, 2, 23))
    assert not contains(week, date(2026, 2, 24))


def test_a_yearly_window_may_span_new_year() -> None:
    turn = YearlyWindow((12, 30), (1, 2))

    assert [contains(turn, day) for day in (date(2025, 12, 29), date(2025, 12, 30), date(2026, 1, 2))] == [
        False, True, True,
    ]  # fmt: skip
    assert not contains(turn, date(2026, 1, 3))


def test_the_29_february_is_the_28th_where_there_is_none() -> None:
    leap_day = YearlyWindow((2, 29), (2, 29))

    assert contains(leap_day, date(2026, 2, 28))
    assert not contains(leap_day, date(2028, 2, 28))


def test_a_lunar_month_without_a_30th_ends_on_the_29th() -> None:
    assert lunar_date(2026, 12, 30) == lunar_date(2026, 12, 29) == date(2027, 2, 5)


def test_a_fixed_window_is_there_once() -> None:
    once = membership(DateWindow(date(2025, 12, 30), date(2027, 1, 2)))

    assert [once(date(year, 6, 1)) for year in (2025, 2026, 2027)] == [False, True, False]
    assert once(date(2026, 6, 1))


@pytest.mark.parametrize(
    ("one", "other", "day"),
    [
        (festival("double_11"), YearlyWindow((11, 1), (11, 11)), date(2020, 11, 11)),
        (festival("double_11"), festival("double_12"), None),
        (festival("mid_autumn"), festival("national_day"), date(2020, 10, 1)),
        (DateWindow(date(2026, 9, 1), date(2026, 9, 30)), festival("mid_autumn"), date(2026, 9, 25)),
        (festival("mid_autumn"), DateWindow(date(2026, 9, 26), date(2026, 9, 30)), None),
        (DateWindow(date(2025, 5, 1), date(2027, 5, 1)), YearlyWindow((12, 1), (12, 2)), date(2025, 12, 1)),
    ],
)
def test_the_first_day_on_which_two_windows_overlap(one: Window, other: Window, day: date | None) -> None:
    assert overlap(one, other) == day


@pytest.mark.parametrize(
    "window",
    [
        DateWindow(date(2026, 11, 1), date(2026, 11, 11)), YearlyWindow((2, 9), (12, 31)), LunarWindow(8, 15, -3, 3),
        SolarTermWindow("dongzhi", -1, 1), *(window for _label, window in FESTIVALS.values()),
    ],
)  # fmt: skip
def test_windows_come_back_from_json_and_are_right(window: Window) -> None:
    assert window_from_json(window.as_json()) == window
    assert window.problem() is None


@pytest.mark.parametrize(
    "window",
    [
        DateWindow(date(2026, 11, 11), date(2026, 11, 1)), DateWindow(date(1026, 1, 1), date(2026, 1, 1)),
        YearlyWindow((2, 30), (3, 1)), YearlyWindow((1, 1), (13, 1)), LunarWindow(13, 1), LunarWindow(1, 31),
        LunarWindow(1, 1, 2, 1), LunarWindow(1, 1, 0, 61), SolarTermWindow("new_year"),
        SolarTermWindow("dongzhi", 1, 0),
    ],
)  # fmt: skip
def test_a_window_that_cannot_be_says_why(window: Window) -> None:
    assert window.problem()


@real
def test_all_known_festivals_fall_on_their_days() -> None:
    with (DATA / "festivals.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))

    wrong = [row for row in rows if not contains(festival(NAMES[row["festival"]]), date.fromisoformat(row["date"]))]

    assert wrong == []
    assert len(rows) >= 80


@real
def test_all_known_solar_terms_fall_on_their_days() -> None:
    codes = {name: code for code, name in SOLAR_TERMS.items()} | {"冬至": "dongzhi"}
    with (DATA / "solar_terms_2020_2024.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))

    wrong = [
        row for row in rows
        if solar_term_date(int(row["year"]), codes[row["term"]]) != date.fromisoformat(row["date_utc8"])
    ]  # fmt: skip

    assert wrong == []
    assert len(rows) == 120
