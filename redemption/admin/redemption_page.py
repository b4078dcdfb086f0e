"""The page of one redemption: what it is, what became of it, and what can be done with it now."""

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from unfold.admin import ModelAdmin

from crm.adminkit import PERSONAL_DATA, masked_phone, may, person
from redemption.admin.redemption_forms import FORMS, STATE_COLOURS, act_forms
from redemption.models import Address, Redemption
from redemption.rewards.cash_orders import cash_due
from redemption.rewards.choices import RedemptionState, RewardKind
from redemption.rewards.giving_back import cancel, take_back
from redemption.rewards.handling import confirm, receive, ship
from redemption.rewards.life import MAY_BE_CANCELLED, MAY_BE_RETURNED, MOVES
from redemption.rewards.moving import MoveRefused, NotPossible
from redemption.rewards.payment import mark_paid
from redemption.rewards.pooling import masked
from redemption.rewards.reasons import in_words

HANDLE = "redemption.handle_redemption"
_MANY_MOVES = 200


def price(redemption: Redemption) -> str:
    """Return the price of all pieces as a person reads it."""
    text = ngettext("%(points)s point", "%(points)s points", redemption.points)
    points = text % {"points": number_format(redemption.points, force_grouping=True)}
    return f"{points} + ¥{redemption.cash}" if redemption.cash else points


def possible(redemption: Redemption) -> list[str]:
    """Return the names of the acts that its state allows. Pure."""
    state, kind = RedemptionState(redemption.state), RewardKind(redemption.reward.kind)
    acts = []
    if state is RedemptionState.PLACED:
        acts.append("confirm")
    if state is RedemptionState.AWAITING:
        acts.append("pay")
    if kind is RewardKind.GOODS and RedemptionState.SHIPPED in MOVES[state]:
        acts.append("ship")
    if state is RedemptionState.SHIPPED or (state is RedemptionState.CONFIRMED and kind is RewardKind.TICKET):
        acts.append("receive")
    if state in MAY_BE_CANCELLED:
        acts.append("cancel")
    if state in MAY_BE_RETURNED:
        acts.append("return")
    return acts


def page(
    model_admin: ModelAdmin, request: HttpRequest, redemption_id: int, filled_in: dict[str, forms.Form] | None = None
) -> HttpResponse:
    """Show it; ``filled_in`` are forms with what was wrong in them."""
    redemption = _find(redemption_id)
    full = may(request, PERSONAL_DATA)
    acts = possible(redemption) if may(request, HANDLE) else []
    given = act_forms(redemption) | (filled_in or {})
    moves = redemption.moves.select_related("actor").order_by("pk")[:_MANY_MOVES]
    context = {
        **model_admin.admin_site.each_context(request),
        "title": _("Redemption %(number)s") % {"number": redemption.number},
        "opts": model_admin.opts,
        "original": redemption,
        "redemption": redemption,
        "state_colour": STATE_COLOURS[RedemptionState(redemption.state)],
        "price": price(redemption),
        "due": cash_due(redemption) if redemption.state == RedemptionState.AWAITING else None,
        "address": _shown_address(redemption.address, full=full),
        "masked": not full,
        "codes": [row.code if full else masked(row.code) for row in redemption.codes.all()],
        "moves": [(row, in_words(row.reason)) for row in moves],
        "payments": redemption.payments.select_related("actor").order_by("pk"),
        "acts": [(name, given.get(name), reverse(_ACT, args=[redemption.pk, name])) for name in acts],
        "goods": redemption.reward.kind == RewardKind.GOODS,
        "counted": redemption.reward.counted,
        "shipped": redemption.state == RedemptionState.SHIPPED,
    }
    request.current_app = model_admin.admin_site.name
    return TemplateResponse(request, "admin/redemption/redemption/page.html", context)


_ACT = "admin:redemption_redemption_act"


def act_view(model_admin: ModelAdmin, request: HttpRequest, redemption_id: int, act: str) -> HttpResponse:
    """Do something with a redemption, and go back to its page."""
    if request.method != "POST" or not may(request, HANDLE):
        raise PermissionDenied
    if act not in FORMS:
        raise Http404
    redemption = _find(redemption_id)
    form = FORMS[act](request.POST)
    if not form.is_valid():
        return page(model_admin, request, redemption_id, {act: form})
    try:
        _ACTS[act](redemption, form.cleaned_data, {"actor_id": person(request), "at": timezone.now()})
    except MoveRefused as refusal:
        messages.error(request, refusal.message())
    else:
        messages.success(request, _("It is done."))
    return redirect(reverse("admin:redemption_redemption_change", args=[redemption_id]))


Who = dict[str, Any]


def _confirm(redemption: Redemption, said: dict[str, Any], who: Who) -> None:
    if not confirm([redemption.pk], **who):
        raise NotPossible


def _pay(redemption: Redemption, said: dict[str, Any], who: Who) -> None:
    if not mark_paid(redemption.pk, reason=said["reason"], **who):
        raise NotPossible


def _cancel(redemption: Redemption, said: dict[str, Any], who: Who) -> None:
    cancel(redemption.pk, said["pieces"], seen=said["seen"], reason=said["reason"], **who)


def _take_back(redemption: Redemption, said: dict[str, Any], who: Who) -> None:
    take_back(
        redemption.pk, said["pieces"], seen=said["seen"], restock=said["restock"], reason=said["reason"], **who
    )  # fmt: skip


_ACTS: dict[str, Callable[[Redemption, dict[str, Any], Who], Any]] = {
    "confirm": _confirm,
    "pay": _pay,
    "ship": lambda redemption, said, who: ship(redemption.pk, **said, **who),
    "receive": lambda redemption, said, who: receive(redemption.pk, **who),
    "cancel": _cancel,
    "return": _take_back,
}


def _find(redemption_id: int) -> Redemption:
    found = Redemption.objects.select_related("reward", "member", "address", "entry").filter(pk=redemption_id).first()
    if found is None:
        raise Http404
    return found


def _shown_address(address: Address | None, *, full: bool) -> dict[str, str] | None:
    """The address, or what of it tells nobody where somebody lives."""
    if address is None:
        return None
    if full:
        where = f"{address.region} {address.street} {address.postcode}".strip()
        return {"recipient": address.recipient, "phone": address.phone, "where": where}
    return {
        "recipient": f"{address.recipient[:1]}**" if address.recipient else "",
        "phone": masked_phone(address.phone),
        "where": f"{' '.join(address.region.split()[:1])} ****",
    }
