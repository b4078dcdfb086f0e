"""A form field for each setting of a rule. What may stand in it, and why not, the setting itself says."""

from collections.abc import Iterable, Mapping
from dataclasses import MISSING, Field
from dataclasses import fields as fields_of
from datetime import date
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.forms.widgets import ChoiceWidget
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import UnfoldAdminIntegerFieldWidget, UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from loyalty.admin.rules import widgets
from loyalty.admin.rules.days import widened
from loyalty.admin.rules.vocabulary import PRODUCTS_AT_ONCE, Vocabulary
from loyalty.earning import fields as settings
from loyalty.earning.calendar import FESTIVALS, FURTHEST, LunarWindow, SolarTermWindow, Window, YearlyWindow
from loyalty.earning.kinds.acts import ReferralShares
from loyalty.earning.reading import Unreadable, read_whole
from loyalty.earning.settings import Setting, Settings

# Where a form shows names, help that explains what stands in the JSON would only confuse.
_HELP = {
    "tier_rank_at_least": gettext_lazy("Only members of this tier and of the better ones."),
    "weekdays": gettext_lazy("Only on these days of the week."),
    "kinds": gettext_lazy("Orders paid in one of these ways."),
    "product_policies": gettext_lazy(
        "Only products of these point policies. To leave special prices out, tick all the others."
    ),
}
LEFT_OUT = object()  # A field that was left empty: its setting has its default.


class SettingField(forms.Field):
    """Reads a value as JSON has it, with the setting's own checks. An empty one is ``LEFT_OUT``."""

    def __init__(self, setting: Setting[Any], widget: forms.Widget, *, required: bool) -> None:
        super().__init__(required=required, label=str(setting.label), help_text=str(setting.help), widget=widget)
        self.setting = setting

    def clean(self, value: Any) -> Any:
        if isinstance(value, str):
            value = value.strip()
        if value in self.empty_values:
            if self.required:
                raise ValidationError(_("This field is required."))
            return LEFT_OUT
        if "\x00" in str(value):
            raise ValidationError(_("This is no text."))
        self._check_choice(value)
        try:
            plain = self.setting.decode(self.as_json(value))
        except Unreadable as unreadable:
            raise ValidationError(str(unreadable)) from None
        if message := self.setting.problem(plain):
            raise ValidationError(message)
        return self.setting.encode(plain)

    def as_json(self, value: Any) -> Any:
        """What the widget gave, in the form the setting reads."""
        return value

    def _check_choice(self, value: Any) -> None:
        """Refuse what was not there to be picked: a tag that is gone, a product that never was."""
        offered: Any = None
        if isinstance(self.widget, ChoiceWidget) and not isinstance(value, bool):
            offered = {str(key) for key, _label in self.widget.choices}
        elif isinstance(self.widget, widgets.SharesWidget):
            offered = {str(key) for key in self.widget.products}
        if offered is None:
            return
        for each in [value] if isinstance(value, str) else value:
            if str(each) not in offered:
                raise ValidationError(_("There is no choice %(value)s here.") % {"value": each})


class WindowField(SettingField):
    """Reads the inputs of ``WindowWidget``."""

    def as_json(self, value: Any) -> Any:
        way = value["way"]
        if way == "dates":
            first = value["first"] or value["last"]
            if not first:
                raise Unreadable(_("Say on which day it begins."))
            return {"kind": "dates", "first": first, "last": value["last"] or first}
        window = _recurring(way, value)
        return window.as_json()


def _recurring(way: str, value: Mapping[str, str]) -> Window:
    before, after = (read_whole(value[part] or "0") for part in ("before", "after"))
    if before < 0 or after < 0:
        raise Unreadable(_("Count the days before and after with numbers from 0 on."))
    code = way.removeprefix("festival:")
    if way.startswith("festival:") and code in FESTIVALS:
        if max(before, after) > FURTHEST:
            raise Unreadable(_("A window reaches at most %(days)s days from its festival.") % {"days": FURTHEST})
        return widened(FESTIVALS[code][1], before, after)
    if way == "yearly":
        first = _month_and_day(value["first_month"], value["first_day"])
        if not value["last_day"]:
            return YearlyWindow(first, first)
        return YearlyWindow(first, _month_and_day(value["last_month"] or value["first_month"], value["last_day"]))
    if way == "lunar":
        month, day = _month_and_day(value["lunar_month"], value["lunar_day"])
        return LunarWindow(month, day, -before, after)
    if way == "solar_term":
        return SolarTermWindow(value["term"], -before, after)
    raise Unreadable(_("This is no window of days."))


