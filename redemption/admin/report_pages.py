"""The report of what members took for their points, its tables as files, and the page of what is running now."""

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from typing import Any

from django import forms
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext
from unfold.admin import ModelAdmin
from unfold.widgets import UnfoldAdminTextInputWidget

from crm.adminkit import may, person
from crm.api import log_action
from crm.filekit import Cell
from loyalty import api as loyalty
from redemption.admin.shipping_pages import EXPORT, table_response
from redemption.reports.live import live
from redemption.reports.sales import sales_of_redeemers
from redemption.reports.taken import LONGEST_DAYS, SIDES, Row, Taken, taken_between

VIEW = "redemption.view_redemption"
_USUAL_DAYS = 30
_BARS = 10
_ROWS_SHOWN = 50


class PeriodForm(forms.Form):
    """From which day through which day."""

    since = forms.DateField(label=gettext_lazy("From"), widget=UnfoldAdminTextInputWidget(attrs={"type": "date"}))
    through = forms.DateField(label=gettext_lazy("Through"), widget=UnfoldAdminTextInputWidget(attrs={"type": "date"}))

    def clean(self) -> dict[str, Any]:
        said: dict[str, Any] = super().clean() or self.cleaned_data
        since, through = said.get("since"), said.get("through")
        if since and through and through < since:
            self.add_error("through", ValidationError(_("The last day is before the first one.")))
        elif since and through and (through - since).days >= LONGEST_DAYS:
            text = _("At most %(days)s days at once.") % {"days": LONGEST_DAYS}
            self.add_error("through", ValidationError(text))
        return said

    def window(self) -> tuple[datetime, datetime]:
        """The first instant of the period and the first one after it."""
        zone = loyalty.programme_zone()
        since, through = self.cleaned_data["since"], self.cleaned_data["through"]
        return (
            datetime.combine(since, time.min, tzinfo=zone),
            datetime.combine(through + timedelta(days=1), time.min, tzinfo=zone),
        )


def _form(data: QueryDict) -> PeriodForm:
    if "since" in data or "through" in data:
        return PeriodForm(data)
    today = timezone.now().astimezone(loyalty.programme_zone()).date()
    return PeriodForm({"since": today - timedelta(days=_USUAL_DAYS - 1), "through": today})


def side_names() -> dict[str, str]:
    """What the sides of the report are called."""
    return {
        "reward": _("By reward"),
        "plan": _("By coupon plan"),
        "day": _("By day"),
        "tier": _("By tier"),
        "channel": _("By channel"),
        "member": _("By member"),
    }


def report_view(model_admin: ModelAdmin, request: HttpRequest) -> HttpResponse:
    """The figures of a period, from every side."""
    if not may(request, VIEW):
        raise PermissionDenied
    form = _form(request.GET)
    context: dict[str, Any] = {
        **model_admin.admin_site.each_context(request),
        "title": _("Report of redemptions"),
        "opts": model_admin.opts,
        "form": form,
        "may_export": may(request, EXPORT),
    }
    if form.is_valid():
        since, until = form.window()
        taken = taken_between(since, until)
        context |= {
            "taken": taken,
            "total": taken.total,
            "cost": taken.total.cost(taken.per_point) if taken.total else None,
            "per_point": f"{taken.per_point.normalize():f}",
            "sales": sales_of_redeemers(since, until, timezone.now()),
            "tables": [_table(side, taken) for side in SIDES if taken.sides[side]],
            "charts": _charts(taken),
            "query": f"since={form.cleaned_data['since']}&through={form.cleaned_data['through']}",
        }
    request.current_app = model_admin.admin_site.name
    return TemplateResponse(request, "admin/redemption/report/report.html", context)


