"""Picking lists, labels and shipments: redemptions on their way through a warehouse."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import FileResponse, HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from unfold.admin import ModelAdmin

from crm.adminkit import may, person
from crm.api import log_action
from crm.filekit import Cell, UnreadableFile, csv_pieces, shown_name, xlsx_file
from redemption.admin.redemption_forms import ChoiceForm, LabelForm
from redemption.admin.reward_forms import TableForm
from redemption.rewards.labels import LABEL_TITLES, LINES_SHOWN, TO_SEND, label_rows, picking_list, to_send
from redemption.rewards.shipments import TITLES, Parcel, Shipments, look_over_shipments, send
from redemption.rewards.tables import whole_file_in_words
from redemption.rewards.uploads import find_upload, keep_upload

HANDLE = "redemption.handle_redemption"
EXPORT = "redemption.export_redemption"
_SHIPMENTS = "shipments"
_SHOWN = 100
_XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def _context(model_admin: ModelAdmin, request: HttpRequest, title: str) -> dict[str, Any]:
    request.current_app = model_admin.admin_site.name
    return {
        **model_admin.admin_site.each_context(request),
        "title": title,
        "opts": model_admin.opts,
        "queue": reverse("admin:redemption_redemption_changelist"),
    }


def picking_view(model_admin: ModelAdmin, request: HttpRequest) -> HttpResponse:
    """What to take from which shelf, to be printed. It names nobody."""
    if not may(request, EXPORT):
        raise PermissionDenied
    form = ChoiceForm(request.GET if "states" in request.GET else {"states": [state.value for state in TO_SEND]})
    shelves = []
    if form.is_valid():
        reward = form.cleaned_data["reward"]
        shelves = picking_list(to_send(form.cleaned_data["states"], reward.pk if reward else None))
    context = {
        **_context(model_admin, request, _("Picking list")),
        "form": form,
        "shelves": shelves,
        "pieces": sum(shelf.pieces for shelf in shelves),
        "redemptions": sum(shelf.redemptions for shelf in shelves),
        "most": LINES_SHOWN,
        "cut": sum(len(shelf.lines) for shelf in shelves) >= LINES_SHOWN,
        "at": timezone.now(),
    }
    return TemplateResponse(request, "admin/redemption/redemption/picking.html", context)


def labels_view(model_admin: ModelAdmin, request: HttpRequest) -> HttpResponseBase:
    """Addresses for the carrier's program, as CSV or XLSX. Who took them and why is logged."""
    if not may(request, EXPORT):
        raise PermissionDenied
    form = LabelForm(request.POST or None)
    if not form.is_valid():
        number = to_send().count()
        context = {**_context(model_admin, request, _("Download addresses")), "form": form, "number": number}
        return TemplateResponse(request, "admin/redemption/redemption/labels.html", context)
    said = form.cleaned_data
    found = to_send(said["states"], said["reward"].pk if said["reward"] else None)
    log_action(
        "redemptions.export", actor_id=person(request), at=timezone.now(), reason=said["reason"],
        redemptions=found.count(), format=said["kind"],
    )  # fmt: skip
    return table_response("addresses", said["kind"], [str(title) for title in LABEL_TITLES], label_rows(found))


def table_response(name: str, kind: str, titles: list[str], rows: Iterable[tuple[Cell, ...]]) -> HttpResponseBase:
    """A table as a download: CSV piece by piece, XLSX from disk."""
    if kind == "xlsx":
        response: HttpResponseBase = FileResponse(xlsx_file(titles, rows), content_type=_XLSX)
    else:
        response = StreamingHttpResponse(csv_pieces(titles, rows), content_type="text/csv; charset=utf-8")
        kind = "csv"
    response["Content-Disposition"] = f'attachment; filename="{name}.{kind}"'
    return response


def shipments_view(model_admin: ModelAdmin, request: HttpRequest) -> HttpResponse:
    """Upload a table of parcels; see what it would do; do it; see what it did."""
    if not may(request, HANDLE):
        raise PermissionDenied
    if "word" in request.POST:
        return _send(model_admin, request)
    form = TableForm(request.POST or None, request.FILES or None)
    found: Shipments | None = None
    word = ""
    if form.is_valid():
        upload = form.cleaned_data["upload"]
        try:
            found = look_over_shipments(Path(upload.temporary_file_path()))
            content = [shown_name(upload.name), [tuple(parcel) for parcel in found.changes]]
            word = keep_upload(_SHIPMENTS, person(request), content)
        except UnreadableFile as error:
            form.add_error("upload", whole_file_in_words(error))
    context = {
        **_context(model_admin, request, _("Import shipments")),
        "form": form,
        "found": found,
        "word": word,
        **(_shown(found) if found else {}),
    }
    return TemplateResponse(request, "admin/redemption/redemption/shipments.html", context)


def _shown(found: Shipments) -> dict[str, Any]:
    return {
        "result": found,
        "refused": found.refused[:_SHOWN],
        "more": len(found.refused) > _SHOWN,
        "changes": len(found.changes),
    }


def _send(model_admin: ModelAdmin, request: HttpRequest) -> HttpResponse:
    kept = find_upload(_SHIPMENTS, person(request), request.POST["word"])
    if kept is None:
        messages.warning(request, _("This file no longer waits for its confirmation. Upload it again."))
        return redirect(reverse("admin:redemption_redemption_shipments"))
    name, rows = kept
    done = send([Parcel(*row) for row in rows], actor_id=person(request), at=timezone.now(), file=name)
    context = {**_context(model_admin, request, _("Import shipments")), "done": done, **_shown(done)}
    return TemplateResponse(request, "admin/redemption/redemption/shipments.html", context)


def sample_view(model_admin: ModelAdmin, request: HttpRequest) -> HttpResponse:
    """A file to begin with."""
    if not may(request, HANDLE):
        raise PermissionDenied
    chinese = (get_language() or "").startswith("zh")
    titles = [names[int(chinese)] for names in TITLES.values()]
    example = ("JF18", "顺丰" if chinese else "SF", "SF1234567890")
    response = HttpResponse("".join(csv_pieces(titles, [example])), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = 'attachment; filename="shipments.csv"'
    return response
