"""Windows of days: fixed dates, dates of every year, days of the lunar calendar, solar terms.

Days are dates of the programme's zone. The lunar calendar and the solar terms are China's, and so are their dates.
"""

from calendar import monthrange
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from lunar_python import Lunar, LunarMonth

# The keys under which the library lists the terms of a year. The winter solstice is listed twice: under its Chinese
# name stands the one before the year, and DONG_ZHI is the one in it.
SOLAR_TERMS = {
    "xiaohan": "小寒", "dahan": "大寒", "lichun": "立春", "yushui": "雨水", "jingzhe": "惊蛰", "chunfen": "春分",
    "qingming": "清明", "guyu": "谷雨", "lixia": "立夏", "xiaoman": "小满", "mangzhong": "芒种", "xiazhi": "夏至",
    "xiaoshu": "小暑", "dashu": "大暑", "liqiu": "立秋", "chushu": "处暑", "bailu": "白露", "qiufen": "秋分",
    "hanlu": "寒露", "shuangjiang": "霜降", "lidong": "立冬", "xiaoxue": "小雪", "daxue": "大雪", "dongzhi": "DONG_ZHI",
}  # fmt: skip

# Further than this from its festival, a window belongs to another one.
FURTHEST = 60
EARLIEST_YEAR, LATEST_YEAR = 2000, 2100

Span = tuple[date, date]


@dataclass(frozen=True, slots=True)
class DateWindow:
    """From a date through a date, once."""

    first: date
    last: date

    def spans(self, year: int) -> Iterator[Span]:
        """The window, if it begins in this year."""
        if self.first.year == year:
            yield self.first, self.last

    def as_json(self) -> dict[str, Any]:
        """The form ``window_from_json`` reads."""
        return {"kind": "dates", "first": self.first.isoformat(), "last": self.last.isoformat()}

    def problem(self) -> str | None:
        """Why there cannot be such a window, or None."""
        if not (self.first.year >= EARLIEST_YEAR and self.last.year <= LATEST_YEAR):
            facts = {"earliest": EARLIEST_YEAR, "latest": LATEST_YEAR}
            return _("The years must be from %(earliest)s to %(latest)s.") % facts
        return _("The last day is before the first.") if self.last < self.first else None


@dataclass(frozen=True, slots=True)
class YearlyWindow:
    """From a month and day through a month and day of every year; over New Year if the last is before the first.

    29 February is the 28th where there is none.
    """

    first: tuple[int, int]
    last: tuple[int, int]

    def spans(self, year: int) -> Iterator[Span]:
        """The window that begins in this year."""
        yield _clamped(year, *self.first), _clamped(year + (self.last < self.first), *self.last)

    def as_json(self) -> dict[str, Any]:
        """The form ``window_from_json`` reads."""
        return {"kind": "yearly", "first": "{:02}-{:02}".format(*self.first), "last": "{:02}-{:02}".format(*self.last)}

    def problem(self) -> str | None:
        """Why there cannot be such a window, or None."""
        if not all(
            1 <= month <= 12 and 1 <= day <= monthrange(2024, month)[1] for month, day in (self.first, self.last)
        ):
            return _("There is no such day in any year.")
        return None


@dataclass(frozen=True, slots=True)
class LunarWindow:
    """Days around a day of the lunar year: ``first`` and ``last`` count from it, -1 being the day before.

    Leap months have no festivals. The 30th is the 29th in a month that has no more.
    """

    month: int
    day: int
    first: int = 0
    last: int = 0

    def spans(self, year: int) -> Iterator[Span]:
        """The window around the day of the lunar year that begins in this year."""
        festival = lunar_date(year, self.month, self.day)
        yield festival + timedelta(days=self.first), festival + timedelta(days=self.last)

    def as_json(self) -> dict[str, Any]:
        """The form ``window_from_json`` reads."""
        return {"kind": "lunar", "month": self.month, "day": self.day, "first": self.first, "last": self.last}

    def problem(self) -> str | None:
        """Why there cannot be such a window, or None."""
        if not (1 <= self.month <= 12 and 1 <= self.day <= 30):
            return _("A lunar year has 12 months of at most 30 days.")
        return _offsets_problem(self.first, self.last)


@dataclass(frozen=True, slots=True)
class SolarTermWindow:
    """Days around one of the 24 solar terms: ``first`` and ``last`` count from it, -1 being the day before."""

    term: str
    first: int = 0
    last: int = 0

    def spans(self, year: int) -> Iterator[Span]:
        """The window around the term in this year."""
        day = solar_term_date(year, self.term)
        yield day + timedelta(days=self.first), day + timedelta(days=self.last)

    def as_json(self) -> dict[str, Any]:
        """The form ``window_from_json`` reads."""
        return {"kind": "solar_term", "term": self.term, "first": self.first, "last": self.last}

    def problem(self) -> str | None:
        """Why there cannot be such a window, or None."""
        if self.term not in SOLAR_TERMS:
            return _("There is no solar term %(term)s.") % {"term": self.term}
        return _offsets_problem(self.first, self.last)


Window = DateWindow | YearlyWindow | LunarWindow | SolarTermWindow

