"""The forms of tier schemes: a new draft, its settings, what each tier asks for, and publishing."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy
from unfold.admin import ModelAdmin
from unfold.widgets import (
    INPUT_CLASSES,
    UnfoldAdminRadioSelectWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanWidget,
)

from crm.admin.bulk import ReasonForm
from crm.models import Tier, TierScheme
from crm.price_words import plain
from crm.tiers.metrics import Metric, all_metrics
from crm.tiers.schemebook import SETTINGS

PRESET_CHOICES = (
    ("linggou", gettext_lazy("Linggou: four tiers by points; the buyer takes his discount himself, for a year")),
    ("taobao", gettext_lazy("Taobao: four tiers by spend or number of orders, with the next successful order")),
    ("vancl", gettext_lazy("Vancl: VIP and SVIP by spend, for a year, counters begin anew")),
    ("quarterly", gettext_lazy("Quarterly: VIP and SVIP by the spend of a quarter, checked every month")),
)
INPUT = {"class": "pk-input"}


class BeginForm(forms.Form):
    """What a new draft begins with: ``start`` is "version:3", "version:0" for nothing, or "preset:vancl"."""

    def __init__(self, data: Any, *, versions: Sequence[tuple[int, str]], initial: str) -> None:
        super().__init__(data)
        choices = [
            (_("Schemes of this shop"), [(f"version:{version}", label) for version, label in versions]),
            (_("Presets"), list(PRESET_CHOICES_AS_STARTS)),
        ]
        self.fields["start"] = forms.ChoiceField(
            label=_("Begin with"),
            choices=choices,
            initial=initial,
            widget=UnfoldAdminSelectWidget,
            help_text=_(
                "The draft is a copy: nothing changes for members until you publish it. A preset makes the tiers that "
                "it names and the shop does not have."
            ),
        )
        self.fields["note"] = forms.CharField(
            label=_("Name of the draft"), max_length=300, required=False, widget=UnfoldAdminTextInputWidget
        )


PRESET_CHOICES_AS_STARTS = tuple((f"preset:{name}", label) for name, label in PRESET_CHOICES)

# The settings in the parts of the form, in the order in which a seller thinks of them.
SECTIONS: tuple[tuple[Any, tuple[str, ...]], ...] = (
    (gettext_lazy("How members rise"), ("taking", "effect", "climb", "reach_window", "reach_length")),
    (
        gettext_lazy("How long a tier is held"),
        ("validity_months", "keep_check", "fall", "keep_window", "keep_length", "restart"),
    ),
    (gettext_lazy("Claims and review days"), ("claim_days", "renew_days", "review_months")),
    (gettext_lazy("What counts"), ("success_after_days", "on_refund", "currency", "note")),
)


def settings_form(
    model_admin: ModelAdmin, request: HttpRequest, data: Any, draft: TierScheme
) -> "forms.ModelForm[TierScheme]":
    """The form for the settings of a draft, with the theme's widgets."""

    def callback(field: Any, **kwargs: Any) -> Any:
        return model_admin.formfield_for_dbfield(field, request, **kwargs)

    made = forms.modelform_factory(TierScheme, fields=(*SETTINGS, "note"), formfield_callback=callback)
    return made(data, instance=draft)


class MarkField:
    """The inputs of what one tier asks for, to reach it or to keep it: a number for each metric, and how they join."""

    def __init__(
        self, name: str, metrics: Sequence[Metric], thresholds: Sequence[Mapping[str, Any]], any_of: bool
    ) -> None:
        known = {row["metric"]: row for row in thresholds}
        self.name = name
        self.fields: dict[str, forms.Field] = {}
        self.initial: dict[str, Any] = {f"{name}_any": "any" if any_of else "all"}
        for metric in metrics:
            row = known.get(metric.code, {})
            self.fields[f"{name}_{metric.code}"] = forms.DecimalField(
                label=str(metric.label), required=False, min_value=0, max_digits=14, decimal_places=metric.places,
                widget=forms.NumberInput(attrs=INPUT | {"step": "any"}), help_text=str(metric.unit),
            )  # fmt: skip
            self.fields[f"{name}_{metric.code}_strict"] = forms.ChoiceField(
                choices=(("", gettext_lazy("at least")), ("1", gettext_lazy("more than"))),
                required=False,
                widget=forms.Select(attrs={"class": "pk-select", "aria-label": str(metric.label)}),
            )
            if row:
                self.initial[f"{name}_{metric.code}"] = plain(Decimal(str(row["at_least"])))
                self.initial[f"{name}_{metric.code}_strict"] = "1" if row.get("strict") else ""
        self.fields[f"{name}_any"] = forms.ChoiceField(
            choices=(("all", gettext_lazy("all of them")), ("any", gettext_lazy("any one of them"))),
            widget=forms.Select(attrs={"class": "pk-select"}),
        )


