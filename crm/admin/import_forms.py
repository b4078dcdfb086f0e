"""The upload form."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import UploadedFile
from django.template.defaultfilters import filesizeformat
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminSelectWidget

from crm.imports.uploads import MAX_BYTES, MAX_FILES
from crm.models import Channel, ImportProfile


class _FilesInput(forms.ClearableFileInput):
    allow_multiple_selected = True


class FilesField(forms.FileField):
    """One or several files; cleaned to a list."""

    widget = _FilesInput

    def clean(self, data: Any, initial: Any = None) -> "list[UploadedFile[Any]]":
        chosen = data if isinstance(data, list | tuple) and data else [data or None]
        files = [super(FilesField, self).clean(file, initial) for file in chosen]
        if len(files) > MAX_FILES:
            raise ValidationError(_("At most %(limit)s files at once.") % {"limit": MAX_FILES})
        for file in files:
            if file.size > MAX_BYTES:
                raise ValidationError(
                    _("“%(name)s” is larger than %(limit)s.") % {"name": file.name, "limit": filesizeformat(MAX_BYTES)}
                )
        return files


class UploadForm(forms.Form):
    """What to import, and into which shop. What a file is shows in its content, not in its name."""

    channel = forms.ModelChoiceField(
        label=_("Channel"), queryset=Channel.objects.none(), empty_label=None, widget=UnfoldAdminSelectWidget
    )
    profile = forms.ModelChoiceField(
        label=_("Format"),
        queryset=ImportProfile.objects.none(),
        required=False,
        empty_label=_("Taobao or Tmall export, recognised by its columns"),
        help_text=_("For a file of your own with other columns, make an import profile first."),
        widget=UnfoldAdminSelectWidget,
    )
    uploads = FilesField(label=_("Files"))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Named here and not above, so that every form sees the shops and profiles of its own moment.
        self.fields["channel"].queryset = Channel.objects.all()  # type: ignore[attr-defined]
        self.fields["profile"].queryset = ImportProfile.objects.all()  # type: ignore[attr-defined]
        self.fields["uploads"].widget.attrs["class"] = "pk-file"
        self.fields["uploads"].help_text = _(
            "Order lists, detail lists and refund lists, as CSV or XLSX, up to %(limit)s each. "
            "Nothing is written before you have seen and confirmed what is in them."
        ) % {"limit": filesizeformat(MAX_BYTES)}