def _table(side: str, taken: Taken) -> dict[str, Any]:
    rows = taken.sides[side]
    if side == "day":
        rows = rows[::-1]
    return {
        "side": side,
        "title": side_names()[side],
        "rows": [
            (_name(row), row, row.cost(taken.per_point), taken.left.get(row.key or 0)) for row in rows[:_ROWS_SHOWN]
        ],
        "more": len(rows) > _ROWS_SHOWN,
        "stock": side == "reward",
        "each": side == "member",
    }


def _name(row: Row) -> str:
    if row.day is not None:
        return date_format(row.day, "SHORT_DATE_FORMAT")
    if row.side == "channel" and row.key is None:
        return pgettext("a channel", "No order yet")
    return row.name or (f"#{row.key}" if row.key is not None else "–")


def _charts(taken: Taken) -> list[tuple[str, str, dict[str, Any]]]:
    days = _without_gaps(taken.sides["day"])
    charts = [
        (
            "days",
            _("Points by day"),
            {
                "months": [f"{day:%m-%d}" for day, _rewards, _coupons in days],
                "series": [
                    {"name": _("Rewards"), "values": [rewards for _day, rewards, _coupons in days]},
                    {"name": _("Coupons"), "values": [coupons for _day, _rewards, coupons in days]},
                ],
            },
        )
    ]
    top = taken.sides["reward"][:_BARS]
    if top:
        figures = {
            "horizontal": True,
            "months": [row.name for row in top],
            "series": [{"name": _("Points"), "values": [row.points for row in top]}],
        }
        charts.append(("rewards", _("Points by reward"), figures))
    return charts if taken.total else []


def _without_gaps(rows: list[Row]) -> list[tuple[date, int, int]]:
    known = {row.day: row for row in rows if row.day is not None}
    if not known:
        return []
    first, last = min(known), max(known)
    days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    return [
        (day, known[day].points - known[day].coupon_points, known[day].coupon_points) if day in known else (day, 0, 0)
        for day in days
    ]


def export_view(model_admin: ModelAdmin, request: HttpRequest) -> HttpResponseBase:
    """One side of the report as CSV or XLSX. The staff log says who took it."""
    if not may(request, VIEW) or not may(request, EXPORT):
        raise PermissionDenied
    side, kind, form = request.GET.get("side", ""), request.GET.get("kind", "csv"), _form(request.GET)
    if side not in SIDES or not form.is_valid():
        raise Http404
    taken = taken_between(*form.window())
    log_action(
        "redemptions.report", actor_id=person(request), at=timezone.now(), side=side, format=kind,
        since=str(form.cleaned_data["since"]), through=str(form.cleaned_data["through"]),
    )  # fmt: skip
    titles = [
        side_names()[side], _("Redemptions and coupons"), _("Members"), _("Pieces"), _("Points"), _("Cost in yuan"),
        _("Cash in yuan"), _("Left"),
    ]  # fmt: skip
    return table_response(f"redemptions-by-{side}", kind, titles, _cells(side, taken))


def _cells(side: str, taken: Taken) -> Iterator[tuple[Cell, ...]]:
    for row in taken.sides[side]:
        left = taken.left.get(row.key or 0) if side == "reward" else None
        name = row.day.isoformat() if row.day is not None else _name(row)
        cost = str(row.cost(taken.per_point))
        yield (name, row.times, row.members, int(row.pieces), int(row.points), cost, f"{row.cash:.2f}", left)


def live_view(model_admin: ModelAdmin, request: HttpRequest) -> HttpResponse:
    """What is running now. The part that moves is asked for again every few seconds; without scripts one reloads."""
    if not may(request, VIEW):
        raise PermissionDenied
    now = timezone.now()
    context = {
        **model_admin.admin_site.each_context(request),
        "title": _("Running now"),
        "opts": model_admin.opts,
        "live": live(now),
        "at": now,
    }
    part = request.headers.get("HX-Request") == "true"
    request.current_app = model_admin.admin_site.name
    return TemplateResponse(request, f"admin/redemption/report/{'live_part' if part else 'live'}.html", context)
