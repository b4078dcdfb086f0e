"""Windows of days in words, and the days on which they come next."""

from datetime import date, timedelta
from itertools import islice

from django.utils.formats import date_format
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from loyalty.earning.calendar import (
    FESTIVALS,
    DateWindow,
    LunarWindow,
    SolarTermWindow,
    Span,
    Window,
    YearlyWindow,
)

YEARS_AHEAD = 5
# Any year without a 29 February: days of every year are counted on from here.
_SOME_YEAR = 2023

TERMS: dict[str, Promise] = {
    "xiaohan": gettext_lazy("Minor Cold"), "dahan": gettext_lazy("Major Cold"),
    "lichun": gettext_lazy("Start of Spring"), "yushui": gettext_lazy("Rain Water"),
    "jingzhe": gettext_lazy("Awakening of Insects"), "chunfen": gettext_lazy("Spring Equinox"),
    "qingming": gettext_lazy("Pure Brightness"), "guyu": gettext_lazy("Grain Rain"),
    "lixia": gettext_lazy("Start of Summer"), "xiaoman": gettext_lazy("Grain Buds"),
    "mangzhong": gettext_lazy("Grain in Ear"), "xiazhi": gettext_lazy("Summer Solstice"),
    "xiaoshu": gettext_lazy("Minor Heat"), "dashu": gettext_lazy("Major Heat"),
    "liqiu": gettext_lazy("Start of Autumn"), "chushu": gettext_lazy("End of Heat"),
    "bailu": gettext_lazy("White Dew"), "qiufen": gettext_lazy("Autumn Equinox"),
    "hanlu": gettext_lazy("Cold Dew"), "shuangjiang": gettext_lazy("Frost's Descent"),
    "lidong": gettext_lazy("Start of Winter"), "xiaoxue": gettext_lazy("Minor Snow"),
    "daxue": gettext_lazy("Major Snow"), "dongzhi": gettext_lazy("Winter Solstice"),
}  # fmt: skip


def next_spans(window: Window, today: date, count: int = 1) -> list[Span]:
    """The next times that a window comes, the one that is on included; none for a window that will not come again."""
    if isinstance(window, DateWindow):
        return [(window.first, window.last)] if window.last >= today else []
    years = range(today.year - 1, today.year + YEARS_AHEAD)
    spans = sorted(span for year in years for span in window.spans(year))
    return list(islice((span for span in spans if span[1] >= today), count))


def span_in_words(span: Span) -> str:
    """One day, or the first and the last."""
    first, last = (date_format(day, "DATE_FORMAT") for day in span)
    if first == last:
        return first
    return _("%(first)s to %(last)s") % {"first": first, "last": last}


def window_in_words(window: Window) -> str:
    """What a window is, without its dates where it moves with the years."""
    match window:
        case DateWindow():
            return span_in_words((window.first, window.last))
        case YearlyWindow() if (festival := festival_of(window)) is not None:
            return str(FESTIVALS[festival[0]][0])
        case YearlyWindow():
            return _every_year(window)
    return _around(window)


def festival_of(window: Window) -> tuple[str, int, int] | None:
    """The festival that a window is about, and how many days before and after it belong to it; None for other ones."""
    for code, (_label, festival) in FESTIVALS.items():
        if festival == window:
            return code, 0, 0
    for code, (_label, festival) in FESTIVALS.items():
        # Of those that are about the same day of the year the one that is that very day.
        if not isinstance(window, LunarWindow | SolarTermWindow) or not isinstance(
            festival, LunarWindow | SolarTermWindow
        ):
            continue
        if _same_day(festival, window) and festival.first == 0 and window.first <= 0 <= window.last:
            return code, -window.first, window.last
    return None


def widened(window: Window, before: int, after: int) -> Window:
    """A window that begins so many days earlier and ends so many days later."""
    match window:
        case DateWindow():
            return DateWindow(window.first - timedelta(before), window.last + timedelta(after))
        case YearlyWindow():
            return YearlyWindow(_shifted(window.first, -before), _shifted(window.last, after))
        case LunarWindow():
            return LunarWindow(window.month, window.day, window.first - before, window.last + after)
    return SolarTermWindow(window.term, window.first - before, window.last + after)


def _same_day(one: Window, other: Window) -> bool:
    if isinstance(one, LunarWindow) and isinstance(other, LunarWindow):
        return (one.month, one.day) == (other.month, other.day)
    return isinstance(one, SolarTermWindow) and isinstance(other, SolarTermWindow) and one.term == other.term


def _shifted(day: tuple[int, int], days: int) -> tuple[int, int]:
    if not days:
        return day
    moved = date(_SOME_YEAR, day[0], min(day[1], 28) if day[0] == 2 else day[1]) + timedelta(days)
    return moved.month, moved.day


def _every_year(window: YearlyWindow) -> str:
    # A leap year, so that there is a 29 February to speak of.
    first, last = (date_format(date(2024, *day), "MONTH_DAY_FORMAT") for day in (window.first, window.last))
    if first == last:
        return _("%(day)s of every year") % {"day": first}
    return _("%(first)s to %(last)s of every year") % {"first": first, "last": last}


def _around(window: LunarWindow | SolarTermWindow) -> str:
    if (festival := festival_of(window)) is not None:
        code, before, after = festival
        name = str(FESTIVALS[code][0])
    elif isinstance(window, LunarWindow):
        name = _("Day %(day)s of month %(month)s of the lunar year") % {"day": window.day, "month": window.month}
        before, after = -window.first, window.last
    else:
        name, before, after = str(TERMS.get(window.term, window.term)), -window.first, window.last
    if not before and not after:
        return name
    return _("%(name)s (from %(before)s days before until %(after)s days after)") % {
        "name": name, "before": before, "after": after,
    }  # fmt: skip
