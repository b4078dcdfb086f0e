"""The forms of the reward pages."""

from typing import Any

from django import forms
from django.apps import apps
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import UploadedFile
from django.template.defaultfilters import filesizeformat
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminTextInputWidget,
)

from redemption.models import Reward
from redemption.rewards.choices import RewardKind

MAX_FILE = 10 * 1024**2


def reason_field() -> forms.CharField:
    """Return the field for why somebody does something that is kept."""
    return forms.CharField(
        label=gettext_lazy("Reason"),
        max_length=300,
        widget=UnfoldAdminTextInputWidget(),
        help_text=gettext_lazy("Kept in the staff log."),
    )


class RewardForm(forms.ModelForm):  # type: ignore[type-arg]
    """A reward with its tags; a new one also with its first stock."""

    needed_tags: Any = forms.ModelMultipleChoiceField(
        label=gettext_lazy("Only for members with one of these tags"),
        queryset=None,
        required=False,
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        help_text=gettext_lazy("None ticked: for everybody."),
    )
    barred_tags: Any = forms.ModelMultipleChoiceField(
        label=gettext_lazy("Not for members with one of these tags"),
        queryset=None,
        required=False,
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
    )
    pieces = forms.IntegerField(
        label=gettext_lazy("Pieces to begin with"),
        required=False,
        min_value=0,
        max_value=10_000_000,
        widget=UnfoldAdminIntegerFieldWidget,
        help_text=gettext_lazy("What is there. Later changes are made on the page of the stock, with a reason."),
    )
    safety = forms.IntegerField(
        label=gettext_lazy("Safety stock"),
        required=False,
        min_value=0,
        max_value=10_000_000,
        widget=UnfoldAdminIntegerFieldWidget,
        help_text=gettext_lazy("Pieces that are there and kept back."),
    )

    class Meta:
        model = Reward
        fields = (
            "name", "kind", "counted", "description", "category", "position", "points", "cash", "list_price",
            "pay_hours", "active", "starts_at", "ends_at", "min_tier", "visibility", "limit_day", "limit_window",
            "limit_ever", "most_at_once",
        )  # fmt: skip

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        tags = apps.get_model("crm", "Tag").objects.all()
        for name, barred in (("needed_tags", False), ("barred_tags", True)):
            field: Any = self.fields.get(name)
            if field is None:  # Whoever may only look gets no fields.
                continue
            field.queryset = tags
            if self.instance.pk is not None:
                field.initial = list(self.instance.tag_rules.filter(barred=barred).values_list("tag", flat=True))

    def clean(self) -> dict[str, Any]:
        said: dict[str, Any] = super().clean() or self.cleaned_data
        kind = said.get("kind") or self.instance.kind
        if kind == RewardKind.GOODS:
            said["counted"] = True
        elif kind == RewardKind.DIGITAL:
            said["counted"] = False
        if {tag.pk for tag in said.get("needed_tags") or ()} & {tag.pk for tag in said.get("barred_tags") or ()}:
            self.add_error("barred_tags", ValidationError(_("A tag cannot be asked for and shut out at once.")))
        starts, ends = said.get("starts_at"), said.get("ends_at")
        if starts and ends and starts >= ends:
            self.add_error("ends_at", ValidationError(_("The offer has to end after it begins.")))
        if said.get("limit_window") and not starts:
            self.add_error(
                "limit_window", ValidationError(_("Say from when it is offered: the pieces are counted from then on."))
            )
        if (said.get("safety") or 0) > (said.get("pieces") or 0):
            self.add_error("safety", ValidationError(_("More cannot be kept back than is there.")))
        return said


class StockForm(forms.Form):
    """What came or went, and why. ``after`` is the latest change on the page: a second click changes nothing."""

    pieces = forms.IntegerField(
        label=gettext_lazy("Pieces that came or went"),
        required=False,
        min_value=-10_000_000,
        max_value=10_000_000,
        widget=UnfoldAdminIntegerFieldWidget,
        help_text=gettext_lazy("Positive: they came. Negative: they went, by another way than a redemption."),
    )
    safety = forms.IntegerField(
        label=gettext_lazy("Safety stock from now on"),
        min_value=0,
        max_value=10_000_000,
        widget=UnfoldAdminIntegerFieldWidget,
        help_text=gettext_lazy("Pieces that are there and kept back."),
    )
    reason = reason_field()
    after = forms.IntegerField(widget=forms.HiddenInput)


class TableForm(forms.Form):
    """A table to be looked over."""

    upload = forms.FileField(label=gettext_lazy("File"))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["upload"].widget.attrs["class"] = "pk-file"
        self.fields["upload"].help_text = _(
            "CSV or XLSX, up to %(limit)s. Nothing is written before you have seen what is in it."
        ) % {"limit": filesizeformat(MAX_FILE)}

    def clean_upload(self) -> "UploadedFile[Any]":
        file: UploadedFile[Any] = self.cleaned_data["upload"]
        if (file.size or 0) > MAX_FILE:
            raise ValidationError(
                _("“%(name)s” is larger than %(limit)s. Split it into several files.")
                % {"name": file.name, "limit": filesizeformat(MAX_FILE)}
            )
        return file


class PreviewForm(forms.Form):
    """As whom, and when."""

    member_q = forms.CharField(
        label=gettext_lazy("Find a member"),
        required=False,
        max_length=120,
        widget=UnfoldAdminTextInputWidget(attrs={"type": "search", "autocomplete": "off"}),
        help_text=gettext_lazy("Name, platform name or number, or a whole phone number or mail address"),
    )
    at = forms.DateTimeField(
        label=gettext_lazy("At"),
        required=False,
        widget=UnfoldAdminTextInputWidget(attrs={"type": "datetime-local"}),
        help_text=gettext_lazy("Empty: now."),
    )
    member = forms.IntegerField(required=False, min_value=1, max_value=2**63 - 1)
