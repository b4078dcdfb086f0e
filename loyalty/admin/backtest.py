"""Trying rules on past orders as pages: start, live progress, result, download."""

from collections.abc import Callable, Mapping
from datetime import date, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

from django import forms
from django.apps import apps
from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import Model
from django.http import FileResponse, Http404, HttpRequest, HttpResponse, HttpResponseRedirect, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST
from unfold.decorators import display
from unfold.widgets import UnfoldAdminDecimalFieldWidget, UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from crm.adminkit import EndlessAdmin, may, person
from crm.api import count_paid_orders, first_and_last_paid, log_action
from crm.filekit import csv_pieces, xlsx_file
from loyalty.admin.backtest_figures import Shown
from loyalty.backtest import jobs
from loyalty.backtest.run import Period
from loyalty.choices import BacktestState
from loyalty.earning.ruleset import InvalidRules
from loyalty.models import BacktestJob, RuleSet
from loyalty.rulebook import rows_of
from loyalty.validity import programme_zone

START = "loyalty.add_backtestjob"
MEMBERS = "crm.view_member"
ORDERS = "crm.view_order"
USUAL_DAYS = 90
# Members and orders on the page; the downloads have more.
SHOWN = 10
_MOST_DAYS = 3660
_XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

STATE_COLOURS = {
    BacktestState.QUEUED: "info",
    BacktestState.RUNNING: "primary",
    BacktestState.DONE: "success",
    BacktestState.FAILED: "danger",
    BacktestState.CANCELLED: "default",
}
_MOVING = (BacktestState.QUEUED, BacktestState.RUNNING)


def _day(label: Any) -> forms.DateField:
    return forms.DateField(label=label, widget=UnfoldAdminTextInputWidget(attrs={"type": "date"}))


def _version_name(version: int | None) -> str:
    return _("Version %(version)s") % {"version": version} if version else _("The rule built in: one yuan, one point")


def _draft_name(set_id: int | None, note: str) -> str:
    if note:
        return _("Draft: %(note)s") % {"note": note}
    return _("Draft %(number)s") % {"number": set_id} if set_id else _("A draft that is gone")


def _to_choose() -> list[tuple[str, list[tuple[int, str]]]]:
    """What can be tried: drafts, the youngest first, then versions, the latest first."""
    sets = list(RuleSet.objects.order_by("-version", "-pk"))
    drafts = [(row.pk, _draft_name(row.pk, row.note)) for row in sets if row.version is None]
    versions = [(row.pk, _version_name(row.version)) for row in sets if row.version is not None]
    groups = [(_("Drafts"), drafts), (_("Versions"), [*versions, (0, _version_name(0))])]
    return [(name, choices) for name, choices in groups if choices]


