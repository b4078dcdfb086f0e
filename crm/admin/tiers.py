"""Tiers: the rungs themselves, and the tiers that members hold."""

from datetime import date, datetime, time, timedelta
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.db.models import Count, Model, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin
from unfold.decorators import display
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminSingleDateWidget

from crm.admin.bulk import ReasonForm
from crm.adminkit import may, person
from crm.models import Member, Tier, TierGrant
from crm.stafflog import log_action
from crm.tiers.granting import GrantRefused, grant_tier, lock_member
from crm.tiers.holding import in_force

MAY_GRANT = "crm.add_tiergrant"


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


def tier_panel(request: HttpRequest, member_id: int) -> dict[str, Any]:
    """What the member's page shows of his tiers: the one he holds, and how he came by it."""
    now = timezone.now()
    grants = TierGrant.objects.filter(member=member_id).select_related("tier", "granted_by")
    rows = [
        {"grant": grant, "last_day": _last_day(grant.ended_at or grant.ends_at), "now": _is_in_force(grant, now)}
        for grant in grants.order_by("-begins_at", "-pk")
    ]
    held = next((row for row in rows if row["now"]), None)
    return {
        "rows": rows,
        "held": held,
        "base": Tier.objects.filter(rank=0).first(),
        "member_id": member_id,
        "may_grant": may(request, MAY_GRANT),
    }


def _is_in_force(grant: TierGrant, at: datetime) -> bool:
    end = grant.ended_at or grant.ends_at
    return grant.begins_at <= at and (end is None or end > at)


def _last_day(end: datetime | None) -> date | None:
    """Return the last day on which a grant that ends then is in force."""
    return timezone.localtime(end - timedelta(microseconds=1)).date() if end else None


# --- granting by hand ---------------------------------------------------------------------------------------------


class GrantForm(ReasonForm):
    """Which tier, until when, and why. ``shown`` is the grant that was in force when the page was opened."""

    tier = forms.ModelChoiceField(
        label=_("Tier"), queryset=Tier.objects.none(), empty_label=_("Choose a tier"), widget=UnfoldAdminSelectWidget
    )
    last_day = forms.DateField(
        label=_("Last day"),
        required=False,
        widget=UnfoldAdminSingleDateWidget,
        help_text=_("Left empty, the tier is held until another takes its place. After the last day the member is back "
                    "on the base tier."),
    )  # fmt: skip
    shown = forms.CharField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, today: date, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["tier"].queryset = Tier.objects.all()  # type: ignore[attr-defined]
        self._today = today

    def clean_last_day(self) -> date | None:
        day: date | None = self.cleaned_data["last_day"]
        if day is not None and day < self._today:
            raise ValidationError(_("This day is over. Choose today or a later day."))
        return day


def grant_view(model_admin: ModelAdmin, request: HttpRequest, member_id: int) -> HttpResponse:
    """The page on which a person gives a member a tier."""
    if not may(request, MAY_GRANT):
        raise PermissionDenied
    member = Member.objects.filter(pk=member_id).first()
    if member is None:
        raise Http404
    now = timezone.now()
    page = reverse("admin:crm_member_change", args=[member_id])
    today = timezone.localtime(now).date()
    if request.method == "POST":
        form = GrantForm(request.POST, today=today)
        if form.is_valid() and _grant(request, member_id, form, now):
            return HttpResponseRedirect(f"{page}#tier")
    else:
        form = GrantForm(today=today, initial={"shown": _held(member_id, now)})
    context = {
        **model_admin.admin_site.each_context(request),
        "title": _("Give a tier"),
        "opts": model_admin.opts,
        "member": member,
        "member_page": page,
        "form": form,
        "media": model_admin.media + form.media,
    }
    return TemplateResponse(request, "admin/crm/member/act.html", context)


def _held(member_id: int, at: datetime) -> str:
    """Return the number of the grant in force; "" without one."""
    grant = TierGrant.objects.filter(in_force(at), member=member_id).values_list("pk", flat=True).first()
    return "" if grant is None else str(grant)


def _grant(request: HttpRequest, member_id: int, form: GrantForm, at: datetime) -> bool:
    """Give the tier and write the staff log, both or neither; a form that was sent before gives nothing twice."""
    said = form.cleaned_data
    until = None
    if said["last_day"] is not None:
        until = timezone.make_aware(datetime.combine(said["last_day"] + timedelta(days=1), time()))
    with transaction.atomic():
        lock_member(member_id)
        if said["shown"] != _held(member_id, at):
            form.add_error(None, _("The member's tier has changed since this page was opened. Please open it again."))
            return False
        try:
            grant = grant_tier(
                member_id, said["tier"].code, at=at, until=until, actor_id=person(request), reason=said["reason"]
            )
        except GrantRefused:
            form.add_error(None, _("A tier that begins later has been given already; it would be overwritten."))
            return False
        log_action(
            "tier.grant",
            actor_id=person(request),
            at=at,
            reason=said["reason"],
            member_id=member_id,
            tier=grant.tier.code,
            until=until.isoformat() if until else None,
            grant=grant.pk,
            replaced=grant.replaced_id,
        )
    messages.success(request, _("The member now holds the tier “%(tier)s”.") % {"tier": grant.tier.name})
    return True
