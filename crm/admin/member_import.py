"""Members out to a spreadsheet and back in, with permissions and the staff log."""

from typing import Any

from django import forms
from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from import_export.admin import ImportExportMixin
from import_export.formats.base_formats import CSV, XLSX
from import_export.forms import ConfirmImportForm
from import_export.results import Result, RowResult
from import_export.tmp_storages import CacheStorage
from unfold.contrib.import_export.forms import ExportForm, ImportForm
from unfold.widgets import UnfoldAdminTextInputWidget

from crm.adminkit import PERSONAL_DATA, may, person
from crm.imports.jobs import FILE_CHANGED
from crm.models import Member
from crm.resources import TITLES, MemberResource
from crm.stafflog import log_action


def _with_titles(response: HttpResponse) -> HttpResponse:
    """Name the columns on the page as they are named in the file."""
    if isinstance(response, TemplateResponse) and response.context_data and "fields_list" in response.context_data:
        response.context_data["fields_list"] = [("", list(TITLES.values()))]
    return response


def _reason() -> forms.CharField:
    return forms.CharField(
        label=_("Reason"),
        max_length=300,
        widget=UnfoldAdminTextInputWidget(),
        help_text=_("Kept in the staff log."),
    )


class MemberExportForm(ExportForm):
    reason = _reason()


class MemberImportForm(ImportForm):
    reason = _reason()
    field_order = ["resource", "import_file", "format", "reason"]


class MemberConfirmForm(ConfirmImportForm):
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


class MemberImportExportMixin(ImportExportMixin):
    """Exports are masked for those who may not see personal data; imports need that permission, as their preview shows
    what is stored."""

    resource_classes = [MemberResource]
    formats = [CSV, XLSX]
    import_form_class = MemberImportForm
    confirm_form_class = MemberConfirmForm
    export_form_class = MemberExportForm
    to_encoding = "utf-8-sig"
    skip_admin_log = True  # The staff log has one line for the whole file.
    tmp_storage_class = WaitingFile

    def has_export_permission(self, request: HttpRequest) -> bool:
        return may(request, "crm.export_member")

    def has_import_permission(self, request: HttpRequest) -> bool:
        return all(may(request, name) for name in ("crm.add_member", "crm.change_member", PERSONAL_DATA))

    def get_export_resource_kwargs(self, request: HttpRequest, **kwargs: Any) -> dict[str, Any]:
        return {"full": may(request, PERSONAL_DATA)}

    def get_import_resource_kwargs(self, request: HttpRequest, **kwargs: Any) -> dict[str, Any]:
        return {"full": True, "at": timezone.now()}

    def get_export_data(self, file_format: Any, request: HttpRequest, queryset: QuerySet[Member], **kwargs: Any) -> Any:
        members = queryset.order_by("pk").prefetch_related("identities__channel")
        data = super().get_export_data(file_format, request, members, **kwargs)
        log_action(
            "members.export",
            actor_id=person(request),
            at=timezone.now(),
            reason=kwargs["export_form"].cleaned_data["reason"],
            members=len(members),
            masked=not may(request, PERSONAL_DATA),
            format=file_format.get_title(),
        )
        return data

    def export_action(self, request: HttpRequest) -> HttpResponse:
        return _with_titles(super().export_action(request))

    def import_action(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        return _with_titles(super().import_action(request, **kwargs))

    def process_import(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        try:
            response: HttpResponse = super().process_import(request, **kwargs)
        except FileGone:
            messages.error(request, gettext(FILE_CHANGED))
            return redirect("admin:crm_member_import")
        return response

    def get_confirm_form_initial(self, request: HttpRequest, import_form: Any) -> dict[str, Any]:
        initial: dict[str, Any] = super().get_confirm_form_initial(request, import_form)
        if import_form is not None:
            initial["reason"] = import_form.cleaned_data["reason"]
        return initial

    def process_dataset(self, dataset: Any, form: forms.Form, request: HttpRequest, **kwargs: Any) -> Result:
        result = super().process_dataset(dataset, form, request, **kwargs)
        log_action(
            "members.import",
            actor_id=person(request),
            at=timezone.now(),
            reason=form.cleaned_data["reason"],
            file=form.cleaned_data["original_file_name"],
            new=result.totals[RowResult.IMPORT_TYPE_NEW],
            updated=result.totals[RowResult.IMPORT_TYPE_UPDATE],
            unchanged=result.totals[RowResult.IMPORT_TYPE_SKIP],
            refused=len(result.invalid_rows),
        )
        return result

    def add_success_message(self, result: Result, request: HttpRequest) -> None:
        message = _("Members imported: %(new)s new, %(updated)s changed, %(unchanged)s unchanged.")
        figures = {
            "new": result.totals[RowResult.IMPORT_TYPE_NEW],
            "updated": result.totals[RowResult.IMPORT_TYPE_UPDATE],
            "unchanged": result.totals[RowResult.IMPORT_TYPE_SKIP],
        }
        messages.success(request, message % figures)
