"""Coupon plans: what coupons buyers are offered, and for how many points."""

from typing import Any

from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.forms.models import BaseInlineFormSet
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.admin import ModelAdmin, TabularInline
from unfold.decorators import display

from crm.adminkit import may
from redemption.models import CouponPlan, Denomination


class DenominationFormSet(BaseInlineFormSet):  # type: ignore[type-arg]
    def clean(self) -> None:
        super().clean()
        kept = [form for form in self.forms if form.cleaned_data.get("yuan") and not form.cleaned_data.get("DELETE")]
        if not any(self.errors) and not kept:
            raise ValidationError(_("A plan needs at least one denomination, or buyers have nothing to choose."))


class DenominationInline(TabularInline):
    model = Denomination
    formset = DenominationFormSet
    extra = 1
    fields = ("yuan",)
    hide_title = True

    # The denominations are part of the plan: whoever may change the plan may change them.
    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return may(request, "redemption.view_couponplan") or may(request, "redemption.change_couponplan")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return may(request, "redemption.add_couponplan") or may(request, "redemption.change_couponplan")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.has_add_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.has_add_permission(request, obj)


@admin.register(CouponPlan)
class CouponPlanAdmin(ModelAdmin):
    """Issued coupons keep the terms they were issued under, whatever happens to their plan."""

    list_display = ("name", "points_per_yuan", "denominations_shown", "validity_days", "active", "starts_at", "ends_at")
    fields = ("name", "description", ("points_per_yuan", "validity_days"), "active", "starts_at", "ends_at")
    inlines = (DenominationInline,)
    ordering = ("id",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[CouponPlan]:
        plans: QuerySet[CouponPlan] = super().get_queryset(request)
        return plans.prefetch_related("denominations")

    @display(description=gettext_lazy("denominations"))
    def denominations_shown(self, plan: CouponPlan) -> str:
        return " ".join(str(denomination) for denomination in plan.denominations.all())
