"""Payments that were reported for redemptions, and the keys with which a server reports them."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import F, Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin
from unfold.decorators import action, display
from unfold.enums import ActionVariant
from unfold.widgets import UnfoldAdminTextInputWidget

from crm.adminkit import EndlessAdmin, may, person
from redemption.admin.redemption_forms import ReasonForm, StrayForm
from redemption.models import Payment, PaymentKey
from redemption.rewards.choices import RedemptionState
from redemption.rewards.moving import MoveRefused
from redemption.rewards.paid_orders import numbers_in
from redemption.rewards.payment import settle
from redemption.rewards.payment_calls import make_payment_key, revoke_payment_key, why_it_waits
from redemption.rewards.stray_payments import assign

SETTLE = "redemption.settle_payment"
REVOKE = "redemption.revoke_paymentkey"

_COLOURS = {"counts": "success", "open": "danger", "soon": "info", "settled": "default"}


class StandingFilter(admin.SimpleListFilter):
    """Filters by whether somebody has to see to a payment."""

    title = _("state")
    parameter_name = "standing"

    def lookups(self, request: HttpRequest, model_admin: object) -> list[tuple[str, Any]]:
        return [("open", _("To be seen to")), ("settled", _("Seen to")), ("counts", _("Counts"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Payment]) -> QuerySet[Payment]:
        match self.value():
            case "open":
                return queryset.filter(unmatched())
            case "settled":
                return queryset.filter(applied=False, settled_at__isnull=False)
            case "counts":
                return queryset.filter(applied=True)
        return queryset


def unmatched() -> Q:
    """Payments that count for nothing, will not by themselves, and that nobody has seen to."""
    left = F("redemption__quantity") - F("redemption__cancelled") - F("redemption__returned")
    too_little = Q(amount__lt=F("redemption__cash") / F("redemption__quantity") * left)
    not_waiting = ~Q(redemption__state=RedemptionState.AWAITING)
    return Q(applied=False, settled_at=None) & (Q(redemption=None) | not_waiting | too_little)


@admin.register(Payment)
class PaymentAdmin(EndlessAdmin):
    """What was reported stays; a person only says that he has seen to what counts for nothing."""

    list_display = ("at", "number", "member", "amount", "how", "reference", "standing")
    list_select_related = ("redemption__member", "actor")
    list_filter = (StandingFilter, "how", "why")
    search_fields = ("reference",)
    search_help_text = _("Redemption number, the whole reference, or what a payment that fits nothing says")
    fields = (
        "at",
        "number",
        "member",
        "amount",
        "how",
        "reference",
        "order",
        "actor",
        "standing_in_words",
        "payload",
        "settled_at",
    )
    readonly_fields = ("number", "member", "standing_in_words")
    actions = None
    actions_detail = ("settle",)

    @display(description=_("redemption"))
    def number(self, payment: Payment) -> str:
        return payment.redemption.number if payment.redemption else "–"

    @display(description=_("member"))
    def member(self, payment: Payment) -> str:
        return str(payment.redemption.member) if payment.redemption else "–"

    @display(description=_("state"), label=_COLOURS)
    def standing(self, payment: Payment) -> tuple[str, str]:
        return standing_of_payment(payment)

    @display(description=_("state"))
    def standing_in_words(self, payment: Payment) -> str:
        return standing_of_payment(payment)[1]

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Payment], search_term: str
    ) -> tuple[QuerySet[Payment], bool]:
        term = search_term.strip()
        if not term:
            return queryset, False
        stray = Q(redemption=None, payload__icontains=term)
        return queryset.filter(Q(reference=term) | Q(redemption__in=numbers_in(term)) | stray), False

    def get_fields(self, request: HttpRequest, obj: Payment | None = None) -> list[str]:
        return [name for name in self.fields if name != "payload" or (obj is not None and obj.payload)]

    def has_settle_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        if not may(request, SETTLE):
            return False
        return object_id is None or _find(object_id, applied=False, settled_at=None) is not None

    @action(description=_("Seen to"), permissions=["settle"], icon="task_alt")
    def settle(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask what was done about it, and write that down."""
        payment = _find(object_id)
        if payment is None:
            raise Http404
        page = reverse("admin:redemption_payment_change", args=[payment.pk])
        may_be_assigned = payment.redemption is None and payment.amount is not None
        form = (StrayForm if may_be_assigned else ReasonForm)(request.POST or None)
        if form.is_valid():
            try:
                _see_to(request, payment, form.cleaned_data)
            except MoveRefused as refusal:
                messages.error(request, refusal.message())
            return redirect(page)
        context = {
            **self.admin_site.each_context(request),
            "title": _("See to a payment"),
            "opts": self.opts,
            "payment": payment,
            "why": standing_of_payment(payment)[1],
            "form": form,
            "page": page,
        }
        return TemplateResponse(request, "admin/redemption/payment/settle.html", context)