def _month_and_day(month: str, day: str) -> tuple[int, int]:
    if not month or not day:
        raise Unreadable(_("Say which day of which month it is."))
    return read_whole(month), read_whole(day)


def form_fields(
    part: type[Settings],
    names: Iterable[str],
    current: Mapping[str, Any],
    vocabulary: Vocabulary,
    today: date,
) -> dict[str, SettingField]:
    """A field for each of these settings. ``current`` is what they hold as JSON; it is shown at first."""
    wanted = set(names)
    return {
        each.name: _field(each, current.get(each.name), vocabulary, today)
        for each in fields_of(part)
        if each.name in wanted
    }


def _field(each: "Field[Any]", current: Any, vocabulary: Vocabulary, today: date) -> SettingField:
    setting: Setting[Any] = each.metadata["setting"]
    required = each.default is MISSING
    field_class = WindowField if isinstance(setting, settings.Days | settings.OptionalDays) else SettingField
    widget = _widget(each.name, setting, current, vocabulary, today)
    field = field_class(setting, widget, required=required)
    if current is not None:
        field.initial = current
    elif not required and each.default not in (None, (), 0):
        field.initial = setting.encode(each.default)
    field.help_text = str(_HELP.get(each.name, field.help_text))
    return field


def _widget(name: str, setting: Setting[Any], current: Any, vocabulary: Vocabulary, today: date) -> forms.Widget:
    if name == "tier_rank_at_least":
        tiers: forms.Widget = UnfoldAdminSelectWidget(choices=[("", _("Any tier")), *_ranks(vocabulary, current)])
        return tiers
    match setting:
        case settings.Words() | settings.Numbers():
            return widgets.several(vocabulary.choices(name), current or ())
        case settings.FactorTable():
            return widgets.TableWidget(vocabulary.choices("product_policies" if setting.known else "tiers"))
        case settings.Days() | settings.OptionalDays():
            return widgets.WindowWidget(required=isinstance(setting, settings.Days), today=today)
        case ReferralShares():
            return widgets.SharesWidget(vocabulary.products)
    return _plain_widget(setting)


def _plain_widget(setting: Setting[Any]) -> forms.Widget:
    """The widget of a setting that has nothing to do with what the shop has."""
    match setting:
        case settings.Choice():
            widget: forms.Widget = UnfoldAdminSelectWidget(choices=setting.choices)
        case settings.YesNo():
            widget = widgets.YesNoWidget()
        case settings.Steps():
            threshold = _("From (yuan)") if isinstance(setting.of, settings.Amount) else _("On day")
            widget = widgets.StepsWidget(threshold, _("Points"))
        case settings.TimeOfDay():
            widget = widgets.TimesWidget()
        case settings.Word():
            widget = UnfoldAdminTextInputWidget(attrs={"maxlength": setting.longest})
        case _:
            widget = UnfoldAdminIntegerFieldWidget(attrs=_limits(setting))
    return widget


def _ranks(vocabulary: Vocabulary, current: Any) -> list[tuple[int, str]]:
    known = dict(vocabulary.ranks)
    if current is not None:
        known.setdefault(current, str(current))
    return [(rank, _("%(tier)s and above") % {"tier": name}) for rank, name in known.items() if rank or rank == current]


def _limits(setting: Setting[Any]) -> dict[str, Any]:
    """What a browser can say at once; the setting says it again."""
    if isinstance(setting, settings.Whole | settings.OptionalWhole):
        return {"min": setting.minimum, "step": 1, "inputmode": "numeric"}
    return {"min": 0, "step": "0.01", "inputmode": "decimal"}


def search_products(field: SettingField, vocabulary: Vocabulary, products_page: str) -> None:
    """Let a list of products ask for others while one types, where there are more than it begins with."""
    if len(vocabulary.products) >= PRODUCTS_AT_ONCE:
        field.widget.attrs |= {"data-ajax--url": products_page, "data-ajax--delay": "250", "data-ajax--cache": "true"}