class RungForm(forms.Form):
    """One tier of a draft: whether it is part of the scheme, and what it asks for."""

    def __init__(self, data: Any, *, tier: Tier, rung: Mapping[str, Any] | None) -> None:
        super().__init__(data, prefix=f"tier-{tier.pk}")
        self.tier, self._metrics = tier, all_metrics()
        rung = rung or {}
        self.fields["on"] = forms.BooleanField(
            label=_("Members move to this tier"), required=False, widget=UnfoldBooleanWidget, initial=bool(rung)
        )
        for name in ("reach", "keep"):
            mark = MarkField(name, self._metrics, rung.get(name, ()), any_of=bool(rung.get(f"{name}_any")))
            self.fields |= mark.fields
            self.initial = {**self.initial, **mark.initial}
        self.notes: list[Any] = []

    def marks(self) -> list[dict[str, Any]]:
        """The parts of the form: to reach the tier, to keep it, each with a line for every metric."""
        titles = {"reach": _("To reach it"), "keep": _("To keep it")}
        return [
            {
                "name": name,
                "title": titles[name],
                "join": self[f"{name}_any"],
                "lines": [
                    {
                        "number": self[f"{name}_{metric.code}"],
                        "strict": self[f"{name}_{metric.code}_strict"],
                    }
                    for metric in self._metrics
                ],
            }
            for name in ("reach", "keep")
        ]

    def rung(self) -> dict[str, Any] | None:
        """What was typed in, as ``schemebook.save_draft`` takes it; None where the tier is no part of the scheme."""
        said = self.cleaned_data
        if not said["on"]:
            return None
        return {
            "tier": self.tier.code,
            **{name: self._thresholds(name) for name in ("reach", "keep")},
            **{f"{name}_any": said[f"{name}_any"] == "any" for name in ("reach", "keep")},
        }

    def _thresholds(self, name: str) -> list[dict[str, Any]]:
        said = self.cleaned_data
        return [
            {"metric": metric.code, "at_least": str(number), "strict": bool(said[f"{name}_{metric.code}_strict"])}
            for metric in self._metrics
            if (number := said[f"{name}_{metric.code}"]) is not None
        ]


NOW, LATER = "now", "later"


class PublishForm(ReasonForm):
    """From when on the scheme counts, why, and that it is published without a preview where there is none."""

    since = forms.ChoiceField(
        label=gettext_lazy("In force"),
        choices=((NOW, gettext_lazy("From now on")), (LATER, gettext_lazy("From a later moment on"))),
        initial=NOW,
        widget=UnfoldAdminRadioSelectWidget,
    )
    effective_from = forms.DateTimeField(
        label=pgettext_lazy("of a scheme", "Moment"),
        required=False,
        widget=forms.DateTimeInput(
            format="%Y-%m-%dT%H:%M", attrs={"type": "datetime-local", "class": " ".join(INPUT_CLASSES)}
        ),
        help_text=gettext_lazy("Only for a later moment. Until then the present scheme counts."),
    )
    unseen = forms.BooleanField(
        label=gettext_lazy("I publish it without having seen what it does."), widget=UnfoldBooleanWidget, required=True
    )
    field_order = ("since", "effective_from", "reason", "unseen")

    def __init__(self, data: Any, *, now: datetime, seen: bool) -> None:
        super().__init__(data)
        self.order_fields(self.field_order)
        self._now = now
        if seen:
            del self.fields["unseen"]

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if data.get("since") == LATER and "effective_from" not in self.errors:
            later = data.get("effective_from")
            if later is None:
                self.add_error("effective_from", ValidationError(_("Say from when on the scheme counts.")))
            elif later <= self._now:
                self.add_error("effective_from", ValidationError(_("This moment is over. Name a later one.")))
        return data

    def begins(self) -> datetime:
        """The instant from which on the scheme counts."""
        later: datetime | None = self.cleaned_data["effective_from"]
        return later if self.cleaned_data["since"] == LATER and later is not None else self._now
