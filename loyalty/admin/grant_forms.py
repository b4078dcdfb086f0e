"""The forms of the pages for giving points to many."""

from datetime import date
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import UploadedFile
from django.template.defaultfilters import filesizeformat
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import UnfoldAdminIntegerFieldWidget, UnfoldAdminTextInputWidget, UnfoldBooleanWidget

from loyalty.grants.making import MAX_BYTES
from loyalty.grants.rows import MAX_REASON, MAX_YEARS, MOST
from loyalty.validity import programme_zone


def _reason(label: Any, help_text: Any = "", *, required: bool = True) -> forms.CharField:
    return forms.CharField(
        label=label,
        max_length=MAX_REASON,
        required=required,
        widget=UnfoldAdminTextInputWidget,
        help_text=help_text,
    )


class UploadForm(forms.Form):
    """A file of whom and how many points."""

    upload = forms.FileField(label=gettext_lazy("File"))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["upload"].widget.attrs["class"] = "pk-file"
        self.fields["upload"].help_text = _(
            "CSV or XLSX, up to %(limit)s. Nothing is given before you have seen and confirmed what is in it."
        ) % {"limit": filesizeformat(MAX_BYTES)}

    def clean_upload(self) -> "UploadedFile[Any]":
        file: UploadedFile[Any] = self.cleaned_data["upload"]
        if (file.size or 0) > MAX_BYTES:
            raise ValidationError(
                _("“%(name)s” is larger than %(limit)s. Split it into several files.")
                % {"name": file.name, "limit": filesizeformat(MAX_BYTES)}
            )
        return file


class PointsForm(forms.Form):
    """The same for all chosen members."""

    points = forms.IntegerField(
        label=gettext_lazy("Points for each member"),
        min_value=-MOST,
        max_value=MOST,
        widget=UnfoldAdminIntegerFieldWidget,
        help_text=gettext_lazy("Positive gives points, negative takes them away."),
    )
    valid_through = forms.DateField(
        label=gettext_lazy("Valid through"),
        required=False,
        widget=UnfoldAdminTextInputWidget(attrs={"type": "date"}),
        help_text=gettext_lazy("Empty: as long as the programme's policy says."),
    )

    def clean_points(self) -> int:
        points: int = self.cleaned_data["points"]
        if points == 0:
            raise ValidationError(_("Zero points change nothing."))
        return points

    def clean_valid_through(self) -> date | None:
        day: date | None = self.cleaned_data["valid_through"]
        today = timezone.now().astimezone(programme_zone()).date()
        if day is not None and day < today:
            raise ValidationError(_("This day is over."))
        if day is not None and day.year > today.year + MAX_YEARS:
            raise ValidationError(_("This is more than a hundred years from now. Check the year."))
        return day

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if data.get("valid_through") and data.get("points", 0) < 0:
            self.add_error("valid_through", ValidationError(_("Points that are taken away have no validity.")))
        return data


class ConfirmForm(forms.Form):
    """The maker's word. What there is no occasion for is not asked."""

    reason = _reason(gettext_lazy("Reason"), gettext_lazy("The members see it in their statements."))
    with_duplicates = forms.BooleanField(
        label=gettext_lazy("Post the rows that say the same as another row, too"),
        required=False,
        widget=UnfoldBooleanWidget,
    )
    again = forms.BooleanField(
        label=gettext_lazy("Post again, on purpose, what was given before"), required=False, widget=UnfoldBooleanWidget
    )
    repeat_reason = _reason(
        gettext_lazy("Why it is given again"), gettext_lazy("Kept in the staff log."), required=False
    )

    def __init__(self, *args: Any, duplicates: bool, repeats: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not duplicates:
            del self.fields["with_duplicates"]
        if not repeats:
            del self.fields["again"], self.fields["repeat_reason"]

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if data.get("again") and not data.get("repeat_reason") and "repeat_reason" not in self.errors:
            self.add_error("repeat_reason", ValidationError(_("Say why the same points are given again.")))
        return data

    def choices(self) -> dict[str, Any]:
        """What ``loyalty.grants.approval.confirm`` wants to know."""
        data = self.cleaned_data
        return {
            "reason": data["reason"],
            "with_duplicates": data.get("with_duplicates", False),
            "repeat_reason": data.get("repeat_reason", "") if data.get("again") else "",
        }


class ReasonForm(forms.Form):
    """A no, and why."""

    reason = _reason(gettext_lazy("Why not"), gettext_lazy("Kept in the staff log."))


class RemarkForm(forms.Form):
    """A yes, and what there is to say about it."""

    remark = _reason(gettext_lazy("Remark"), gettext_lazy("May stay empty. Kept in the staff log."), required=False)
