"""Points for purchases that no order file reaches back to: the upload. What follows is a grant's own page."""

from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _
from unfold.widgets import (
    UnfoldAdminDecimalFieldWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanWidget,
)

from crm.adminkit import EndlessAdmin, may, person
from crm.filekit import csv_pieces, is_packed
from loyalty.admin.grant_forms import UploadForm
from loyalty.admin.grants import ADD, CHECK_AT_ONCE
from loyalty.earning.kinds.money import ROUNDINGS
from loyalty.earning.money import DOWN, fen
from loyalty.grants import approval, jobs
from loyalty.grants.making import check
from loyalty.models import Grant, PastGap
from loyalty.past_purchases import making
from loyalty.past_purchases.checking import READING
from loyalty.past_purchases.making import CountsFrom, Rate
from loyalty.rulebook import published_sets, set_at

ADD_MEMBERS = "crm.add_member"
_BASE, _OWN = "base", "own"
_EXAMPLE = Decimal(1000)
# Not for translators: the upload must recognise them, and does so by ``loyalty.past_purchases.rows.TITLES``.
_SAMPLE_TITLES = (
    ("channel", "店铺"), ("name on the platform", "平台昵称"), ("total", "消费总额"), ("last purchase", "最后购买日期"),
)  # fmt: skip


