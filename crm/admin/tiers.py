"""The tiers themselves, and the filter of members by them."""

from django import forms
from django.contrib import admin
from django.db.models import Count, Model, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin
from unfold.decorators import display

from crm.adminkit import person
from crm.models import Member, Tier, TierGrant
from crm.stafflog import log_action
from crm.tiers.holding import in_force


class TierForm(forms.ModelForm):  # type: ignore[type-arg]
    class Meta:
        model = Tier
        fields = ("name", "code", "rank", "discount_percent")


@admin.register(Tier)
class TierAdmin(ModelAdmin):
    """A tier's code stands in published rules, so it never changes; a tier that was ever granted is not deleted."""

    form = TierForm
    list_display = ("name", "code", "rank", "discount_percent", "members")
    ordering = ("rank",)
    sortable_by = ()
    actions = None

    def get_queryset(self, request: HttpRequest) -> QuerySet[Tier]:
        tiers: QuerySet[Tier] = super().get_queryset(request)
        return tiers.annotate(holders=Count("grants", filter=in_force(timezone.now(), "grants__")))

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> tuple[str, ...]:
        return ("code",) if obj is not None else ()

    def has_delete_permission(self, request: HttpRequest, obj: Tier | None = None) -> bool:
        if obj is not None and obj.grants.exists():
            return False
        return bool(super().has_delete_permission(request, obj))

    @display(description=_("members"), empty_value="–")
    def members(self, tier: Tier) -> int | None:
        """Count those who hold the tier now; everybody else stands on the base rung, which nobody needs counted."""
        number: int = tier.holders  # type: ignore[attr-defined]
        return number if tier.rank else None

    def save_model(self, request: HttpRequest, obj: Tier, form: "forms.ModelForm[Tier]", change: bool) -> None:
        super().save_model(request, obj, form, change)
        if form.changed_data:
            log_action(
                "tier.change" if change else "tier.add",
                actor_id=person(request),
                at=timezone.now(),
                tier=obj.code,
                name=obj.name,
                rank=obj.rank,
                discount_percent=str(obj.discount_percent),
            )

    def delete_model(self, request: HttpRequest, obj: Tier) -> None:
        log_action("tier.delete", actor_id=person(request), at=timezone.now(), tier=obj.code)
        super().delete_model(request, obj)


class TierFilter(admin.SimpleListFilter):
    """Filters members by the tier they hold now."""

    title = _("tier")
    parameter_name = "tier"

    def lookups(self, request: HttpRequest, model_admin: object) -> list[tuple[str, str]]:
        return list(Tier.objects.values_list("code", "name"))

    def queryset(self, request: HttpRequest, queryset: QuerySet[Member]) -> QuerySet[Member]:
        if not self.value():
            return queryset
        grants = TierGrant.objects.filter(in_force(timezone.now())).order_by()
        tier = Tier.objects.filter(code=self.value()).first()
        if tier is None:
            return queryset.none()
        if tier.rank == 0:
            return queryset.exclude(pk__in=grants.exclude(tier=tier).values("member"))
        return queryset.filter(pk__in=grants.filter(tier=tier).values("member"))
