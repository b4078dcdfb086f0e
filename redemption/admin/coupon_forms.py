"""The forms of the pages of coupons."""

from typing import Any

from django import forms
from django.apps import apps
from django.utils.translation import gettext_lazy
from unfold.widgets import UnfoldAdminIntegerFieldWidget, UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from redemption.admin.reward_forms import TableForm, reason_field
from redemption.choices import CouponState
from redemption.models import CouponPlan

MOST_CODES = 100_000


class UsedTableForm(TableForm):
    """A table of used coupons, and the shop that it comes from."""

    channel: Any = forms.ModelChoiceField(
        label=gettext_lazy("Shop"),
        queryset=None,
        required=False,
        widget=UnfoldAdminSelectWidget,
        help_text=gettext_lazy("Where the coupons were used, for the reports. May be left open."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["channel"].queryset = apps.get_model("crm", "Channel").objects.order_by("name")  # type: ignore[attr-defined]


def _day(label: Any) -> forms.DateField:
    return forms.DateField(label=label, required=False, widget=UnfoldAdminTextInputWidget(attrs={"type": "date"}))


class ExportForm(forms.Form):
    """Which coupons, as what, and why."""

    plan: Any = forms.ModelChoiceField(
        label=gettext_lazy("Plan"),
        queryset=CouponPlan.objects.all(),
        required=False,
        empty_label=gettext_lazy("All plans"),
        widget=UnfoldAdminSelectWidget,
    )
    state = forms.ChoiceField(
        label=gettext_lazy("State"),
        required=False,
        choices=[("", gettext_lazy("All states")), *CouponState.choices],
        widget=UnfoldAdminSelectWidget,
    )
    first_day = _day(gettext_lazy("Issued from"))
    last_day = _day(gettext_lazy("Issued until"))
    kind = forms.ChoiceField(
        label=gettext_lazy("Format"), choices=[("csv", "CSV"), ("xlsx", "XLSX")], widget=UnfoldAdminSelectWidget
    )
    reason = reason_field()

    @classmethod
    def of_codes(cls, data: Any = None) -> "ExportForm":
        """Return the form for the free codes of one plan: only as what, and why."""
        form = cls(data)
        for name in ("plan", "state", "first_day", "last_day"):
            del form.fields[name]
        return form


def _value_field(plan: CouponPlan, label: Any, help_text: Any, *, required: bool) -> forms.TypedChoiceField:
    values = [(value.yuan, str(value)) for value in plan.denominations.all()]
    return forms.TypedChoiceField(
        label=label,
        choices=values if required else [("", "–"), *values],
        coerce=int,
        empty_value=None,
        required=required,
        widget=UnfoldAdminSelectWidget,
        help_text=help_text,
    )


class CodeTableForm(TableForm):
    """A table of codes, and what those are worth whose rows do not say."""

    def __init__(self, *args: Any, plan: CouponPlan, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["yuan"] = _value_field(
            plan,
            gettext_lazy("Worth, where a row does not say"),
            gettext_lazy("The file may have a column for it: worth (面额)."),
            required=False,
        )


class MakeCodesForm(forms.Form):
    """How many fresh codes, of which value."""

    number = forms.IntegerField(
        label=gettext_lazy("How many codes"), min_value=1, max_value=MOST_CODES, widget=UnfoldAdminIntegerFieldWidget
    )

    def __init__(self, *args: Any, plan: CouponPlan, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["yuan"] = _value_field(plan, gettext_lazy("Worth"), "", required=True)
