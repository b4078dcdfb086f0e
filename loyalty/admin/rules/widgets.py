"""Widgets for what a rule's settings hold: lists, tables, steps, windows of days. All of them work without scripts."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any

from django import forms
from django.forms.widgets import ChoiceWidget
from django.template.loader import render_to_string
from django.utils.datastructures import MultiValueDict
from django.utils.functional import Promise
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from unfold.widgets import (
    INPUT_CLASSES,
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminSelect2MultipleWidget,
    UnfoldAdminSelectWidget,
)

from loyalty.admin.rules.days import TERMS, festival_of, next_spans, span_in_words
from loyalty.earning.calendar import (
    FESTIVALS,
    DateWindow,
    LunarWindow,
    SolarTermWindow,
    Window,
    YearlyWindow,
    window_from_json,
)

BLANK_ROWS = 3
INPUT = " ".join(INPUT_CLASSES)
# More than these are picked from a list that can be searched.
MOST_BOXES = 12
Text = str | Promise


def several(choices: Mapping[Any, Any], chosen: Iterable[Any]) -> ChoiceWidget:
    """A way to pick some of these: boxes to tick while they are few. What is chosen already can always be kept."""
    every = [*choices.items(), *((value, value) for value in chosen if value not in choices)]
    if len(every) <= MOST_BOXES:
        boxes: ChoiceWidget = UnfoldAdminCheckboxSelectMultipleWidget(choices=every)
        return boxes
    searched: ChoiceWidget = UnfoldAdminSelect2MultipleWidget(choices=every)
    return searched


class YesNoWidget(UnfoldAdminSelectWidget):
    """Yes, no, or no matter."""

    _WORDS = {"yes": True, "no": False}

    def __init__(self) -> None:
        super().__init__(choices=[("", _("No matter")), ("yes", _("Yes")), ("no", _("No"))])

    def format_value(self, value: Any) -> list[str]:
        words = {True: "yes", False: "no"}
        return [words.get(value, "")]

    def value_from_datadict(self, data: Mapping[str, Any], files: Any, name: str) -> Any:
        return self._WORDS.get(data.get(name, ""), "")


class Composite(forms.Widget):
    """A widget of several inputs, drawn by its own template inside a ``fieldset``."""

    use_fieldset = True

    def id_for_label(self, id_: str | None) -> str:
        return ""

    def value_omitted_from_data(self, data: Any, files: Any, name: str) -> bool:
        return False

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        context = super().get_context(name, value, attrs)
        return {**context, "input_class": INPUT, **self.parts(name, value)}

    def parts(self, name: str, value: Any) -> dict[str, Any]:
        """What its template shows."""
        raise NotImplementedError

    def _render(self, template_name: str, context: dict[str, Any], renderer: Any = None) -> SafeString:
        """Draw it with the templates of the project, which Django's own renderer of forms does not look at."""
        return render_to_string(template_name, context)


class TimesWidget(Composite):
    """From one time of day until another."""

    template_name = "admin/loyalty/rule_widget_times.html"

    def parts(self, name: str, value: Any) -> dict[str, Any]:
        begins, ends = value or ("", "")
        # Midnight at the end of a day is 00:00 for browsers; both mean the same.
        return {"begins": begins, "ends": "00:00" if ends == "24:00" else ends}

    def value_from_datadict(self, data: Mapping[str, Any], files: Any, name: str) -> Any:
        times = [str(data.get(f"{name}_{part}", "")).strip() for part in ("from", "until")]
        return times if any(times) else ""


class StepsWidget(Composite):
    """Rows of a threshold and the points from there on; a few rows more than are filled in."""

    template_name = "admin/loyalty/rule_widget_steps.html"

    def __init__(self, threshold: Text, points: Text) -> None:
        super().__init__()
        self.threshold, self.points = threshold, points

    def parts(self, name: str, value: Any) -> dict[str, Any]:
        rows = [*(value or []), *([("", "")] * BLANK_ROWS)]
        return {"rows": rows, "threshold": self.threshold, "points": self.points}

    def value_from_datadict(self, data: Any, files: Any, name: str) -> Any:
        thresholds, points = (_column(data, f"{name}_{part}") for part in ("from", "points"))
        return [[first, second] for first, second in zip(thresholds, points, strict=False) if first or second]


