"""The report of the closed days, and what a point costs."""

import csv
import io
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin.utils import label_for_field
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.admin import ModelAdmin
from unfold.decorators import display

from crm.adminkit import ReadOnlyAdmin, may, person
from crm.api import log_action
from loyalty.liability import publish_cost
from loyalty.models import DayClose, LiabilityRate

EXPORT = "loyalty.export_dayclose"
CHART_DAYS = 31

# What makes the closing figure out of the opening one, in the order of the report.
_IN = ("accrued", "carried_over", "matured", "undone", "released")
_OUT = ("burned", "expired", "reversed", "set_aside")
_CSV = (
    "day", "opening", *_IN, *_OUT, "adjusted", "closing", "pending_opening", "pending_accrued", "pending_reversed",
    "pending_closing", "held_opening", "captured", "held_closing", "debt", "entries", "late_entries", "cost_per_point",
    "breakage", "liability",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Step:
    """A line of an equation: a sign, what it is, and how many points."""

    sign: str
    label: str
    points: int


def _label(name: str) -> str:
    return str(label_for_field(name, DayClose))


def equation(close: DayClose, *terms: tuple[str, str]) -> list[Step]:
    """The terms of an equation with their figures. A term that is zero says nothing and is left out, except for the
    first and the last one."""
    steps = [Step(sign, _label(name), getattr(close, name)) for sign, name in terms]
    return [step for step in steps if step.points or step.sign in ("", "=")]


def available(close: DayClose) -> list[Step]:
    """How the points that can be spent came to their closing figure."""
    adjusted = Step("+" if close.adjusted >= 0 else "−", _label("adjusted"), abs(close.adjusted))
    steps = equation(close, ("", "opening"), *(("+", name) for name in _IN), *(("−", name) for name in _OUT))
    return [*steps, *([adjusted] if adjusted.points else []), Step("=", _label("closing"), close.closing)]


def waiting(close: DayClose) -> list[Step]:
    """The same for points that wait for an order to succeed."""
    return equation(
        close, ("", "pending_opening"), ("+", "pending_accrued"), ("−", "matured"), ("−", "pending_reversed"),
        ("=", "pending_closing"),
    )  # fmt: skip


def held(close: DayClose) -> list[Step]:
    """The same for points that are set aside."""
    return equation(
        close, ("", "held_opening"), ("+", "set_aside"), ("−", "captured"), ("−", "released"), ("=", "held_closing")
    )


def _percent(share: Decimal) -> str:
    return f"{share * 100:.2f}%"


@admin.register(DayClose)
class DayCloseAdmin(ReadOnlyAdmin):
    """One line a day; each day's page writes its sums out."""

    list_display = ("day", "opening", "came_in", "went_out", "closing", "breakage_percent", "liability", "entries")
    list_before_template = "admin/loyalty/close_chart.html"
    list_per_page = 31
    date_hierarchy = "day"
    ordering = ("-number",)
    sortable_by = ()

    class Media:
        js = ("vendor/echarts/echarts.simple.min.js", "admin_extra/chart.js")

    @display(description=gettext_lazy("came in"))
    def came_in(self, close: DayClose) -> int:
        return _came_in(close)

    @display(description=gettext_lazy("went out"))
    def went_out(self, close: DayClose) -> int:
        return _went_out(close)

    @display(description=gettext_lazy("expected breakage"))
    def breakage_percent(self, close: DayClose) -> str:
        return _percent(close.breakage)

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.export_view)
        return [path("export/", view, name="loyalty_dayclose_export"), *super().get_urls()]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        days = list(DayClose.objects.order_by("-number")[:CHART_DAYS])[::-1]
        chart = {
            "months": [f"{close.day:%m-%d}" for close in days],
            "series": [
                {"name": _("Came in"), "values": [_came_in(close) for close in days]},
                {"name": _("Went out"), "values": [_went_out(close) for close in days]},
            ],
        }
        extra = {
            "chart": chart if days else None,
            "latest": days[-1] if days else None,
            "may_export": may(request, EXPORT),
        }
        response: HttpResponse = super().changelist_view(request, {**(extra_context or {}), **extra})
        return response

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        close = DayClose.objects.filter(pk=object_id).first() if object_id.isdecimal() else None
        if not self.has_view_permission(request, close):
            raise PermissionDenied
        if close is None:
            raise Http404
        if request.method == "POST":
            raise PermissionDenied
        around = {
            name: DayClose.objects.filter(pk=number).first()
            for name, number in (("before", close.number - 1), ("after", close.number + 1))
        }
        context = {
            **self.admin_site.each_context(request),
            "title": _("Daily close"),
            "opts": self.opts,
            "close": close,
            "equations": [
                (_("Points that can be spent"), available(close)),
                (_("Points that wait for an order to succeed"), waiting(close)),
                (_("Points set aside"), held(close)),
            ],
            "counted": max(close.closing, 0),
            "cost": f"{close.cost_per_point.normalize():f}",
            "breakage": _percent(close.breakage),
            "digest": close.digest.hex(),
            "list_page": reverse("admin:loyalty_dayclose_changelist"),
            **around,
            **(extra_context or {}),
        }
        return TemplateResponse(request, "admin/loyalty/close.html", context)

    def export_view(self, request: HttpRequest) -> HttpResponse:
        """Every closed day as CSV, the oldest first. The staff log says who took it."""
        if not may(request, EXPORT):
            raise PermissionDenied
        text = io.StringIO()
        writer = csv.writer(text)
        writer.writerow([_label(name) for name in _CSV])
        rows = DayClose.objects.order_by("number").values_list(*_CSV)
        writer.writerows(rows)
        log_action("closes.export", actor_id=person(request), at=timezone.now(), days=len(rows))
        # Spreadsheets take UTF-8 for what it is only with the mark at its beginning.
        response = HttpResponse(text.getvalue().encode("utf-8-sig"), content_type="text/csv; charset=utf-8")
        response["Content-Disposition"] = 'attachment; filename="daily-closes.csv"'
        return response


