"""An account's journal as a page: filters, the balance after each line, the story of each line, and a download."""

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.apps import apps
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import FileResponse, Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.admin import ModelAdmin
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from crm.adminkit import may, person
from crm.api import log_action
from crm.filekit import Cell, csv_pieces, xlsx_file
from loyalty.choices import EntryKind
from loyalty.explain import explain, headline
from loyalty.statement import Filters, Moves, StatementLine, statement_page, summary, whole_statement
from loyalty.validity import programme_zone

VIEW = "loyalty.view_account"
EXPORT = "loyalty.export_statement"
LINES = 50
_XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def _day(label: Any) -> forms.DateField:
    return forms.DateField(label=label, required=False, widget=UnfoldAdminTextInputWidget(attrs={"type": "date"}))


class FilterForm(forms.Form):
    """What the page is asked for. Everything may be left empty."""

    kind = forms.ChoiceField(
        label=gettext_lazy("Kind"),
        required=False,
        choices=[("", gettext_lazy("All")), *EntryKind.choices],
        widget=UnfoldAdminSelectWidget,
    )
    moves = forms.ChoiceField(
        label=gettext_lazy("Which points"),
        required=False,
        choices=[
            (Moves.ANY, gettext_lazy("All")),
            (Moves.PENDING, gettext_lazy("Only pending points")),
            (Moves.HELD, gettext_lazy("Only points set aside")),
        ],
        widget=UnfoldAdminSelectWidget,
    )
    since = _day(gettext_lazy("From"))
    until = _day(gettext_lazy("Through"))
    text = forms.CharField(
        label=gettext_lazy("Reason, reference or order number"),
        required=False,
        max_length=120,
        widget=UnfoldAdminTextInputWidget,
    )

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if data.get("since") and data.get("until") and data["since"] > data["until"]:
            self.add_error("until", ValidationError(_("The period ends before it begins.")))
        return data

    def filters(self) -> Filters:
        """The wanted lines; days are those of the programme."""
        data = self.cleaned_data
        return Filters(
            kinds=(EntryKind(data["kind"]),) if data["kind"] else (),
            since=_midnight(data["since"]),
            until=_midnight(data["until"], days=1),
            text=data["text"],
            moves=Moves(data["moves"]),
        )

    def query(self, **more: Any) -> str:
        """The filters as the query of an address, with ``more`` at the end."""
        given = {name: self.data.get(name, "") for name in self.fields}
        return urlencode({name: value for name, value in (given | more).items() if value not in ("", None)})


def _midnight(day: date | None, days: int = 0) -> datetime | None:
    if day is None:
        return None
    try:
        return datetime.combine(day + timedelta(days=days), time.min, tzinfo=programme_zone())
    except OverflowError:
        return None  # The day after the last day of all time: nothing is later.


def statement_view(model_admin: ModelAdmin, request: HttpRequest, member_id: int) -> HttpResponse:
    """The page. ``?before=`` and ``?after=`` name the entry that it follows on from."""
    member = _member(request, member_id)
    form = FilterForm(request.GET)
    page = None
    if form.is_valid():
        page = statement_page(
            member_id,
            form.filters(),
            before_id=_entry(request, "before"),
            after_id=_entry(request, "after"),
            limit=LINES,
        )
    request.current_app = model_admin.admin_site.name
    context = {
        **model_admin.admin_site.each_context(request),
        "title": _("Statement"),
        "member": member,
        "member_page": reverse("admin:crm_member_change", args=[member_id]),
        "account": summary(member_id, timezone.now()),
        "form": form,
        "filtered": bool(form.query()),
        "rows": [_row(line) for line in page.lines] if page else [],
        "links": _links(form, page.newer, page.older) if page else {},
        "paged": bool(request.GET.get("before") or request.GET.get("after")),
        "exports": [(kind, form.query(format=kind)) for kind in ("csv", "xlsx")] if may(request, EXPORT) else [],
    }
    return TemplateResponse(request, "admin/loyalty/statement.html", context)


def export_view(request: HttpRequest, member_id: int) -> HttpResponseBase:
    """The filtered statement as CSV or XLSX, whole. The staff log says who took it."""
    if not may(request, EXPORT):
        raise PermissionDenied
    _member(request, member_id)
    form = FilterForm(request.GET)
    if not form.is_valid():
        raise Http404
    kind = "xlsx" if request.GET.get("format") == "xlsx" else "csv"
    log_action(
        "statement.export",
        actor_id=person(request),
        at=timezone.now(),
        member_id=member_id,
        format=kind,
        filters={name: form.data[name] for name in form.fields if form.data.get(name)},
    )
    rows = _cells(member_id, form.filters())
    name = f"statement-{member_id}.{kind}"
    if kind == "xlsx":
        return FileResponse(xlsx_file(_titles(), rows), as_attachment=True, filename=name, content_type=_XLSX)
    response = StreamingHttpResponse(csv_pieces(_titles(), rows), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def _member(request: HttpRequest, member_id: int) -> Any:
    if not may(request, VIEW):
        raise PermissionDenied
    member = apps.get_model("crm", "Member").objects.filter(pk=member_id).first()
    if member is None:
        raise Http404
    return member


def _entry(request: HttpRequest, name: str) -> int | None:
    value = request.GET.get(name, "")
    return int(value) if value.isascii() and value.isdecimal() and len(value) < 19 else None


def _row(line: StatementLine) -> dict[str, Any]:
    zone = programme_zone()
    late = line.effective_at.astimezone(zone).date() != line.recorded_at.astimezone(zone).date()
    return {"line": line, "headline": headline(line), "sentences": explain(line), "late": late}


def _links(form: FilterForm, newer: int | None, older: int | None) -> dict[str, str]:
    return {
        "newest": form.query(),
        "newer": form.query(after=newer) if newer else "",
        "older": form.query(before=older) if older else "",
    }


def _titles() -> list[str]:
    return [
        _("Entry"), _("Recorded"), _("Effective"), _("Kind"), _("What for"), _("Points"), _("Pending"), _("Set aside"),
        _("Balance after"), _("Order number"), _("Reference"), _("Reason"), _("Valid through"), _("By whom"),
    ]  # fmt: skip


def _cells(member_id: int, filters: Filters) -> Iterator[list[Cell]]:
    zone = programme_zone()

    def moment(instant: datetime) -> str:
        return f"{instant.astimezone(zone):%Y-%m-%d %H:%M:%S}"

    for line in whole_statement(member_id, filters):
        last = line.expires_at and line.expires_at.astimezone(zone) - timedelta(microseconds=1)
        yield [
            line.entry_id, moment(line.recorded_at), moment(line.effective_at), str(line.kind.label), headline(line),
            line.points, line.pending, line.held, line.balance_after, line.order_no, line.reference, line.reason,
            f"{last:%Y-%m-%d}" if last else "", line.actor,
        ]  # fmt: skip
