"""Coupon plans: what coupons buyers are offered, and for how many points."""

from datetime import datetime
from itertools import pairwise
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import Count, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.forms.models import BaseInlineFormSet
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.utils.html import format_html_join
from django.utils.safestring import mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy
from unfold.admin import ModelAdmin, TabularInline
from unfold.decorators import action, display

from crm.adminkit import may, person
from crm.api import log_action
from redemption.admin import coupon_pages
from redemption.choices import CodeSource
from redemption.coupons.guarding import costs_in_words
from redemption.models import CouponPlan, Denomination, PlanWindow, PoolCode
from redemption.templatetags.shop import number, yuan


class PlanForm(forms.ModelForm):  # type: ignore[type-arg]
    def clean(self) -> dict[str, Any]:
        said: dict[str, Any] = super().clean() or {}
        least, most = said.get("least_yuan"), said.get("most_yuan")
        if (least is None) != (most is None):
            missing = "most_yuan" if most is None else "least_yuan"
            self.add_error(missing, _("Any amount needs both bounds. Fill in this one, or empty the other."))
        elif least is not None and most is not None and least > most:
            self.add_error("most_yuan", _("The largest amount is below the smallest one."))
        if said.get("source") == CodeSource.POOL and (least or most):
            self.add_error(
                "source",
                _("Codes from a file have fixed values: empty the bounds, and use denominations."),
            )
        begins, ends = said.get("starts_at"), said.get("ends_at")
        if begins and ends and begins >= ends:
            self.add_error("ends_at", _("The offer ends before it begins."))
        if said.get("limit_window") and not begins:
            self.add_error("starts_at", _("A limit while it is offered needs a beginning to count from."))
        return said


class DenominationFormSet(BaseInlineFormSet):  # type: ignore[type-arg]
    def clean(self) -> None:
        super().clean()
        kept = [form for form in self.forms if form.cleaned_data.get("yuan") and not form.cleaned_data.get("DELETE")]
        if not any(self.errors) and not kept and self.instance.least_yuan is None:
            raise ValidationError(
                _("A plan needs a denomination, or the bounds of any amount, or buyers have nothing to choose.")
            )


class WindowFormSet(BaseInlineFormSet):  # type: ignore[type-arg]
    def clean(self) -> None:
        super().clean()
        if any(self.errors):
            return
        said = [form.cleaned_data for form in self.forms if form.cleaned_data and not form.cleaned_data.get("DELETE")]
        windows = sorted((one["starts_at"], one["ends_at"], one["name"]) for one in said if one.get("starts_at"))
        for begins, ends, name in windows:
            if begins >= ends:
                raise ValidationError(_("The special ratio “%(name)s” ends before it begins.") % {"name": name})
        for (_begins, ends, first), (begins, _ends, second) in pairwise(windows):
            if begins < ends:
                raise ValidationError(
                    _("The special ratios “%(first)s” and “%(second)s” overlap: the first has to end before that.")
                    % {"first": first, "second": second}
                )


class _PartOfPlan(TabularInline):
    """What is part of the plan: whoever may change the plan may change it."""

    hide_title = True

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return may(request, "redemption.view_couponplan") or may(request, "redemption.change_couponplan")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return may(request, "redemption.add_couponplan") or may(request, "redemption.change_couponplan")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.has_add_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.has_add_permission(request, obj)


class DenominationInline(_PartOfPlan):
    model = Denomination
    formset = DenominationFormSet
    extra = 1
    fields = ("yuan",)


class WindowInline(_PartOfPlan):
    model = PlanWindow
    formset = WindowFormSet
    extra = 0
    fields = ("name", "points_per_yuan", "starts_at", "ends_at", "limit")