def _see_to(request: HttpRequest, payment: Payment, said: dict[str, Any]) -> None:
    """Give the payment to the redemption that was named, or write down what was done about it."""
    reason, at = said["reason"], timezone.now()
    if redemption_id := said.get("redemption"):
        if assign(payment.pk, redemption_id, actor_id=person(request), reason=reason, at=at):
            messages.success(request, gettext("The payment counts for this redemption now."))
        else:
            text = gettext("The payment stands with this redemption now, and counts for nothing: see to it.")
            messages.warning(request, text)
        return
    settle(payment.pk, actor_id=person(request), reason=reason, at=at)
    messages.success(request, gettext("It is written down that somebody has seen to this payment."))


def standing_of_payment(payment: Payment) -> tuple[str, str]:
    """Return how a payment stands as the key of its colour and in words."""
    if payment.applied:
        return "counts", gettext("Counts")
    if payment.settled_at is not None:
        return "settled", gettext("Seen to")
    match why_it_waits(payment):
        case "too_little":
            return "open", gettext("Too little was paid")
        case "not_waiting":
            state = payment.redemption.get_state_display() if payment.redemption else ""
            return "open", gettext("The redemption waits for no payment: %(state)s") % {"state": state}
        case "stray":
            return "open", gettext("Fits nothing: %(why)s") % {"why": payment.get_why_display()}
    return "soon", gettext("Counts within a minute")


def _find(object_id: str, **what: Any) -> Payment | None:
    if not object_id.isdecimal():
        return None
    found = Payment.objects.select_related("redemption__member").filter(pk=object_id, **what)
    return found.first()


class KeyForm(forms.ModelForm):  # type: ignore[type-arg]
    """A new key."""

    class Meta:
        model = PaymentKey
        fields = ("name",)
        widgets = {"name": UnfoldAdminTextInputWidget}

    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"]
        if PaymentKey.objects.filter(name=name, revoked_at=None).exists():
            raise ValidationError(_("There is a key of this name already. Revoke it first, or choose another name."))
        return name


@admin.register(PaymentKey)
class PaymentKeyAdmin(ModelAdmin):
    """A key is made and revoked, never changed."""

    list_display = ("name", "key_id", "standing", "last_used_at", "last_refused_at")
    ordering = ("-id",)
    sortable_by = ()
    actions = None
    actions_detail = ("revoke",)
    fields = (
        "name", "key_id", "standing", "made_at", "made_by", "revoked_at", "revoked_by", "last_used_at",
        "last_refused_at", "last_refusal",
    )  # fmt: skip
    readonly_fields = ("key_id", "standing")

    def has_change_permission(self, request: HttpRequest, obj: PaymentKey | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: PaymentKey | None = None) -> bool:
        return False

    def has_revoke_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return may(request, REVOKE)

    @display(description=pgettext_lazy("of a key", "state"), label={"ready": "success", "revoked": "danger"})
    def standing(self, key: PaymentKey) -> tuple[str, str]:
        return ("ready", gettext("In use")) if key.revoked_at is None else ("revoked", gettext("Revoked"))

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Ask for a name, make the key and show its secret: on that page only."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = KeyForm(request.POST or None)
        context = {**self.admin_site.each_context(request), "title": _("New payment key"), "opts": self.opts}
        if form.is_valid():
            name = form.cleaned_data["name"]
            key, secret = make_payment_key(name, actor_id=person(request), at=timezone.now())
            address = request.build_absolute_uri(reverse("redemption:payment_call"))
            page = reverse("admin:redemption_paymentkey_change", args=[key.pk])
            made = context | {"key": key, "secret": secret, "address": address, "page": page}
            return TemplateResponse(request, "admin/redemption/payment/key_made.html", made)
        context |= {"form": form, "page": reverse("admin:redemption_paymentkey_changelist")}
        return TemplateResponse(request, "admin/redemption/payment/key_new.html", context)

    @action(description=_("Revoke"), permissions=["revoke"], icon="key_off", variant=ActionVariant.DANGER)
    def revoke(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask why, and revoke."""
        key = PaymentKey.objects.filter(pk=object_id).first() if object_id.isdecimal() else None
        if key is None:
            raise Http404
        page = reverse("admin:redemption_paymentkey_change", args=[key.pk])
        form = ReasonForm(request.POST or None)
        if form.is_valid():
            reason = form.cleaned_data["reason"]
            if revoke_payment_key(key.pk, actor_id=person(request), reason=reason, at=timezone.now()):
                messages.success(request, gettext("The key is revoked. Calls signed with it are refused from now on."))
            else:
                messages.info(request, gettext("The key had been revoked before."))
            return redirect(page)
        context = {
            **self.admin_site.each_context(request),
            "title": _("Revoke the key"),
            "opts": self.opts,
            "key": key,
            "form": form,
            "page": page,
        }
        return TemplateResponse(request, "admin/redemption/payment/key_revoke.html", context)
