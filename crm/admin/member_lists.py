"""Importing a list of members: upload, look, confirm, report. What waits in between is in the cache for an hour."""

import secrets
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, time
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.conf import settings
from django.contrib import messages
from django.core.cache import cache
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
from crm.feeds.records import UnreadableFile
from crm.imports.jobs import FILE_CHANGED
from crm.imports.uploads import shown_name
from crm.memberlists.importing import ListKind, ListReport, Terms, import_list, look
from crm.memberlists.messages import row_in_words, unreadable_in_words
from crm.memberlists.staging import ListProblem
from crm.models import PlatformTool
from crm.tablefiles import csv_pieces

MOST_BYTES = 20 * 1024**2
_KEPT = 3600  # Seconds.
# What these say names a person by his phone or his mail address.
_OF_CONTACTS = ("contact_unreadable", "unknown_contact", "ambiguous_contact")
_MASK = "•••"

KINDS = {
    ListKind.GRADES: gettext_lazy("Grades on a tool"),
    ListKind.NO_DISCOUNT: gettext_lazy("Put members on the list"),
    ListKind.DISCOUNT_AGAIN: gettext_lazy("Take members off the list"),
}


@dataclass(frozen=True, slots=True)
class Waiting:
    """A file that waits for a word, or whose import is done (``report``)."""

    user_id: int
    name: str
    terms: Terms
    content: bytes
    report: ListReport | None = None


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
        self.fields["kind"].choices = [(kind, KINDS[kind]) for kind in kinds]  # type: ignore[attr-defined]
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

    def terms(self, at: datetime) -> Terms:
        """What was filled in."""
        zone = ZoneInfo(settings.PROGRAMME_TIME_ZONE)
        seen_at = datetime.combine(self.cleaned_data["day"], time.min, zone) if "day" in self.fields else at
        tool = self.cleaned_data.get("tool")
        kind = ListKind(self.cleaned_data["kind"])
        return Terms(kind, seen_at, self.cleaned_data["reason"], tool.pk if tool else None)


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
    """The page of all four steps. Its address names the file that waits (``?file=``)."""
    if not may(request, permission):
        raise PermissionDenied
    context = {
        **model_admin.admin_site.each_context(request), "title": title, "opts": model_admin.opts,
        "grades": ListKind.GRADES in kinds,
    }  # fmt: skip
    token = request.GET.get("file", "")
    try:
        if token:
            return _waiting_page(request, token, kinds, context)
        return _upload_page(request, kinds, context)
    except UnreadableFile as unreadable:
        messages.error(request, unreadable_in_words(unreadable))
        return HttpResponseRedirect(request.path)


def _upload_page(request: HttpRequest, kinds: Sequence[ListKind], context: dict[str, Any]) -> HttpResponse:
    now = timezone.now()
    today = now.astimezone(ZoneInfo(settings.PROGRAMME_TIME_ZONE)).date()
    form = ListForm(request.POST or None, request.FILES or None, kinds=kinds, today=today)
    if request.method == "POST" and form.is_valid():
        upload = form.cleaned_data["upload"]
        waiting = Waiting(person(request), shown_name(upload.name or ""), form.terms(now), upload.read())
        token = secrets.token_urlsafe(18)
        cache.set(_key(token), waiting, _KEPT)
        return HttpResponseRedirect(f"{request.path}?file={token}")
    no_tools = ListKind.GRADES in kinds and not PlatformTool.objects.exists()
    return TemplateResponse(
        request, "admin/crm/memberlist/upload.html", {**context, "form": form, "no_tools": no_tools}
    )


def _waiting_page(
    request: HttpRequest, token: str, kinds: Sequence[ListKind], context: dict[str, Any]
) -> HttpResponseBase:
    waiting: Waiting | None = cache.get(_key(token))
    if waiting is None or waiting.user_id != person(request) or waiting.terms.kind not in kinds:
        messages.error(request, _(FILE_CHANGED))
        return HttpResponseRedirect(request.path)
    if request.GET.get("problems"):
        return _problems_file(request, waiting)
    if request.method == "POST" and waiting.report is None:
        with _on_disk(waiting.content) as path:
            done = import_list(path, waiting.terms, file=waiting.name, at=timezone.now(), actor_id=waiting.user_id)
        cache.set(_key(token), replace(waiting, report=done), _KEPT)
    if request.method == "POST":
        return HttpResponseRedirect(request.get_full_path())
    with _on_disk(waiting.content) as path:
        report = waiting.report or look(path, waiting.terms)
    return TemplateResponse(request, "admin/crm/memberlist/file.html", {
        **context, "waiting": waiting, "report": report, "done": waiting.report is not None, "token": token,
        "what": KINDS[waiting.terms.kind], "tool": PlatformTool.objects.filter(pk=waiting.terms.tool_id or 0).first(),
        "problems": [_shown(problem, full=may(request, PERSONAL_DATA)) for problem in report.problems],
    })  # fmt: skip


def _problems_file(request: HttpRequest, waiting: Waiting) -> StreamingHttpResponse:
    if waiting.report is None:
        with _on_disk(waiting.content) as path:
            found = look(path, waiting.terms, limit=None).problems
    else:
        found = waiting.report.problems
    full = may(request, PERSONAL_DATA)
    titles = [_("Line"), _("Whom it seems to mean"), _("Column"), _("Reason")]
    rows = ((shown.line_no, shown.who, shown.column, shown.reason) for shown in (_shown(p, full=full) for p in found))
    response = StreamingHttpResponse(csv_pieces(titles, rows), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = 'attachment; filename="problems.csv"'
    return response


def _shown(problem: ListProblem, *, full: bool) -> ShownProblem:
    contact = problem.contact if full else (masked_email if "@" in problem.contact else masked_phone)(problem.contact)
    value = problem.value if full or problem.code not in _OF_CONTACTS else _MASK
    who = problem.who or contact
    return ShownProblem(problem.line_no, who, problem.column, row_in_words(problem.code, problem.column, value))


def _key(token: str) -> str:
    if len(token) > 40 or not token.replace("-", "").replace("_", "").isalnum():
        raise Http404
    return f"crm.memberlist.{token}"


@contextmanager
def _on_disk(content: bytes) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "list"
        path.write_bytes(content)
        yield path
