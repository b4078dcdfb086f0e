"""Giving a member a tier by hand: the form, what it would do, and the deed once that was confirmed."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminSingleDateWidget, UnfoldBooleanWidget

from crm.admin.bulk import ReasonForm
from crm.admin.tier_history import MAY_GRANT
from crm.adminkit import may, person
from crm.models import Member, Tier, TierGrant
from crm.stafflog import log_action
from crm.tier_words import last_day
from crm.tiers.granting import GrantRefused, grant_tier, lock_member
from crm.tiers.holding import in_force


class GrantForm(ReasonForm):
    """Which tier, until when, and why. ``shown`` is the grant that was in force when the page was opened."""

    tier = forms.ModelChoiceField(
        label=_("Tier"), queryset=Tier.objects.none(), empty_label=_("Choose a tier"), widget=UnfoldAdminSelectWidget
    )
    last_day = forms.DateField(
        label=_("Last day"),
        required=False,
        widget=UnfoldAdminSingleDateWidget,
        help_text=_("Left empty, the tier has no end. After the last day the tier that it replaced comes back if that "
                    "one still runs; otherwise the rules decide."),
    )  # fmt: skip
    locked = forms.BooleanField(
        label=_("The system does not move it until it ends"),
        required=False,
        widget=UnfoldBooleanWidget,
        help_text=_("Without this, the rules may raise the member meanwhile. They never take away what was given by "
                    "hand before it ends."),
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

    def until(self) -> datetime | None:
        """The instant at which the tier ends."""
        day: date | None = self.cleaned_data["last_day"]
        return None if day is None else timezone.make_aware(datetime.combine(day + timedelta(days=1), time()))


@dataclass(frozen=True, slots=True)
class Change:
    """What a person confirms: the tier that is held now, through which day, and what the form makes of it."""

    before: str
    before_last_day: date | None
    after: str
    last_day: date | None
    locked: bool
    reason: str


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
    change = None
    if request.method == "POST":
        form = GrantForm(request.POST, today=today)
        if form.is_valid():
            if "confirmed" not in request.POST:
                change = _change(member_id, form, now)
            elif _grant(request, member_id, form, now):
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
        "change": change,
        "media": model_admin.media + form.media,
    }
    return TemplateResponse(request, "admin/crm/member/give_tier.html", context)


def _change(member_id: int, form: GrantForm, at: datetime) -> Change:
    said = form.cleaned_data
    held = TierGrant.objects.filter(in_force(at), member=member_id).select_related("tier").first()
    base = Tier.objects.filter(rank=0).first()
    return Change(
        held.tier.name if held else base.name if base else "–",
        last_day(held.ends_at) if held and held.ends_at else None,
        said["tier"].name,
        said["last_day"],
        said["locked"],
        said["reason"],
    )


def _held(member_id: int, at: datetime) -> str:
    """Return the number of the grant in force; "" without one."""
    grant = TierGrant.objects.filter(in_force(at), member=member_id).values_list("pk", flat=True).first()
    return "" if grant is None else str(grant)


def _grant(request: HttpRequest, member_id: int, form: GrantForm, at: datetime) -> bool:
    """Give the tier and write the staff log, both or neither; a form that was sent before gives nothing twice."""
    said = form.cleaned_data
    until = form.until()
    with transaction.atomic():
        lock_member(member_id)
        if said["shown"] != _held(member_id, at):
            form.add_error(None, _("The member's tier has changed since this page was opened. Please open it again."))
            return False
        try:
            grant = grant_tier(
                member_id,
                said["tier"].code,
                at=at,
                until=until,
                actor_id=person(request),
                reason=said["reason"],
                locked=said["locked"],
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
            locked=grant.locked,
            grant=grant.pk,
            replaced=grant.replaced_id,
        )
    messages.success(request, _("The member now holds the tier “%(tier)s”.") % {"tier": grant.tier.name})
    return True
