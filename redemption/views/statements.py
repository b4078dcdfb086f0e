"""The buyer's statements: he picks a month or a period, and gets it as a file."""

from datetime import date, timedelta
from typing import Any

from allauth.core import ratelimit
from django import forms
from django.core.exceptions import ValidationError
from django.http import FileResponse, HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from crm.api import Buyer
from crm.filekit import csv_pieces, xlsx_file
from loyalty import api as loyalty
from redemption.statements import Period, latest_months, statement_rows, titles
from redemption.views.buyers import for_buyers

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
FORMATS = (("csv", gettext_lazy("CSV, for any program")), ("xlsx", gettext_lazy("Excel workbook (XLSX)")))


def _day(label: Any) -> forms.DateField:
    widget = forms.DateInput(format="%Y-%m-%d", attrs={"class": "field", "type": "date"})
    return forms.DateField(label=label, required=False, widget=widget, input_formats=["%Y-%m-%d"])


class PeriodForm(forms.Form):
    """From which day through which one, and as what file. Without days it is everything until today."""

    first = _day(gettext_lazy("From"))
    last = _day(gettext_lazy("Through"))
    format = forms.ChoiceField(
        label=gettext_lazy("File"), choices=FORMATS, required=False, widget=forms.Select(attrs={"class": "field"})
    )

    def __init__(self, *args: Any, today: date, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._today = today

    def clean_last(self) -> date:
        # A day later than tomorrow says the same, and the last day of all time has none after it.
        return min(self.cleaned_data["last"] or self._today, self._today + timedelta(days=1))

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if data.get("first") and data.get("last") and data["first"] > data["last"]:
            self.add_error("last", ValidationError(_("The period ends before it begins.")))
        return data

    def period(self) -> Period:
        """The days that were asked for."""
        return Period(self.cleaned_data["first"], self.cleaned_data["last"])


@require_safe
@for_buyers
def statement(request: HttpRequest, buyer: Buyer) -> HttpResponse:
    """The latest months by name, and a form for any other period."""
    return _page(request, buyer, PeriodForm(today=_today()))


@require_safe
@for_buyers
def download(request: HttpRequest, buyer: Buyer) -> HttpResponseBase:
    """The statement as CSV or XLSX. Nothing of it stays in memory, however long it is."""
    form = PeriodForm(request.GET, today=_today())
    if not form.is_valid():
        return _page(request, buyer, form)
    limited: HttpResponse | None = ratelimit.consume_or_429(
        request, action="statement", user=request.user, limit_get=True
    )
    if limited is not None:
        return limited
    period = form.period()
    rows = statement_rows(buyer.member_id, period, timezone.now())
    kind = form.cleaned_data["format"] or "csv"
    name = f"points-{period.first or 'all'}-{period.last}.{kind}"
    if kind == "xlsx":
        return FileResponse(xlsx_file(titles(), rows), as_attachment=True, filename=name, content_type=XLSX)
    response = StreamingHttpResponse(csv_pieces(titles(), rows), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def _page(request: HttpRequest, buyer: Buyer, form: PeriodForm) -> HttpResponse:
    joined = buyer.joined_at.astimezone(loyalty.programme_zone()).date()
    context = {"page": "me", "months": latest_months(_today(), joined), "form": form}
    return render(request, "redemption/statement.html", context)


def _today() -> date:
    return timezone.now().astimezone(loyalty.programme_zone()).date()
