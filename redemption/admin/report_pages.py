"""The report of what members took for their points, its tables as files, and the page of what is running now."""

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from django import forms
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
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
from redemption.reports.sales import SalesOfRedeemers
from redemption.reports.taken import LONGEST_DAYS, SIDES, Row, Taken
from redemption.reports.working import Work, work_on, worked_out

VIEW = "redemption.view_redemption"
_REPORT = "admin:redemption_redemption_report"
_USUAL_DAYS = 30
_BARS = 10
_ROWS_SHOWN = 50
_WITH_SALES = ("reward", "plan")  # The sides of which it is told what their members bought afterwards.


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
        moving = request.headers.get("HX-Request") == "true"
        anew = "anew" in request.GET and not moving
        work = work_on(*form.window(), timezone.now(), anew=anew)
        query = f"since={form.cleaned_data['since']}&through={form.cleaned_data['through']}"
        if anew and work.in_parts:
            # Reloading the page must not begin once more.
            return redirect(f"{request.path}?{query}")
        context |= {"work": work, "query": query}
        if moving:
            return _progress(request, context, work)
        if work.finished:
            context |= _figures(work)
    request.current_app = model_admin.admin_site.name
    return TemplateResponse(request, "admin/redemption/report/report.html", context)


def _progress(request: HttpRequest, context: dict[str, Any], work: Work) -> HttpResponse:
    """The part of the page that moves; each time it is asked for, the report gets on. When it is finished, the browser
    is told to load the page."""
    response = TemplateResponse(request, "admin/redemption/report/progress.html", context)
    if work.finished:
        response["HX-Refresh"] = "true"
    return response


def _figures(work: Work) -> dict[str, Any]:
    taken, sales = work.taken(), work.sales
    return {
        "taken": taken,
        "total": taken.total,
        "cost": taken.total.cost(taken.per_point) if taken.total else None,
        "per_point": f"{taken.per_point.normalize():f}",
        "sales": sales.total,
        "tables": [_table(side, taken, sales) for side in SIDES if taken.sides[side]],
        "charts": _charts(taken, sales),
    }


def _table(side: str, taken: Taken, sales: SalesOfRedeemers) -> dict[str, Any]:
    rows = taken.sides[side]
    if side == "day":
        rows = rows[::-1]
    return {
        "side": side,
        "title": side_names()[side],
        "rows": [_line(row, taken, sales) for row in rows[:_ROWS_SHOWN]],
        "more": len(rows) > _ROWS_SHOWN,
        "stock": side == "reward",
        "sales": side in _WITH_SALES,
        "each": side == "member",
    }


def _line(row: Row, taken: Taken, sales: SalesOfRedeemers) -> dict[str, Any]:
    cost, bought = row.cost(taken.per_point), sales.of(row.side, row.key)
    return {
        "name": _name(row),
        "row": row,
        "cost": cost,
        "left": taken.left.get(row.key or 0),
        "bought": bought,
        "percent": bought.percent_half_up(cost),
    }


def _name(row: Row) -> str:
    if row.day is not None:
        return date_format(row.day, "SHORT_DATE_FORMAT")
    if row.side == "channel" and row.key is None:
        return pgettext("a channel", "No order yet")
    return row.name or (f"#{row.key}" if row.key is not None else "–")


def _charts(taken: Taken, sales: SalesOfRedeemers) -> list[tuple[str, str, dict[str, Any]]]:
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
    dearest = sorted(
        (row for side in _WITH_SALES for row in taken.sides[side]), key=lambda row: row.points, reverse=True
    )[:_BARS]
    if dearest:
        figures = {
            "horizontal": True,
            "months": [_name(row) for row in dearest],
            "series": [
                {"name": _("Cost"), "values": [_whole_yuan_rounded_down(row.cost(taken.per_point)) for row in dearest]},
                {
                    "name": _("Sales after"),
                    "values": [_whole_yuan_rounded_down(sales.of(row.side, row.key).after) for row in dearest],
                },
            ],
        }
        charts.append(("sales", _("Cost, and sales in the 30 days after, in yuan"), figures))
    return charts if taken.total else []


def _whole_yuan_rounded_down(amount: Decimal) -> int:
    """Return how long a bar is; the table beside it has the fen."""
    return int(amount)


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
    work = worked_out(*form.window(), timezone.now())
    if work is None:
        # It takes long, and its page shows how far it is; the links to the files come with it.
        return redirect(f"{reverse(_REPORT)}?since={form.cleaned_data['since']}&through={form.cleaned_data['through']}")
    taken, sales = work.taken(), work.sales if side in _WITH_SALES else None
    log_action(
        "redemptions.report", actor_id=person(request), at=timezone.now(), side=side, format=kind,
        since=str(form.cleaned_data["since"]), through=str(form.cleaned_data["through"]),
    )  # fmt: skip
    titles = [
        side_names()[side], _("Redemptions and coupons"), _("Members"), _("Pieces"), _("Points"), _("Cost in yuan"),
        _("Cash in yuan"), _("Left"),
    ]  # fmt: skip
    if sales is not None:
        titles += [
            _("Sales in the 30 days before, in yuan"), _("Sales in the 30 days after, in yuan"),
            _("Cost in percent of the sales after"), _("Members who bought after"), _("Orders after"),
            _("Members whose 30 days are over"),
        ]  # fmt: skip
    return table_response(f"redemptions-by-{side}", kind, titles, _cells(side, taken, sales))


def _cells(side: str, taken: Taken, sales: SalesOfRedeemers | None) -> Iterator[tuple[Cell, ...]]:
    for row in taken.sides[side]:
        left = taken.left.get(row.key or 0) if side == "reward" else None
        name = row.day.isoformat() if row.day is not None else _name(row)
        cost = row.cost(taken.per_point)
        cells = (name, row.times, row.members, int(row.pieces), int(row.points), str(cost), f"{row.cash:.2f}", left)
        if sales is None:
            yield cells
            continue
        bought = sales.of(side, row.key)
        percent = bought.percent_half_up(cost)
        yield (
            *cells, f"{bought.before:.2f}", f"{bought.after:.2f}", None if percent is None else str(percent),
            bought.buyers, int(bought.orders), bought.complete,
        )  # fmt: skip


def live_view(model_admin: ModelAdmin, request: HttpRequest) -> HttpResponse:
    """What is running now. The part that moves is asked for again every few seconds; without scripts one reloads."""
    if not may(request, VIEW):
        raise PermissionDenied
    now = timezone.now()
    context = {
        **model_admin.admin_site.each_context(request),
        "title": _("Running now"),
        "content_title": _("Running now"),
        "live": live(now),
        "at": now,
    }
    part = request.headers.get("HX-Request") == "true"
    request.current_app = model_admin.admin_site.name
    return TemplateResponse(request, f"admin/redemption/report/{'live_part' if part else 'live'}.html", context)
