"""What a member took for his points, and what became of it."""

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from crm.api import Buyer
from redemption.models import Redemption
from redemption.rewards.choices import RedemptionState
from redemption.rewards.giving_back import cancel_own
from redemption.rewards.handling import receive
from redemption.rewards.life import BUYER_MAY_CANCEL
from redemption.rewards.moving import MoveRefused, NotPossible
from redemption.rewards.own import look_into, own_redemption, own_redemptions
from redemption.rewards.seeing import pictures_of
from redemption.views.buyers import before_id, for_buyers, whole_number

PAGE = 20


@require_safe
@for_buyers
def mine(request: HttpRequest, buyer: Buyer) -> HttpResponse:
    """The member's redemptions, newest first."""
    found = list(own_redemptions(buyer.member_id, before_id=before_id(request))[: PAGE + 1])
    pictures = pictures_of([redemption.reward_id for redemption in found])
    context = {
        "page": "rewards",
        "redemptions": [(each, next(iter(pictures.get(each.reward_id, ())), None)) for each in found[:PAGE]],
        "older": found[PAGE - 1].pk if len(found) > PAGE else None,
    }
    return render(request, "redemption/rewards/mine.html", context)


@require_safe
@for_buyers
def redemption(request: HttpRequest, buyer: Buyer, pk: int) -> HttpResponse:
    """One redemption with how far it has come. Somebody else's is as good as none."""
    found = _own(buyer, pk)
    picture = next(iter(pictures_of([found.reward_id]).get(found.reward_id, ())), None)
    context = {"page": "rewards", "own": look_into(found), "redemption": found, "picture": picture}
    return render(request, "redemption/rewards/redemption.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@for_buyers
def cancel(request: HttpRequest, buyer: Buyer, pk: int) -> HttpResponse:
    """Ask how many pieces shall be cancelled; on POST do it, once however often it is sent."""
    found = _own(buyer, pk)
    if request.method != "POST":
        if found.state not in BUYER_MAY_CANCEL:
            return redirect("redemption:redemption", pk)
        context = {"page": "rewards", "redemption": found, "numbers": range(found.left, 0, -1)}
        return render(request, "redemption/rewards/cancel.html", context)
    pieces = whole_number(request.POST.get("pieces", "")) or 0
    seen = whole_number(request.POST.get("seen", ""))
    try:
        if seen is None:
            raise NotPossible
        cancel_own(pk, pieces, seen=seen, member_id=buyer.member_id, actor_id=request.user.pk, at=timezone.now())
    except MoveRefused as refusal:
        messages.error(request, refusal.message())
    else:
        messages.success(request, _("Cancelled: the points are back."))
    return redirect("redemption:redemption", pk)


@require_http_methods(["GET", "HEAD", "POST"])
@for_buyers
def received(request: HttpRequest, buyer: Buyer, pk: int) -> HttpResponse:
    """Ask whether the parcel has arrived; on POST write it down, once."""
    found = _own(buyer, pk)
    if request.method != "POST":
        if found.state != RedemptionState.SHIPPED:
            return redirect("redemption:redemption", pk)
        return render(request, "redemption/rewards/received.html", {"page": "rewards", "redemption": found})
    try:
        receive(pk, actor_id=request.user.pk, at=timezone.now(), by_buyer=True)
    except MoveRefused as refusal:
        messages.error(request, refusal.message())
    else:
        messages.success(request, _("Thank you for telling us. Enjoy it."))
    return redirect("redemption:redemption", pk)


def _own(buyer: Buyer, pk: int) -> Redemption:
    found = own_redemption(buyer.member_id, pk)
    if found is None:
        raise Http404
    return found
