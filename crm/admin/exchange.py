"""Tables out to a spreadsheet and back in, with permissions and the staff log: what all such pages have in common."""

from collections.abc import Mapping
from typing import Any, ClassVar

from django import forms
from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from import_export.admin import ImportExportMixin
from import_export.formats.base_formats import CSV, XLSX
from import_export.forms import ConfirmImportForm
from import_export.results import Result, RowResult
from import_export.tmp_storages import CacheStorage
from unfold.contrib.import_export.forms import ExportForm, ImportForm
from unfold.widgets import UnfoldAdminTextInputWidget

from crm.adminkit import person
from crm.imports.jobs import FILE_CHANGED
from crm.stafflog import log_action


def reason_field() -> forms.CharField:
    """Return the field for why a person does something to many rows at once."""
    return forms.CharField(
        label=_("Reason"),
        max_length=300,
        widget=UnfoldAdminTextInputWidget(),
        help_text=_("Kept in the staff log."),
    )


class SheetExportForm(ExportForm):
    reason = reason_field()


class SheetImportForm(ImportForm):
    reason = reason_field()
    field_order = ["resource", "import_file", "format", "reason"]


class SheetConfirmForm(ConfirmImportForm):
    reason = forms.CharField(widget=forms.HiddenInput(), max_length=300)


class FileGone(Exception):
    """The file that was to be imported no longer waits: it was imported by an earlier click, or its day is over."""


class WaitingFile(CacheStorage):
    """A file between preview and confirmation, in the cache, from where it vanishes by itself."""

    def read(self) -> Any:
        content = super().read()
        if content is None:
            raise FileGone
        return content


class SheetAdminMixin(ImportExportMixin):
    """The pages for exporting and importing. ``noun`` is the plural that the staff log knows the rows by; a subclass
    says who may export and import, and which rows go out."""

    noun: ClassVar[str]
    imported_message: ClassVar[str | Promise]
    titles: ClassVar[Mapping[str, Promise]]
    formats = [CSV, XLSX]
    import_form_class = SheetImportForm
    confirm_form_class = SheetConfirmForm
    export_form_class = SheetExportForm
    to_encoding = "utf-8-sig"
    skip_admin_log = True  # The staff log has one line for the whole file.
    tmp_storage_class = WaitingFile

    def exported_rows(self, queryset: "QuerySet[Any]") -> "QuerySet[Any]":
        """Put the rows into order and fetch what their columns need."""
        return queryset.order_by("pk")

    def export_details(self, request: HttpRequest) -> dict[str, Any]:
        """Return what else the staff log should say of an export."""
        return {}

    def get_export_data(self, file_format: Any, request: HttpRequest, queryset: "QuerySet[Any]", **kwargs: Any) -> Any:
        rows = self.exported_rows(queryset)
        data = super().get_export_data(file_format, request, rows, **kwargs)
        log_action(
            f"{self.noun}.export",
            actor_id=person(request),
            at=timezone.now(),
            reason=kwargs["export_form"].cleaned_data["reason"],
            **{self.noun: len(rows)},
            **self.export_details(request),
            format=file_format.get_title(),
        )
        return data

    def export_action(self, request: HttpRequest) -> HttpResponse:
        return self._with_titles(super().export_action(request))

    def import_action(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        return self._with_titles(super().import_action(request, **kwargs))

    def _with_titles(self, response: HttpResponse) -> HttpResponse:
        """Name the columns on the page as they are named in the file."""
        if isinstance(response, TemplateResponse) and response.context_data and "fields_list" in response.context_data:
            response.context_data["fields_list"] = [("", list(self.titles.values()))]
        return response

    def process_import(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        try:
            response: HttpResponse = super().process_import(request, **kwargs)
        except FileGone:
            messages.error(request, gettext(FILE_CHANGED))
            return redirect(f"admin:crm_{self.opts.model_name}_import")
        return response

    def get_confirm_form_initial(self, request: HttpRequest, import_form: Any) -> dict[str, Any]:
        initial: dict[str, Any] = super().get_confirm_form_initial(request, import_form)
        if import_form is not None:
            initial["reason"] = import_form.cleaned_data["reason"]
        return initial

    def process_dataset(self, dataset: Any, form: forms.Form, request: HttpRequest, **kwargs: Any) -> Result:
        result = super().process_dataset(dataset, form, request, **kwargs)
        log_action(
            f"{self.noun}.import",
            actor_id=person(request),
            at=timezone.now(),
            reason=form.cleaned_data["reason"],
            file=form.cleaned_data["original_file_name"],
            refused=len(result.invalid_rows),
            **_figures(result),
        )
        return result

    def add_success_message(self, result: Result, request: HttpRequest) -> None:
        messages.success(request, self.imported_message % _figures(result))


def _figures(result: Result) -> dict[str, int]:
    return {
        "new": result.totals[RowResult.IMPORT_TYPE_NEW],
        "updated": result.totals[RowResult.IMPORT_TYPE_UPDATE],
        "unchanged": result.totals[RowResult.IMPORT_TYPE_SKIP],
    }