class PastUploadForm(UploadForm):
    """A table of who spent how much, for which time, at which rate, and valid from when."""

    gap = forms.ModelChoiceField(
        label=gettext_lazy("Time of the purchases"),
        queryset=PastGap.objects.none(),
        required=False,
        empty_label=gettext_lazy("A new one, named below"),
        widget=UnfoldAdminSelectWidget,
        help_text=gettext_lazy("A member gets points for the same time once, in whichever file he stands."),
    )
    new_gap = forms.CharField(
        label=gettext_lazy("Name of a new time"),
        max_length=80,
        required=False,
        widget=UnfoldAdminTextInputWidget,
        help_text=gettext_lazy("Such as “before June 2026”. Files that overlap belong to the same time."),
    )
    rate = forms.ChoiceField(label=gettext_lazy("Rate"), initial=_BASE, widget=UnfoldAdminSelectWidget)
    per = forms.DecimalField(
        label=gettext_lazy("Every (yuan)"),
        min_value=Decimal("0.01"),
        max_value=Decimal(10_000_000),
        decimal_places=2,
        required=False,
        widget=UnfoldAdminDecimalFieldWidget,
        help_text=gettext_lazy("This and the next two only for a rate of its own."),
    )
    points = forms.IntegerField(
        label=gettext_lazy("Points"),
        min_value=1,
        max_value=1_000_000,
        required=False,
        widget=UnfoldAdminIntegerFieldWidget,
    )
    rounding = forms.ChoiceField(
        label=gettext_lazy("Rounding"), choices=ROUNDINGS, initial=DOWN, required=False, widget=UnfoldAdminSelectWidget
    )
    counts_from = forms.ChoiceField(
        label=gettext_lazy("The validity counts from"),
        choices=CountsFrom.choices,
        initial=CountsFrom.TODAY,
        widget=UnfoldAdminSelectWidget,
        help_text=gettext_lazy(
            "Counted from the last purchase, points may lapse soon; rows whose points would have lapsed already are "
            "refused."
        ),
    )
    makes_members = forms.BooleanField(
        label=gettext_lazy("Make members of the names that nobody has yet"),
        required=False,
        widget=UnfoldBooleanWidget,
        help_text=gettext_lazy(
            "Their points wait for them: the next order under this name in this channel finds them. Otherwise such "
            "rows are refused."
        ),
    )

    field_order = (
        "upload", "gap", "new_gap", "rate", "per", "points", "rounding", "counts_from", "makes_members",
    )  # fmt: skip

    def __init__(self, *args: Any, base: int, may_make_members: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._base = base
        gaps = PastGap.objects.all()
        self.fields["gap"].queryset = gaps  # type: ignore[attr-defined]
        if not gaps.exists():
            del self.fields["gap"]
        told = {"yuan": f"{_EXAMPLE:,}", "points": f"{base:,}"}
        self.fields["rate"].choices = [  # type: ignore[attr-defined]
            (_BASE, _("The base of the earning rules in force: %(yuan)s yuan are %(points)s points") % told),
            (_OWN, _("A rate of its own, as below")),
        ]
        if not may_make_members:
            del self.fields["makes_members"]

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        self._clean_gap(data)
        self._clean_rate(data)
        return data

    def _clean_gap(self, data: dict[str, Any]) -> None:
        name = making.plain_name(data.get("new_gap") or "")
        if data.get("gap") and name:
            self.add_error("new_gap", ValidationError(_("Choose a time or name a new one, not both.")))
        elif not data.get("gap") and not name and "new_gap" not in self.errors:
            self.add_error("new_gap", ValidationError(_("Say which time these purchases are of.")))
        data["name"] = data["gap"].name if data.get("gap") else name

    def _clean_rate(self, data: dict[str, Any]) -> None:
        if data.get("rate") == _BASE and not self._base:
            told = ValidationError(
                _("The earning rules in force give nothing for an amount alone. Choose a rate of its own.")
            )
            self.add_error("rate", told)
        if data.get("rate") == _OWN:
            for field in ("per", "points"):
                if data.get(field) is None and field not in self.errors:
                    self.add_error(field, ValidationError(_("A rate of its own needs this number.")))

    def choices(self) -> dict[str, Any]:
        """What ``loyalty.past_purchases.making.upload`` wants to know."""
        data = self.cleaned_data
        own = data["rate"] == _OWN
        return {
            "gap": data["name"],
            "rate": Rate(data["per"], data["points"], data["rounding"] or DOWN) if own else None,
            "counts_from": CountsFrom(data["counts_from"]),
            "makes_members": data.get("makes_members", False),
        }


@admin.register(PastGap)
class PastGapAdmin(EndlessAdmin):
    """The named times, and the upload for one of them. Whoever may give points to many may do this, too; making members
    needs the permission to add some."""

    list_display = ("name", "made_by", "made_at")
    list_select_related = ("made_by",)
    list_display_links = None

    def has_add_permission(self, request: HttpRequest) -> bool:
        return may(request, ADD)

    def get_urls(self) -> list[URLPattern]:
        sample = self.admin_site.admin_view(self.sample_view)
        return [path("sample.csv", sample, name="loyalty_pastgap_sample"), *super().get_urls()]

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        now = timezone.now()
        form = PastUploadForm(
            request.POST or None,
            request.FILES or None,
            base=set_at(published_sets(), now).base_for(fen(_EXAMPLE)),
            may_make_members=may(request, ADD_MEMBERS),
        )
        if request.method == "POST" and form.is_valid():
            file = form.cleaned_data["upload"]
            grant = making.upload(file, **form.choices(), actor_id=person(request), at=now)
            if file.size <= CHECK_AT_ONCE and not is_packed(file):
                check(grant.pk, at=now, readings={Grant.Source.PAST: READING})
            else:
                jobs.check_later(grant.pk)
            return HttpResponseRedirect(reverse("admin:loyalty_grant_change", args=[grant.pk]))
        request.current_app = self.admin_site.name
        context = {
            **self.admin_site.each_context(request),
            "title": _("Points for past purchases"),
            "model_admin": self,
            "form": form,
            "limits": approval.limits(),
            "gaps": making.gaps_with_figures(),
        }
        return TemplateResponse(request, "admin/loyalty/past_upload.html", context)

    def sample_view(self, request: HttpRequest) -> HttpResponse:
        """A file to begin with."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        titles = [title[(get_language() or "").startswith("zh")] for title in _SAMPLE_TITLES]
        rows = [["tea", "buyer_1", "1280.50", "2026-03-31"], ["tea", "buyer_2", "99", ""]]
        response = HttpResponse("".join(csv_pieces(titles, rows)), content_type="text/csv; charset=utf-8")
        response["Content-Disposition"] = 'attachment; filename="past-purchases.csv"'
        return response
