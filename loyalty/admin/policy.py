"""Validity policies: published, frozen, and followed by the next version.

A change goes in three steps: the form, what it would do to points that members have, and the confirmation. The
confirmation carries a signed token with all that was shown, so what is published is what was seen; and the token names
the version that it makes, so a second click, or a colleague who was faster, publishes nothing.
"""

from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.signing import BadSignature, TimestampSigner
from django.db import IntegrityError, transaction
from django.db.models import Max
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.decorators import display
from unfold.widgets import (
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanWidget,
)

from crm.adminkit import ReadOnlyAdmin, may, person
from crm.api import log_action
from loyalty.choices import ExistingPoints, ValidityKind
from loyalty.models import ValidityPolicy
from loyalty.policies import ShorteningNotConfirmed, policy_in_force, publish_policy
from loyalty.policy_preview import PolicyPreview, preview_change
from loyalty.tasks import apply_policy
from loyalty.validity import Policy

PERMISSION = "loyalty.change_validitypolicy"
TOKEN_SECONDS = 3600
_SALT = "loyalty.policy"
# What a kind of validity cannot do without.
_NEEDS = {
    ValidityKind.PER_LOT_DAYS: "days",
    ValidityKind.PER_LOT_MONTHS: "months",
    ValidityKind.ACCOUNT_RENEWAL: "months",
}


def _number(
    label: Any, most: int, help_text: Any = "", least: int = 0, *, required: bool = False
) -> forms.IntegerField:
    return forms.IntegerField(
        label=label,
        min_value=least,
        max_value=most,
        required=required,
        help_text=help_text,
        widget=UnfoldAdminIntegerFieldWidget,
    )


class PolicyForm(forms.Form):
    """The next version of the policy. Numbers that the chosen kind does not use are left alone."""

    kind = forms.ChoiceField(
        label=gettext_lazy("How the end of validity is found"),
        choices=ValidityKind.choices,
        widget=UnfoldAdminSelectWidget,
    )
    days = _number(gettext_lazy("Number of days"), 36_500, gettext_lazy("The last day counts whole."))
    months = _number(
        gettext_lazy("Number of months"), 1_200, gettext_lazy("A month after 31 January is the last day of February.")
    )
    month = _number(gettext_lazy("Month of the fixed day"), 12, least=1)
    day = _number(gettext_lazy("Fixed day of the month"), 31, least=1)
    years = _number(
        gettext_lazy("Further years"),
        100,
        gettext_lazy("0: points end with the first fixed day after they were earned."),
    )
    success_after_days = _number(
        gettext_lazy("Order succeeds after days"),
        3_650,
        gettext_lazy("Days after shipping, if the buyer does not confirm earlier. Empty: he must confirm."),
    )
    grace_days = _number(
        gettext_lazy("Days of grace"),
        36_500,
        gettext_lazy("How long points are valid that come back after their end. Empty: they have lapsed."),
    )
    partial_return_renews = forms.BooleanField(
        label=gettext_lazy("After a partial return the rest of the order's points begins its validity anew"),
        required=False,
        widget=UnfoldBooleanWidget,
    )
    existing = forms.ChoiceField(
        label=gettext_lazy("Points that members have already"),
        choices=ExistingPoints.choices,
        widget=UnfoldAdminSelectWidget,
    )
    reason = forms.CharField(
        label=gettext_lazy("Reason"),
        max_length=300,
        widget=UnfoldAdminTextInputWidget,
        help_text=gettext_lazy("Kept with the version and in the staff log."),
    )

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        needed = _NEEDS.get(ValidityKind(data["kind"])) if "kind" in data else None
        if needed and not data.get(needed) and needed not in self.errors:
            self.add_error(needed, ValidationError(_("This kind of validity needs a number here, at least 1.")))
        if data.get("kind") == ValidityKind.YEAR_END:
            for name in ("month", "day"):
                if not data.get(name) and name not in self.errors:
                    self.add_error(name, ValidationError(_("Say which day of the year ends the validity.")))
        return data

    def policy(self, current: Policy) -> Policy:
        """The policy that was typed in; what its kind does not use stays as it is in ``current``."""
        data = self.cleaned_data
        numbers = {name: data[name] for name in ("days", "months", "years", "month", "day") if data[name] is not None}
        return replace(
            current,
            kind=ValidityKind(data["kind"]),
            success_after_days=data["success_after_days"],
            grace_days=data["grace_days"],
            partial_return_renews=data["partial_return_renews"],
            effective_from=None,
            **numbers,
        )


@dataclass(frozen=True, slots=True)
class Change:
    """What a person was shown before he confirmed. ``policy.version`` is the one that it makes."""

    policy: Policy
    existing: ExistingPoints
    reason: str

    def token(self) -> str:
        """Sign it, for the confirmation to bring back."""
        return TimestampSigner(salt=_SALT).sign_object([asdict(self.policy), self.existing.value, self.reason])

    @classmethod
    def from_token(cls, token: str) -> "Change | None":
        """Return what was shown; None for a token that is too old or not ours."""
        try:
            policy, existing, reason = TimestampSigner(salt=_SALT).unsign_object(token, max_age=TOKEN_SECONDS)
        except BadSignature:
            return None
        return cls(Policy(**policy | {"kind": ValidityKind(policy["kind"])}), ExistingPoints(existing), reason)

    @property
    def shortens(self) -> bool:
        return self.existing is ExistingPoints.APPLY_TO_ALL