def _came_in(close: DayClose) -> int:
    points: int = sum(getattr(close, name) for name in _IN)
    return points + max(close.adjusted, 0)


def _went_out(close: DayClose) -> int:
    points: int = sum(getattr(close, name) for name in _OUT)
    return points + max(-close.adjusted, 0)


class CostForm(forms.ModelForm):  # type: ignore[type-arg]
    class Meta:
        model = LiabilityRate
        fields = ("cost_per_point", "effective_from", "reason")
        help_texts = {
            "cost_per_point": gettext_lazy("What the shop gives for a point: 0.10 where 10 points make a yuan."),
            "effective_from": gettext_lazy("Counts for days that end then or later. Days already closed keep theirs."),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "effective_from" in self.fields:
            self.fields["effective_from"].initial = timezone.now

    def clean_cost_per_point(self) -> Decimal:
        cost: Decimal = self.cleaned_data["cost_per_point"]
        if cost < 0:
            raise ValidationError(_("A point cannot cost less than nothing."))
        return cost


@admin.register(LiabilityRate)
class LiabilityRateAdmin(ModelAdmin):
    """Adding publishes the next version. No version is ever changed or deleted: closed days refer to it."""

    form = CostForm
    list_display = ("version", "cost_per_point", "effective_from", "published_at", "published_by", "reason")
    list_select_related = ("published_by",)
    ordering = ("-version",)
    sortable_by = ()
    fields = ("cost_per_point", "effective_from", "reason")

    def has_change_permission(self, request: HttpRequest, obj: LiabilityRate | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: LiabilityRate | None = None) -> bool:
        return False

    def save_model(
        self, request: HttpRequest, obj: LiabilityRate, form: "forms.ModelForm[LiabilityRate]", change: bool
    ) -> None:
        now = timezone.now()
        published = publish_cost(
            obj.cost_per_point,
            effective_from=obj.effective_from,
            at=now,
            actor_id=person(request),
            reason=obj.reason,
        )
        obj.pk, obj.version = published.pk, published.version
        log_action("liability.publish", actor_id=person(request), at=now, reason=obj.reason, version=published.version)