class StartForm(forms.Form):
    """What is tried on which days."""

    rules = forms.TypedChoiceField(
        label=gettext_lazy("Rules"), choices=_to_choose, coerce=int, widget=UnfoldAdminSelectWidget
    )
    first = _day(gettext_lazy("From"))
    last = _day(gettext_lazy("Through"))
    margin = forms.DecimalField(
        label=gettext_lazy("Margin in percent of the price"),
        min_value=Decimal("0.01"),
        max_value=Decimal(1000),
        decimal_places=2,
        widget=UnfoldAdminDecimalFieldWidget,
        help_text=gettext_lazy("Orders whose points would cost more than this are counted and shown."),
    )

    def __init__(self, *args: Any, today: date, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._today = today

    def clean_last(self) -> date:
        last: date = self.cleaned_data["last"]
        if last > self._today:
            raise ValidationError(_("This day has not come yet. Choose today or an earlier day."))
        return last

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        first, last = data.get("first"), data.get("last")
        if first and last:
            if first > last:
                self.add_error("last", ValidationError(_("The period ends before it begins.")))
            elif (last - first).days >= _MOST_DAYS or first.year < 2000:
                self.add_error("first", ValidationError(_("Choose at most ten years.")))
        return data

    def period(self) -> Period:
        """The days that were asked for."""
        return Period(self.cleaned_data["first"], self.cleaned_data["last"])


def name_of_rules(job: BacktestJob) -> str:
    """What was tried, in words."""
    return _draft_name(job.rule_set_id, job.note) if job.version is None else _version_name(job.version)


@admin.register(BacktestJob)
class BacktestJobAdmin(EndlessAdmin):
    """Seeing backtests needs the permission to view them, starting and cancelling one the permission to add one."""

    list_display = ("number", "tried", "days", "state_label", "created_by", "created_at")
    list_select_related = ("created_by",)
    list_filter = ("state",)

    @display(description=gettext_lazy("backtest"))
    def number(self, job: BacktestJob) -> str:
        return str(job)

    @display(description=gettext_lazy("rules"))
    def tried(self, job: BacktestJob) -> str:
        return name_of_rules(job)

    @display(description=gettext_lazy("period"))
    def days(self, job: BacktestJob) -> str:
        return f"{date_format(job.first_day)} – {date_format(job.last_day)}"

    @display(description=gettext_lazy("state"), label={str(state): colour for state, colour in STATE_COLOURS.items()})
    def state_label(self, job: BacktestJob) -> tuple[str, str]:
        return job.state, job.get_state_display()

    # Unlike other read-only tables, this one is added to: by starting a backtest.
    def has_add_permission(self, request: HttpRequest) -> bool:
        return may(request, START)

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return super().has_view_permission(request, obj) or self.has_add_permission(request)

    def get_urls(self) -> list[URLPattern]:
        def page(route: str, name: str, view: Callable[..., HttpResponseBase]) -> URLPattern:
            wrapped: Callable[..., HttpResponseBase] = self.admin_site.admin_view(view)
            return path(route, wrapped, name=name)

        return [
            page("start/", "loyalty_backtest_start", self.add_view),
            page("<int:job_id>/progress/", "loyalty_backtest_progress", self.progress_view),
            page("<int:job_id>/cancel/", "loyalty_backtest_cancel", self.cancel_view),
            page("<int:job_id>/figures.csv", "loyalty_backtest_csv", partial(self.figures_view, kind="csv")),
            page("<int:job_id>/figures.xlsx", "loyalty_backtest_xlsx", partial(self.figures_view, kind="xlsx")),
            *super().get_urls(),
        ]

    # --- start ---

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        """``?draft=`` (or ``?set=``) names what is to be tried, ``?days=`` how many days up to today."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        today = timezone.localdate(timezone=programme_zone())
        form = StartForm(request.POST or None, initial=_initial(request.GET, today), today=today)
        if request.method == "POST" and form.is_valid():
            job = self._start(request, form)
            if job is not None:
                return HttpResponseRedirect(reverse("admin:loyalty_backtestjob_change", args=[job.pk]))
        known = first_and_last_paid()
        context = {
            **self._context(request, _("Try rules on past orders")),
            "form": form,
            "known": known and [date_format(instant.astimezone(programme_zone())) for instant in known],
            "may_import": may(request, "crm.add_importjob"),
        }
        return TemplateResponse(request, "admin/loyalty/backtest_start.html", context)

    def _start(self, request: HttpRequest, form: StartForm) -> BacktestJob | None:
        zone, period, data = programme_zone(), form.period(), form.cleaned_data
        if not count_paid_orders(period.begin(zone), period.end(zone)):
            form.add_error("first", _("No member paid an order on these days. Choose other days."))
            return None
        try:
            return jobs.start(data["rules"], period, margin=data["margin"], actor_id=person(request), at=timezone.now())
        except InvalidRules as invalid:
            form.add_error("rules", _("This draft cannot be tried yet. Mend it first:"))
            for problem in invalid.problems:
                form.add_error("rules", f"{problem.rule}: {problem.message}")
        except RuleSet.DoesNotExist:
            form.add_error("rules", _("This draft was discarded in the meantime."))
        return None

    # --- the page of a backtest ---

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        job = self._job(request, object_id)
        now = timezone.now()
        context = {
            **self._context(request, _("Backtest %(number)s") % {"number": job}),
            "opts": self.opts,
            "original": job,
            "job": job,
            "tried": name_of_rules(job),
            "state_colour": STATE_COLOURS[BacktestState(job.state)],
            "busy": job.state in _MOVING,
            "percent": _percent(job),
            "stalled": jobs.is_stalled(job, now),
            "error": _(job.error) if job.error else "",
            "may_start": self.has_add_permission(request),
            "start_again": f"{reverse('admin:loyalty_backtest_start')}?set={job.rule_set_id or 0}",
            "draft_page": _set_page(request, job),
            "changed": job.version is None and job.rule_set_id and _changed(job),
        }
        if job.result is not None:
            context |= _result(request, job)
        return TemplateResponse(request, "admin/loyalty/backtest.html", context)

    def progress_view(self, request: HttpRequest, job_id: int) -> HttpResponse:
        """The part of the page that moves. When the job has stopped moving, the browser is told to load the page."""
        job = self._job(request, job_id)
        stalled = jobs.is_stalled(job, timezone.now())
        context = {"job": job, "percent": _percent(job), "stalled": stalled}
        response = TemplateResponse(request, "admin/loyalty/backtest_progress.html", context)
        if job.state not in _MOVING or stalled:
            response["HX-Refresh"] = "true"
        return response

    @method_decorator(require_POST)
    def cancel_view(self, request: HttpRequest, job_id: int) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        self._job(request, job_id)
        try:
            jobs.cancel(job_id, actor_id=person(request), at=timezone.now())
        except jobs.WrongState:
            messages.warning(request, _("The backtest had ended already."))
        return HttpResponseRedirect(reverse("admin:loyalty_backtestjob_change", args=[job_id]))

    def figures_view(self, request: HttpRequest, job_id: int, kind: str) -> HttpResponseBase:
        """All figures as CSV or XLSX. The staff log says who took them."""
        job = self._job(request, job_id)
        if job.result is None:
            raise Http404
        shown = Shown(job)
        names = _names(shown) if may(request, MEMBERS) else {}
        log_action("backtest.export", actor_id=person(request), at=timezone.now(), job=job_id, format=kind)
        name = f"backtest-{job_id}.{kind}"
        if kind == "xlsx":
            file = xlsx_file(shown.titles(), shown.cells(names))
            return FileResponse(file, as_attachment=True, filename=name, content_type=_XLSX)
        lines = csv_pieces(shown.titles(), shown.cells(names))
        response = StreamingHttpResponse(lines, content_type="text/csv; charset=utf-8")
        response["Content-Disposition"] = f'attachment; filename="{name}"'
        return response

    def _job(self, request: HttpRequest, job_id: int | str) -> BacktestJob:
        if not self.has_view_permission(request):
            raise PermissionDenied
        number = str(job_id)
        job = None
        if number.isascii() and number.isdecimal() and len(number) < 19:
            job = BacktestJob.objects.select_related("created_by").filter(pk=number).first()
        if job is None:
            raise Http404
        return job

    def _context(self, request: HttpRequest, title: str) -> dict[str, Any]:
        request.current_app = self.admin_site.name
        return {**self.admin_site.each_context(request), "title": title, "model_admin": self}


def _initial(query: Mapping[str, str], today: date) -> dict[str, Any]:
    """What the form begins with: the draft that is named, or else the latest draft, and the usual days."""
    given = query.get("draft") or query.get("set") or ""
    asked = query.get("days", "")
    days = int(asked) if asked.isascii() and asked.isdecimal() and len(asked) < 5 else USUAL_DAYS
    latest = RuleSet.objects.filter(version=None).order_by("-pk").values_list("pk", flat=True).first()
    return {
        "rules": given if given.isdecimal() else latest or 0,
        "first": today - timedelta(days=max(min(days, _MOST_DAYS), 1) - 1),
        "last": today,
        "margin": settings.EARNING_WARNING_PERCENT,
    }


def _percent(job: BacktestJob) -> int:
    return min(job.done * 100 // job.orders, 100) if job.orders else 0


def _changed(job: BacktestJob) -> bool:
    """Whether the draft is another one than was tried."""
    tried: list[dict[str, Any]] = job.rules
    return rows_of(job.rule_set_id or 0) != tried


def _set_page(request: HttpRequest, job: BacktestJob) -> str:
    """Where the tried rules are edited or read; "" for those who may not, and where they are gone."""
    if not job.rule_set_id or not (may(request, "loyalty.view_ruleset") or may(request, "loyalty.change_ruleset")):
        return ""
    return reverse("admin:loyalty_ruleset_change", args=[job.rule_set_id])


def _names(shown: Shown) -> dict[int, str]:
    ids = [member for member, _row in (*shown.gainers(), *shown.losers())]
    members = apps.get_model("crm", "Member").objects.in_bulk(ids)
    return {pk: str(member) for pk, member in members.items()}


def _result(request: HttpRequest, job: BacktestJob) -> dict[str, Any]:
    shown = Shown(job)
    names = _names(shown) if may(request, MEMBERS) else {}

    def people(rows: list[tuple[int, Any]]) -> list[dict[str, Any]]:
        return [{"id": member, "name": names.get(member, ""), "row": row} for member, row in rows[:SHOWN]]

    return {
        "shown": shown,
        "fewer": -shown.kept.more,
        "more_yuan": f"{shown.kept.yuan - shown.kept.yuan_live}",
        "less_yuan": f"{shown.kept.yuan_live - shown.kept.yuan}",
        "charts": shown.charts(),
        "people": [
            (_("Members who gain most"), people(shown.gainers())),
            (_("Members who lose most"), people(shown.losers())),
        ],
        "dear": shown.dear()[:SHOWN],
        "may_see_orders": may(request, ORDERS),
        "cost": f"{shown.cost.normalize():f}",
        "margin": f"{job.margin.normalize():f}",
    }