# What a seller picks by name. Any of them can be widened by changing its first and last day.
FESTIVALS: dict[str, tuple[Promise, Window]] = {
    "new_years_day": (gettext_lazy("New Year's Day"), YearlyWindow((1, 1), (1, 1))),
    "laba": (gettext_lazy("Laba Festival"), LunarWindow(12, 8)),
    "new_years_eve": (gettext_lazy("Lunar New Year's Eve"), LunarWindow(1, 1, -1, -1)),
    "spring_festival": (gettext_lazy("Spring Festival"), LunarWindow(1, 1)),
    "valentines_day": (gettext_lazy("Valentine's Day"), YearlyWindow((2, 14), (2, 14))),
    "lantern": (gettext_lazy("Lantern Festival"), LunarWindow(1, 15)),
    "womens_day": (gettext_lazy("Women's Day (3.8)"), YearlyWindow((3, 8), (3, 8))),
    "qingming": (gettext_lazy("Qingming Festival"), SolarTermWindow("qingming")),
    "labour_day": (gettext_lazy("Labour Day"), YearlyWindow((5, 1), (5, 1))),
    "520": (gettext_lazy("520"), YearlyWindow((5, 20), (5, 20))),
    "childrens_day": (gettext_lazy("Children's Day"), YearlyWindow((6, 1), (6, 1))),
    "618": (gettext_lazy("618"), YearlyWindow((6, 18), (6, 18))),
    "dragon_boat": (gettext_lazy("Dragon Boat Festival"), LunarWindow(5, 5)),
    "qixi": (gettext_lazy("Qixi Festival"), LunarWindow(7, 7)),
    "zhongyuan": (gettext_lazy("Zhongyuan Festival"), LunarWindow(7, 15)),
    "mid_autumn": (gettext_lazy("Mid-Autumn Festival"), LunarWindow(8, 15)),
    "double_ninth": (gettext_lazy("Double Ninth Festival"), LunarWindow(9, 9)),
    "national_day": (gettext_lazy("National Day"), YearlyWindow((10, 1), (10, 7))),
    "double_11": (gettext_lazy("Double 11"), YearlyWindow((11, 11), (11, 11))),
    "double_12": (gettext_lazy("Double 12"), YearlyWindow((12, 12), (12, 12))),
    "winter_solstice": (gettext_lazy("Winter Solstice"), SolarTermWindow("dongzhi")),
    "christmas": (gettext_lazy("Christmas"), YearlyWindow((12, 25), (12, 25))),
}


def window_from_json(value: Mapping[str, Any]) -> Window:
    """The window that its ``as_json`` wrote.

    Raises ``ValueError``, ``KeyError`` or ``TypeError`` when it is none.
    """
    first, last = value.get("first", 0), value.get("last", 0)
    match value["kind"]:
        case "dates":
            return DateWindow(date.fromisoformat(first), date.fromisoformat(last))
        case "yearly":
            return YearlyWindow(_month_and_day(first), _month_and_day(last))
        case "lunar":
            return LunarWindow(int(value["month"]), int(value["day"]), int(first), int(last))
        case "solar_term":
            return SolarTermWindow(str(value["term"]), int(first), int(last))
        case other:
            raise ValueError(f"no kind of window is called {other}")


def contains(window: Window, day: date) -> bool:
    """Whether a day lies in the window; its first and last day do."""
    return any(first <= day <= last for first, last in _spans_around(window, day.year))


def membership(window: Window) -> Callable[[date], bool]:
    """``contains`` for one window, to be asked for thousands of days: each day is looked up once."""
    known: dict[date, bool] = {}

    def lies_in(day: date) -> bool:
        answer = known.get(day)
        if answer is None:
            answer = known[day] = contains(window, day)
        return answer

    return lies_in


def overlap(one: Window, other: Window) -> date | None:
    """The first day that lies in both windows, or None. Recurring windows are compared for a generation."""
    years = _years(one, other)
    for first, last in (span for year in years for span in one.spans(year)):
        for begins, ends in (span for year in years for span in other.spans(year)):
            if first <= ends and begins <= last:
                return max(first, begins)
    return None


@lru_cache(maxsize=4096)
def lunar_date(year: int, month: int, day: int) -> date:
    """The date of a day in the lunar year that begins in ``year``, or of the month's last one where it has no such."""
    days: int = LunarMonth.fromYm(year, month).getDayCount()
    solar = Lunar.fromYmd(year, month, min(day, days)).getSolar()
    return date(solar.getYear(), solar.getMonth(), solar.getDay())


@lru_cache(maxsize=4096)
def solar_term_date(year: int, term: str) -> date:
    """The date of a solar term in a year."""
    # The middle of the year lies in the lunar year of the same number, whose table spans the whole of it.
    solar = Lunar.fromYmd(year, 6, 1).getJieQiTable()[SOLAR_TERMS[term]]
    return date(solar.getYear(), solar.getMonth(), solar.getDay())


@lru_cache(maxsize=4096)
def _spans_around(window: Window, year: int) -> tuple[Span, ...]:
    """All spans that could touch a year: a window may begin in the year before, or before its festival's year."""
    if isinstance(window, DateWindow):
        return ((window.first, window.last),)
    return tuple(span for around in (year - 1, year, year + 1) for span in window.spans(around))


def _years(one: Window, other: Window) -> range:
    fixed = [window for window in (one, other) if isinstance(window, DateWindow)]
    if not fixed:
        return range(2020, 2050)
    return range(min(window.first.year for window in fixed) - 1, max(window.last.year for window in fixed) + 2)


def _offsets_problem(first: int, last: int) -> str | None:
    if last < first:
        return _("The last day is before the first.")
    if max(abs(first), abs(last)) > FURTHEST:
        return _("A window reaches at most %(days)s days from its festival.") % {"days": FURTHEST}
    return None


def _month_and_day(text: str) -> tuple[int, int]:
    month, _dash, day = text.partition("-")
    return int(month), int(day)


def _clamped(year: int, month: int, day: int) -> date:
    return date(year, month, min(day, monthrange(year, month)[1]))
