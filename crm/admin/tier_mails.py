"""Which mails about tiers are written: one row, so the list leads straight to it."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from unfold.admin import ModelAdmin

from crm.adminkit import person
from crm.models import TierMailPlan
from crm.stafflog import log_action


@admin.register(TierMailPlan)
class TierMailPlanAdmin(ModelAdmin):
    """There is one plan: it is changed, never added or deleted."""

    fields = ("tells_upgrades", "tells_claims", "claim_days", "ending_days")

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Make the row where there is none yet, and show it."""
        if not self.has_view_or_change_permission(request):
            answer: HttpResponse = super().changelist_view(request, extra_context)  # Refuses.
            return answer
        plan, _made = TierMailPlan.objects.get_or_create(pk=1)
        return redirect(reverse("admin:crm_tiermailplan_change", args=[plan.pk]))

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: TierMailPlan | None = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: TierMailPlan, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if form.changed_data:
            plan = {name: getattr(obj, name) for name in self.fields}
            log_action("mail.tier_plan", actor_id=person(request), at=timezone.now(), **plan)