def publish(change: Change, *, confirmed: bool, actor_id: int, at: datetime) -> bool:
    """Publish a change and write the staff log, both or neither; False when its version is taken already.

    Raises ShorteningNotConfirmed.
    """
    try:
        with transaction.atomic():
            if _next_version() != change.policy.version:
                return False
            publish_policy(
                change.policy,
                effective_from=at,
                at=at,
                actor_id=actor_id,
                reason=change.reason,
                existing=change.existing,
                confirmed=confirmed,
            )
            log_action(
                "policy.publish",
                actor_id=actor_id,
                at=at,
                reason=change.reason,
                version=change.policy.version,
                kind=change.policy.kind.value,
                existing=change.existing.value,
            )
            if change.existing is not ExistingPoints.NEW_POINTS_ONLY:
                transaction.on_commit(apply_policy.delay)
    except IntegrityError:  # A colleague published the same version at the same moment.
        return False
    return True


def _next_version() -> int:
    latest: int | None = ValidityPolicy.objects.aggregate(latest=Max("version"))["latest"]
    return (latest or 0) + 1


@admin.register(ValidityPolicy)
class ValidityPolicyAdmin(ReadOnlyAdmin):
    """Adding publishes the next version. No version is ever changed or deleted: points were promised under it."""

    list_display = (
        "version",
        "validity",
        "existing_points",
        "carried_through",
        "effective_from",
        "published_by",
        "reason",
    )
    list_select_related = ("published_by", "application")
    list_before_template = "admin/loyalty/policy_in_force.html"
    ordering = ("-version",)
    sortable_by = ()
    fields = (
        "version", "kind", ("days", "months"), ("month", "day", "years"), ("success_after_days", "grace_days"),
        "partial_return_renews", "existing_points", ("effective_from", "published_at"), "published_by", "reason",
    )  # fmt: skip

    @display(description=gettext_lazy("validity"))
    def validity(self, policy: ValidityPolicy) -> str:
        return in_words(policy)

    @display(description=gettext_lazy("carried through"))
    def carried_through(self, policy: ValidityPolicy) -> datetime | None:
        return policy.application.at if hasattr(policy, "application") else None

    def has_add_permission(self, request: HttpRequest) -> bool:
        return may(request, PERMISSION)

    def has_view_permission(self, request: HttpRequest, obj: ValidityPolicy | None = None) -> bool:
        return bool(super().has_view_permission(request, obj)) or may(request, PERMISSION)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        current = policy_in_force(timezone.now())
        extra = {"current": in_words(current), "built_in": not current.version}
        response: HttpResponse = super().changelist_view(request, {**(extra_context or {}), **extra})
        return response

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The page: the form, what the change would do, and its publication."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        if request.method == "POST" and "token" in request.POST:
            return self._confirmed(request)
        now = timezone.now()
        current = policy_in_force(now)
        form = PolicyForm(request.POST or None, initial=_initial(current))
        context = {
            **self.admin_site.each_context(request),
            "title": _("Change the validity of points"),
            "opts": self.opts,
            "current": in_words(current),
            "form": form,
        }
        if request.method == "POST" and form.is_valid():
            policy = replace(form.policy(current), version=_next_version())
            change = Change(policy, ExistingPoints(form.cleaned_data["existing"]), form.cleaned_data["reason"])
            context |= _shown(change, preview_change(policy, now))
        return TemplateResponse(request, "admin/loyalty/policy.html", context)

    def _confirmed(self, request: HttpRequest) -> HttpResponse:
        back = HttpResponseRedirect(reverse("admin:loyalty_validitypolicy_changelist"))
        change = Change.from_token(request.POST["token"])
        if change is None:
            messages.error(request, _("The page had been open for too long. Nothing was changed; please start again."))
            return back
        confirmed = request.POST.get("confirmed") == "on"
        try:
            published = publish(change, confirmed=confirmed, actor_id=person(request), at=timezone.now())
        except ShorteningNotConfirmed:
            messages.error(
                request,
                _("The change shortens validity that was promised. Nothing was changed; tick the box to confirm it."),
            )
            return back
        if published:
            messages.success(request, _("Published. It counts from now on."))
        else:
            messages.info(
                request, _("The policy has been changed since this page was opened. It was not changed again.")
            )
        return back


def in_words(policy: Policy | ValidityPolicy) -> str:
    """A policy in one sentence."""
    match ValidityKind(policy.kind):
        case ValidityKind.PER_LOT_DAYS:
            return _("Points are valid for %(days)s days.") % {"days": policy.days}
        case ValidityKind.PER_LOT_MONTHS:
            return _("Points are valid for %(months)s months.") % {"months": policy.months}
        case ValidityKind.ACCOUNT_RENEWAL:
            return _("All points are valid for %(months)s months from the last purchase.") % {"months": policy.months}
        case ValidityKind.YEAR_END:
            figures = {"month": policy.month, "day": policy.day, "years": policy.years}
            return _("Points are valid through day %(day)s of month %(month)s, and %(years)s further years.") % figures
        case ValidityKind.NEVER:
            return _("Points have no end.")


def _initial(current: Policy) -> dict[str, Any]:
    initial = {name: getattr(current, name) for name in PolicyForm.base_fields if hasattr(current, name)}
    return initial | {"existing": ExistingPoints.NEW_POINTS_ONLY}


def _shown(change: Change, preview: PolicyPreview) -> dict[str, Any]:
    """What the page says of a change."""
    return {
        "change": change,
        "proposed": in_words(change.policy),
        "existing": change.existing.label,
        "preview": preview,
        "examples": [
            {
                "member_id": example.member_id,
                "points": example.points,
                "before": _last_moment(example.before),
                "after": _last_moment(example.after),
            }
            for example in preview.examples
        ],
        "must_confirm": change.shortens and bool(preview.shortened.points),
        "token": change.token(),
    }


def _last_moment(end: datetime | None) -> datetime | None:
    return end and end - timedelta(microseconds=1)
