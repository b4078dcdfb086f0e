"""Importing a list of members: upload, look, confirm, follow, report."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.conf import settings
from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.files.uploadedfile import UploadedFile
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.template.defaultfilters import filesizeformat
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy
from unfold.admin import ModelAdmin
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from crm.admin.exchange import reason_field
from crm.adminkit import PERSONAL_DATA, Text, masked_email, masked_phone, may, person
from crm.choices import ListKind
from crm.feeds.records import UnreadableFile
from crm.imports.jobs import WrongState
from crm.imports.uploads import is_packed
from crm.memberlists import jobs
from crm.memberlists.importing import ListReport
from crm.memberlists.messages import row_in_words, unreadable_in_words
from crm.models import ImportJob, MemberList, MemberListProblem, PlatformTool
from crm.tablefiles import csv_pieces

State = ImportJob.State
MOST_BYTES = 50 * 1024**2
# Smaller uploads are looked at while the person waits; larger and packed ones by a worker, with the page polling.
CHECK_AT_ONCE = 256 * 1024
PROBLEMS_SHOWN = 50
_LATEST = 10
_MOVING = (State.CHECKING, State.QUEUED, State.RUNNING)
# What these say names a person by his phone or his mail address.
_OF_CONTACTS = ("contact_unreadable", "unknown_contact", "ambiguous_contact")
_MASK = "•••"

STATE_COLOURS = {
    State.CHECKING: "info", State.READY: "warning", State.QUEUED: "info", State.RUNNING: "primary",
    State.DONE: "success", State.FAILED: "danger", State.CANCELLED: "default",
}  # fmt: skip


class ListForm(forms.Form):
    """The file, what it is about, and why it is imported."""

    kind = forms.ChoiceField(label=gettext_lazy("What the file is for"), widget=UnfoldAdminSelectWidget)
    tool = forms.ModelChoiceField(
        label=gettext_lazy("Tool"), queryset=PlatformTool.objects.none(), widget=UnfoldAdminSelectWidget
    )
    day = forms.DateField(
        label=pgettext_lazy("of a file of grades", "As of"),
        widget=UnfoldAdminTextInputWidget(attrs={"type": "date"}),
        help_text=gettext_lazy("When the tool said this. What it said later stays, whichever file comes first."),
    )
    upload = forms.FileField(label=gettext_lazy("File"))
    reason = reason_field()

    def __init__(self, *args: Any, kinds: Sequence[ListKind], today: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["kind"].choices = [(kind.value, kind.label) for kind in kinds]  # type: ignore[attr-defined]
        self.fields["upload"].widget.attrs["class"] = "pk-file"
        self.fields["upload"].help_text = _("CSV or XLSX, up to %(limit)s.") % {"limit": filesizeformat(MOST_BYTES)}
        self.today = today
        if len(kinds) == 1:
            self.fields["kind"].widget = forms.HiddenInput()
            self.fields["kind"].initial = kinds[0]
        if ListKind.GRADES in kinds:
            self.fields["tool"].queryset = PlatformTool.objects.all()  # type: ignore[attr-defined]
            self.fields["day"].initial = today
        else:
            del self.fields["tool"], self.fields["day"]

    def clean_upload(self) -> "UploadedFile[Any]":
        upload: UploadedFile[Any] = self.cleaned_data["upload"]
        if (upload.size or 0) > MOST_BYTES:
            raise ValidationError(_("The file is larger than %(limit)s.") % {"limit": filesizeformat(MOST_BYTES)})
        return upload

    def clean_day(self) -> Any:
        if self.cleaned_data["day"] > self.today:
            raise ValidationError(_("This day is still to come."))
        return self.cleaned_data["day"]

    def create(self, *, actor_id: int, at: datetime) -> MemberList:
        """Keep what was filled in as a list that waits to be looked at."""
        said = self.cleaned_data
        zone = ZoneInfo(settings.PROGRAMME_TIME_ZONE)
        seen_at = datetime.combine(said["day"], time.min, zone) if "day" in self.fields else at
        tool = said.get("tool")
        return jobs.create(
            kind=ListKind(said["kind"]), tool_id=tool.pk if tool else None, seen_at=seen_at, reason=said["reason"],
            upload=said["upload"], actor_id=actor_id, at=at,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class ShownProblem:
    """A row that is left out, as a person reads it."""

    line_no: int
    who: str
    column: str
    reason: str


def import_page(
    model_admin: ModelAdmin, request: HttpRequest, kinds: Sequence[ListKind], permission: str, title: Text
) -> HttpResponseBase:
    """The page of all steps, for those with the permission. Its address names the list (``?list=``), and what of it:
    its progress (``&part=progress``) or all rows that are left out (``&part=rows``)."""
    if not may(request, permission):
        raise PermissionDenied
    context = {
        **model_admin.admin_site.each_context(request), "title": title, "opts": model_admin.opts,
        "grades": ListKind.GRADES in kinds,
    }  # fmt: skip
    if "list" not in request.GET:
        return _upload_page(request, kinds, context)
    found = _find(request.GET["list"], kinds)
    match request.GET.get("part"):
        case "rows":
            return _rows_left_out(request, found)
        case "progress":
            return _progress(request, found)
    if request.method == "POST":
        return _step(request, found)
    return TemplateResponse(request, "admin/crm/memberlist/list.html", {**context, **_shown_list(request, found)})


def _upload_page(request: HttpRequest, kinds: Sequence[ListKind], context: dict[str, Any]) -> HttpResponse:
    now = timezone.now()
    today = now.astimezone(ZoneInfo(settings.PROGRAMME_TIME_ZONE)).date()
    form = ListForm(request.POST or None, request.FILES or None, kinds=kinds, today=today)
    if request.method == "POST" and form.is_valid():
        upload = form.cleaned_data["upload"]
        found = form.create(actor_id=person(request), at=now)
        if upload.size <= CHECK_AT_ONCE and not is_packed(upload):
            jobs.check(found.pk, clock=timezone.now)
        else:
            jobs.check_later(found.pk)
        return HttpResponseRedirect(_address(request, found))
    latest = MemberList.objects.filter(kind__in=kinds).select_related("tool", "created_by")[:_LATEST]
    return TemplateResponse(request, "admin/crm/memberlist/upload.html", {
        **context, "form": form, "no_tools": ListKind.GRADES in kinds and not PlatformTool.objects.exists(),
        "latest": [(each, STATE_COLOURS[State(each.state)], ListReport.from_json(each.report)) for each in latest],
    })  # fmt: skip


def _find(number: str, kinds: Sequence[ListKind]) -> MemberList:
    """A list of one of these kinds. Raises Http404."""
    found = None
    if number.isascii() and number.isdigit() and len(number) <= 18:
        people = ("tool", "created_by", "confirmed_by")
        found = MemberList.objects.select_related(*people).filter(pk=int(number), kind__in=kinds).first()
    if found is None:
        raise Http404
    return found


def _shown_list(request: HttpRequest, found: MemberList) -> dict[str, Any]:
    state, stalled, full = State(found.state), jobs.is_stalled(found, timezone.now()), may(request, PERSONAL_DATA)
    return {
        **_moving(found, stalled),
        "report": ListReport.from_json(found.report),
        "rows_address": f"?list={found.pk}&part=rows",
        "state_colour": STATE_COLOURS[state],
        "counted": bool(found.report),
        # Until the first batch is written the figures are those of the look.
        "begun": found.next_line > 0 or state == State.DONE,
        "error": _error_in_words(found.error),
        "may_confirm": state == State.READY,
        "may_resume": "code" not in found.error and (state == State.FAILED or stalled),
        "may_discard": state in (State.CHECKING, State.READY, State.FAILED) and not found.next_line,
        "problems": [_shown(row, full=full) for row in found.problems.all()[:PROBLEMS_SHOWN]],
    }


def _moving(found: MemberList, stalled: bool) -> dict[str, Any]:
    percent = min(100, found.done * 100 // found.rows) if found.rows else 0
    return {"list": found, "busy": found.state in _MOVING and not stalled, "stalled": stalled, "percent": percent}


def _progress(request: HttpRequest, found: MemberList) -> HttpResponse:
    """The part of the page that moves. When the list has stopped moving, the browser is told to load the page."""
    context = _moving(found, jobs.is_stalled(found, timezone.now()))
    response = TemplateResponse(request, "admin/crm/memberlist/progress.html", context)
    if not context["busy"]:
        response["HX-Refresh"] = "true"
    return response


def _error_in_words(error: Mapping[str, Any]) -> str:
    if code := error.get("code"):
        return unreadable_in_words(UnreadableFile(code, **error["params"]))
    sentence = error.get("said", "")
    return _(sentence) if sentence else ""


_STEPS: Mapping[str, Callable[[int, int, datetime], None]] = {
    "confirm": lambda pk, actor_id, at: jobs.confirm(pk, actor_id=actor_id, at=at),
    "resume": lambda pk, actor_id, at: jobs.resume(pk, actor_id=actor_id, at=at),
    "discard": lambda pk, actor_id, at: jobs.discard(pk, at=at),
}


def _step(request: HttpRequest, found: MemberList) -> HttpResponse:
    try:
        _STEPS.get(request.POST.get("step", ""), _STEPS["confirm"])(found.pk, person(request), timezone.now())
    except WrongState:
        messages.warning(request, _("This step is no longer possible: the import has moved on in the meantime."))
    return HttpResponseRedirect(_address(request, found))


def _rows_left_out(request: HttpRequest, found: MemberList) -> StreamingHttpResponse:
    """Every row that is left out as CSV, streamed."""
    full = may(request, PERSONAL_DATA)
    titles = [_("Line"), _("Whom it seems to mean"), _("Column"), _("Reason")]
    problems = (_shown(row, full=full) for row in found.problems.all().iterator(chunk_size=2000))
    rows = ((shown.line_no, shown.who, shown.column, shown.reason) for shown in problems)
    response = StreamingHttpResponse(csv_pieces(titles, rows), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="rows-left-out-{found.pk}.csv"'
    return response


def _shown(row: MemberListProblem, *, full: bool) -> ShownProblem:
    contact = row.contact if full else (masked_email if "@" in row.contact else masked_phone)(row.contact)
    value = row.value if full or row.code not in _OF_CONTACTS else _MASK
    return ShownProblem(row.line_no, row.who or contact, row.column, row_in_words(row.code, row.column, value))


def _address(request: HttpRequest, found: MemberList) -> str:
    return f"{request.path}?list={found.pk}"
