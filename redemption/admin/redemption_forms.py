"""The forms of the pages of redemptions."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanWidget,
)

from redemption.admin.reward_forms import reason_field
from redemption.models import Redemption, Reward
from redemption.rewards.choices import RedemptionState, RewardKind
from redemption.rewards.labels import TO_SEND
from redemption.rewards.paid_orders import numbers_in


class SureForm(forms.Form):
    """An act that asks nothing but whether it is meant."""


class ReasonForm(forms.Form):
    """An act that asks why."""

    reason = reason_field()


class StrayForm(ReasonForm):
    """A payment that fits nothing: what it was for, if somebody knows; else what was done about it."""

    redemption = forms.CharField(
        label=_("Redemption number"),
        required=False,
        max_length=30,
        widget=UnfoldAdminTextInputWidget,
        help_text=_("If you know what it was paid for, such as JF18. Leave it empty if you have paid the money back."),
    )

    def clean_redemption(self) -> int | None:
        typed: str = self.cleaned_data["redemption"].strip()
        if not typed:
            return None
        ids = numbers_in(typed)
        if len(ids) != 1:
            raise ValidationError(_("This is no redemption number. It begins with JF and has a check digit."))
        if not Redemption.objects.filter(pk=ids[0], cash__gt=0).exists():
            raise ValidationError(_("There is no redemption with this number that costs cash."))
        return ids[0]


class CarrierForm(forms.Form):
    """Many parcels that a carrier has taken, whose numbers come later or never."""

    carrier = forms.CharField(
        label=_("Carrier"),
        max_length=60,
        widget=UnfoldAdminTextInputWidget,
        help_text=_("Without parcel numbers. If you have those, import the shipments from a table instead."),
    )


class ParcelForm(forms.Form):
    """One parcel."""

    carrier = forms.CharField(label=_("Carrier"), max_length=60, widget=UnfoldAdminTextInputWidget)
    tracking_number = forms.CharField(label=_("Parcel number"), max_length=60, widget=UnfoldAdminTextInputWidget)


class PiecesForm(forms.Form):
    """How many pieces, and why. ``seen`` is how many there were of them on the page, so that a second click changes
    nothing."""

    pieces = forms.IntegerField(label=_("Pieces"), min_value=1, widget=UnfoldAdminIntegerFieldWidget)
    reason = reason_field()
    seen = forms.IntegerField(widget=forms.HiddenInput, min_value=0)


class BackForm(PiecesForm):
    """Pieces that came back."""

    restock = forms.BooleanField(
        label=_("They can be sold again: put them back into the stock"), required=False, widget=UnfoldBooleanWidget
    )
    field_order = ["pieces", "restock", "reason", "seen"]


def act_forms(redemption: Redemption) -> dict[str, forms.Form]:
    """Return the forms of a redemption's page, filled in as it stands."""
    return {
        "ship": ParcelForm(initial={"carrier": redemption.carrier, "tracking_number": redemption.tracking_number}),
        "pay": ReasonForm(),
        "cancel": PiecesForm(initial={"pieces": redemption.left, "seen": redemption.cancelled}),
        "return": BackForm(initial={"pieces": redemption.left, "seen": redemption.returned}),
    }


FORMS: dict[str, type[forms.Form]] = {
    "confirm": SureForm,
    "ship": ParcelForm,
    "receive": SureForm,
    "pay": ReasonForm,
    "cancel": PiecesForm,
    "return": BackForm,
}


class ChoiceForm(forms.Form):
    """Which redemptions of goods a list is made of."""

    states = forms.MultipleChoiceField(
        label=_("State"),
        choices=[(state.value, state.label) for state in TO_SEND],
        initial=[state.value for state in TO_SEND],
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
    )
    reward: Any = forms.ModelChoiceField(
        label=_("Reward"), queryset=None, required=False, empty_label=_("All"), widget=UnfoldAdminSelectWidget
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field: Any = self.fields["reward"]
        field.queryset = Reward.objects.filter(kind=RewardKind.GOODS)


class LabelForm(ChoiceForm):
    """Which addresses go out, in which format, and why."""

    kind = forms.ChoiceField(
        label=_("Format"), choices=[("xlsx", "XLSX"), ("csv", "CSV")], widget=UnfoldAdminSelectWidget
    )
    reason = reason_field()


STATE_COLOURS = {
    RedemptionState.PLACED: "warning",
    RedemptionState.AWAITING: "info",
    RedemptionState.CONFIRMED: "primary",
    RedemptionState.SHIPPED: "success",
    RedemptionState.RECEIVED: "success",
    RedemptionState.CANCELLED: "default",
    RedemptionState.RETURNED: "danger",
}
