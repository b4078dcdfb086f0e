"""Coupon plans: what coupons buyers are offered, and for how many points."""

from itertools import pairwise
from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.forms.models import BaseInlineFormSet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy
from unfold.admin import ModelAdmin, TabularInline
from unfold.decorators import display

from crm.adminkit import may, person
from crm.api import log_action
from redemption.choices import CodeSource
from redemption.models import CouponPlan, Denomination, PlanWindow
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
    list_display = (
        "name", "points_per_yuan", "denominations_shown", "given_out", "validity_days", "active", "starts_at",
        "ends_at",
    )  # fmt: skip
    readonly_fields = ("given_out",)
    fieldsets = (
        (None, {"fields": ("name", "description", ("points_per_yuan", "validity_days"), "active")}),
        (gettext_lazy("When, and for whom"), {"fields": (("starts_at", "ends_at"), "min_tier")}),
        (
            gettext_lazy("Any amount"),
            {
                "fields": (("least_yuan", "most_yuan", "step_yuan"),),
                "description": gettext_lazy("Beside the denominations below, or instead of them."),
            },
        ),
        (
            gettext_lazy("Limits and budget"),
            {
                "fields": (("limit_day", "limit_window", "limit_ever"), ("budget_yuan", "budget_coupons"), "given_out"),
                "description": gettext_lazy(
                    "Empty means no end. A member's limits count all his platform identities together."
                ),
            },
        ),
        (gettext_lazy("Codes"), {"fields": (("source", "low_codes"),)}),
        (gettext_lazy("When a coupon is over"), {"fields": (("void_gives_back", "expiry_gives_back"),)}),
    )
    inlines = (DenominationInline, WindowInline)
    ordering = ("id",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[CouponPlan]:
        plans: QuerySet[CouponPlan] = super().get_queryset(request)
        return plans.select_related("use").prefetch_related("denominations")

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