@admin.register(CouponPlan)
class CouponPlanAdmin(ModelAdmin):
    """Issued coupons keep the terms they were issued under, whatever happens to their plan."""

    form = PlanForm
    actions_detail = ("codes", "preview")
    list_display = (
        "name", "points_per_yuan", "denominations_shown", "given_out", "codes_left", "active",
        "starts_at", "ends_at",
    )  # fmt: skip
    readonly_fields = ("given_out", "cost_in_sales")
    fieldsets = (
        (None, {"fields": ("name", "description", ("points_per_yuan", "validity_days"), "cost_in_sales", "active")}),
        (gettext_lazy("When, and for whom"), {"fields": ("starts_at", "ends_at", ("min_tier", "visibility"))}),
        (
            gettext_lazy("Any amount"),
            {
                "fields": (("least_yuan", "most_yuan"), "step_yuan"),
                "description": gettext_lazy("Beside the denominations below, or instead of them."),
            },
        ),
        (
            gettext_lazy("Limits and budget"),
            {
                "fields": ("limit_day", "limit_window", "limit_ever", ("budget_yuan", "budget_coupons"), "given_out"),
                "description": gettext_lazy(
                    "Empty means no end. A member's limits count all his platform identities together."
                ),
            },
        ),
        (gettext_lazy("Codes"), {"fields": ("source", "low_codes")}),
        (gettext_lazy("When a coupon is over"), {"fields": ("void_gives_back", "expiry_gives_back")}),
    )
    inlines = (DenominationInline, WindowInline)
    ordering = ("id",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[CouponPlan]:
        plans: QuerySet[CouponPlan] = super().get_queryset(request)
        plans = plans.select_related("use").prefetch_related("denominations")
        return plans.annotate(fewest=_fewest_codes(timezone.now()))

    # --- pages of one plan ----------------------------------------------------------------------------------------

    def has_codes_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return may(request, coupon_pages.ADD_CODES) and _pooled(object_id)

    def has_preview_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return may(request, coupon_pages.PREVIEW) and may(request, "crm.view_member")

    @action(description=gettext_lazy("Codes"), permissions=["codes"], icon="password")
    def codes(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        """What is in the pool of the plan, and how more comes in."""
        return coupon_pages.codes_page(self, request, object_id)

    @action(description=gettext_lazy("As a member sees it"), permissions=["preview"], icon="visibility")
    def preview(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """What a member would see at a moment."""
        return coupon_pages.preview_page(self, request, object_id)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """Say what is given away, once the special ratios are saved too."""
        super().save_related(request, form, formsets, change)
        for words, high in costs_in_words(form.instance, timezone.now()):
            if high:
                messages.warning(request, words)

    def save_model(self, request: HttpRequest, obj: CouponPlan, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        log_action(
            "couponplan.change" if change else "couponplan.make",
            actor_id=person(request),
            at=timezone.now(),
            plan=obj.pk,
            name=obj.name,
            changed=sorted(form.changed_data),
        )

    @display(description=gettext_lazy("values"))
    def denominations_shown(self, plan: CouponPlan) -> str:
        values = [str(denomination) for denomination in plan.denominations.all()]
        if plan.least_yuan is not None and plan.most_yuan is not None:
            values.append(f"{yuan(plan.least_yuan)}–{yuan(plan.most_yuan)}")
        return " ".join(values)

    @display(description=gettext_lazy("what a yuan of coupon costs"))
    def cost_in_sales(self, plan: CouponPlan) -> str:
        """In sales, at the earning rules of now: for the usual ratio and each special one that is not over."""
        if not plan.pk:
            return _("Shown when the plan is saved.")
        return format_html_join(
            mark_safe("<br>"), "{}", [(words,) for words, _high in costs_in_words(plan, timezone.now())]
        )

    @display(description=gettext_lazy("codes left"), label={"few": "warning", "none": "danger", "some": "success"})
    def codes_left(self, plan: CouponPlan) -> tuple[str, str] | str:
        """The codes that the scarcest denomination of a pool has left."""
        if plan.source != CodeSource.POOL:
            return ""
        left: int = plan.fewest or 0  # type: ignore[attr-defined]
        return ("some" if left >= plan.low_codes else "few" if left else "none"), number(left)

    @display(description=pgettext_lazy("coupons and yuan of a plan", "given out"))
    def given_out(self, plan: CouponPlan) -> str:
        """What has gone out, and of what budget; void coupons do not count."""
        if not plan.pk:
            return "–"
        words = {
            "coupons": _of(number(plan.use.coupons), plan.budget_coupons and number(plan.budget_coupons)),
            "yuan": _of(yuan(plan.use.yuan), plan.budget_yuan and yuan(plan.budget_yuan)),
        }
        return _("%(coupons)s coupons, %(yuan)s") % words


def _of(used: str, budget: str | int | None) -> str:
    return f"{used} / {budget}" if budget else used


def _pooled(object_id: str | None) -> bool:
    return object_id is None or (
        object_id.isdecimal() and CouponPlan.objects.filter(pk=object_id, source=CodeSource.POOL).exists()
    )


def _fewest_codes(at: datetime) -> Subquery:
    """The free codes of the denomination that has the fewest."""
    good = Q(valid_until=None) | Q(valid_until__gt=at)
    free = PoolCode.objects.filter(good, plan=OuterRef("plan"), yuan=OuterRef("yuan"), coupon=None).order_by()
    counted = Coalesce(Subquery(free.values("plan").annotate(n=Count("pk")).values("n")), 0)
    return Subquery(
        Denomination.objects.filter(plan=OuterRef("pk")).annotate(free=counted).order_by("free").values("free")[:1]
    )
