"""Adjusting points by hand: amount and reason, then what it leads to, then the confirmation.

The confirmation carries a signed token with all that was shown, so what is booked is what was seen; and the token's own
number is the key of the journal, so a second click books nothing. Above the limit for one member nothing is booked: a
second person has to approve it first (``loyalty.grants``).
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from secrets import token_urlsafe
from typing import Any

from django import forms
from django.apps import apps
from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.signing import BadSignature, TimestampSigner
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.admin import ModelAdmin
from unfold.widgets import UnfoldAdminIntegerFieldWidget, UnfoldAdminTextInputWidget

from crm.adminkit import may, person
from crm.api import log_action
from loyalty.grants.approval import limits
from loyalty.grants.making import propose_adjustment
from loyalty.movements import adjust
from loyalty.policies import valid_until
from loyalty.posting import InsufficientPoints, Outcome
from loyalty.statement import AccountSummary, summary

PERMISSION = "loyalty.adjust_points"
MOST = 10_000_000  # Points in one step; more is a slip of the finger.
TOKEN_SECONDS = 3600
_SALT = "loyalty.adjust"


class AdjustForm(forms.Form):
    """How many points, and why."""

    points = forms.IntegerField(
        label=gettext_lazy("Points"),
        min_value=-MOST,
        max_value=MOST,
        widget=UnfoldAdminIntegerFieldWidget,
        help_text=gettext_lazy("Positive gives points, negative takes them away."),
    )
    reason = forms.CharField(
        label=gettext_lazy("Reason"),
        max_length=300,
        widget=UnfoldAdminTextInputWidget,
        help_text=gettext_lazy("The member sees it in his statement."),
    )

    def __init__(self, *args: Any, account: AccountSummary, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._account = account

    def clean_points(self) -> int:
        points: int = self.cleaned_data["points"]
        if points == 0:
            raise ValidationError(_("Zero points change nothing."))
        if points < 0 and -points > self._account.spendable:
            raise ValidationError(
                _("The member can spend %(spendable)s points; no more can be taken away.")
                % {"spendable": self._account.spendable}
            )
        return points


@dataclass(frozen=True, slots=True)
class Adjustment:
    """What a person was shown before he confirmed."""

    member_id: int
    points: int
    reason: str
    number: str

    def token(self) -> str:
        """Sign it, for the confirmation to bring back."""
        content = [self.member_id, self.points, self.reason, self.number]
        return TimestampSigner(salt=_SALT).sign_object(content)

    @classmethod
    def from_token(cls, token: str) -> "Adjustment | None":
        """Return what was shown; None for a token that is too old or not ours."""
        try:
            return cls(*TimestampSigner(salt=_SALT).unsign_object(token, max_age=TOKEN_SECONDS))
        except BadSignature:
            return None


def book(adjustment: Adjustment, *, actor_id: int, at: datetime) -> Outcome:
    """Post an adjustment and write the staff log, both or neither, once. Raises ``InsufficientPoints``."""
    with transaction.atomic():
        outcome = adjust(
            adjustment.member_id,
            adjustment.points,
            key=f"adjust:{adjustment.number}",
            at=at,
            reason=adjustment.reason,
            actor_id=actor_id,
            expires_at=valid_until(at) if adjustment.points > 0 else None,
        )
        if not outcome.repeated:
            log_action(
                "points.adjust",
                actor_id=actor_id,
                at=at,
                reason=adjustment.reason,
                member_id=adjustment.member_id,
                points=adjustment.points,
                balance_after=outcome.balance_after,
            )
    return outcome


def adjust_view(model_admin: ModelAdmin, request: HttpRequest, member_id: int) -> HttpResponse:
    """The page: the form, its confirmation, and the booking."""
    if not may(request, PERMISSION):
        raise PermissionDenied
    member = apps.get_model("crm", "Member").objects.filter(pk=member_id).first()
    if member is None:
        raise Http404
    page = reverse("admin:crm_member_change", args=[member_id])
    if request.method == "POST" and "token" in request.POST:
        return HttpResponseRedirect(_confirmed(request, member_id) or f"{page}#points")
    account = summary(member_id, timezone.now())
    form = AdjustForm(request.POST or None, account=account)
    context = {
        **model_admin.admin_site.each_context(request),
        "title": _("Adjust points"),
        "member": member,
        "member_page": page,
        "account": account,
        "form": form,
    }
    if request.method == "POST" and form.is_valid():
        adjustment = Adjustment(member_id, form.cleaned_data["points"], form.cleaned_data["reason"], token_urlsafe(12))
        after = account.balance + adjustment.points
        above = limits().exceeded_by(abs(adjustment.points), abs(adjustment.points))
        context |= {"adjustment": adjustment, "token": adjustment.token(), "after": after, "above_limit": above}
        end = valid_until(timezone.now())
        context["last_moment"] = end and end - timedelta(microseconds=1)
    return TemplateResponse(request, "admin/loyalty/adjust.html", context)


def _confirmed(request: HttpRequest, member_id: int) -> str:
    """Book it, or have it wait for a second person; the answer is the page to go to then."""
    adjustment = Adjustment.from_token(request.POST["token"])
    if adjustment is None or adjustment.member_id != member_id:
        messages.error(request, _("The page had been open for too long. Nothing was booked; please start again."))
        return ""
    if limits().exceeded_by(abs(adjustment.points), abs(adjustment.points)):
        return _proposed(request, adjustment)
    try:
        outcome = book(adjustment, actor_id=person(request), at=timezone.now())
    except InsufficientPoints as error:
        messages.error(
            request,
            _("The member has spent points in the meantime: only %(available)s are left. Nothing was booked.")
            % {"available": error.available},
        )
        return ""
    if outcome.repeated:
        messages.info(request, _("This adjustment was already booked. It was not booked again."))
    else:
        messages.success(
            request, _("Booked. The balance is now %(balance)s points.") % {"balance": outcome.balance_after}
        )
    return ""


def _proposed(request: HttpRequest, adjustment: Adjustment) -> str:
    bounds = limits()
    grant, made = propose_adjustment(
        adjustment.member_id,
        adjustment.points,
        token=adjustment.number,
        reason=adjustment.reason,
        actor_id=person(request),
        at=timezone.now(),
        limits=(bounds.total, bounds.member),
    )
    if made:
        messages.info(request, _("Above the limit: a second person has to approve this adjustment now."))
    else:
        messages.info(request, _("This adjustment waits for approval already. It was not asked for again."))
    return reverse("admin:loyalty_grant_change", args=[grant.pk])