class TableWidget(Composite):
    """A number for each of some words; empty for none."""

    template_name = "admin/loyalty/rule_widget_table.html"

    def __init__(self, words: Mapping[str, Any]) -> None:
        super().__init__()
        self.words = dict(words)

    def parts(self, name: str, value: Any) -> dict[str, Any]:
        known = self.words | {word: word for word in value or {} if word not in self.words}
        return {"rows": [(word, label, (value or {}).get(word, "")) for word, label in known.items()]}

    def value_from_datadict(self, data: Any, files: Any, name: str) -> Any:
        words, factors = _column(data, f"{name}_word"), _column(data, f"{name}_factor")
        return {word: factor for word, factor in zip(words, factors, strict=False) if factor}


class SharesWidget(Composite):
    """Rows of a product and its own share, in percent or in points."""

    template_name = "admin/loyalty/rule_widget_shares.html"

    def __init__(self, products: Mapping[int, str]) -> None:
        super().__init__()
        self.products = products

    def parts(self, name: str, value: Any) -> dict[str, Any]:
        shares = value.items() if isinstance(value, Mapping) else (value or [])
        rows = [
            (str(product), share.get("percent", ""), share.get("points", ""))
            for product, share in shares
        ]  # fmt: skip
        known = {str(number): title for number, title in self.products.items()}
        return {"rows": [*rows, *([("", "", "")] * BLANK_ROWS)], "products": known}

    def value_from_datadict(self, data: Any, files: Any, name: str) -> Any:
        columns = (_column(data, f"{name}_{part}") for part in ("product", "percent", "points"))
        rows = [row for row in zip(*columns, strict=False) if any(row)]
        return {
            product: {key: number for key, number in (("percent", percent), ("points", points)) if number}
            for product, percent, points in rows
        }


class WindowWidget(Composite):
    """Days: a festival by its name, dates, days of every year, of the lunar year, or around a solar term.

    Each way has its own inputs; the style sheet shows those of the way that is picked.
    """

    template_name = "admin/loyalty/rule_widget_days.html"

    def __init__(self, *, required: bool, today: date) -> None:
        super().__init__()
        self.required, self.today = required, today

    def parts(self, name: str, value: Any) -> dict[str, Any]:
        chosen = value if isinstance(value, Mapping) and "way" in value else as_inputs(value)
        return {
            "chosen": chosen,
            "required": self.required,
            "festivals": [
                (f"festival:{code}", label, span_in_words(next_spans(window, self.today)[0]))
                for code, (label, window) in sorted(FESTIVALS.items(), key=lambda item: self._next(item[1][1]))
            ],
            "terms": [(code, label, span_in_words(self._term(code))) for code, label in TERMS.items()],
            "months": range(1, 13),
        }

    def _next(self, window: Window) -> date:
        return next_spans(window, self.today)[0][0]

    def _term(self, code: str) -> tuple[date, date]:
        return next_spans(SolarTermWindow(code), self.today)[0]

    def value_from_datadict(self, data: Mapping[str, Any], files: Any, name: str) -> Any:
        way = str(data.get(f"{name}_way", ""))
        if not way:
            return ""
        inputs = {part: str(data.get(f"{name}_{part}", "")).strip() for part in _INPUTS}
        return {"way": way, **inputs}


_INPUTS = (
    "before", "after", "first", "last", "first_month", "first_day", "last_month", "last_day", "lunar_month",
    "lunar_day", "term",
)  # fmt: skip


def as_inputs(value: Any) -> dict[str, Any]:
    """What the inputs show for a window as JSON has it, or for none."""
    if not value:
        return {"way": "", "before": 0, "after": 0}
    window = window_from_json(value)
    if (festival := festival_of(window)) is not None:
        return {"way": f"festival:{festival[0]}", "before": festival[1], "after": festival[2]}
    match window:
        case DateWindow():
            return {"way": "dates", "first": window.first.isoformat(), "last": window.last.isoformat()}
        case YearlyWindow():
            (first_month, first_day), (last_month, last_day) = window.first, window.last
            days = {"first_month": first_month, "first_day": first_day, "last_month": last_month, "last_day": last_day}
            return {"way": "yearly", **days}
        case LunarWindow():
            around = {"before": -window.first, "after": window.last}
            return {"way": "lunar", "lunar_month": window.month, "lunar_day": window.day, **around}
    return {"way": "solar_term", "term": window.term, "before": -window.first, "after": window.last}


def _column(data: Any, name: str) -> Sequence[str]:
    values = data.getlist(name) if isinstance(data, MultiValueDict) else data.get(name, [])
    return [str(value).strip() for value in values]
