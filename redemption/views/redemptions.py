"""What a member took for his points, and what became of it."""

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from crm.api import Buyer
from redemption.rewards.giving_back import cancel_own
from redemption.rewards.handling import receive
from redemption.rewards.moving import MoveRefused, NotPossible
from redemption.rewards.own import OwnRedemption, own_redemption, own_redemptions
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
        "redemptions": [(each, pictures.get(each.reward_id)) for each in found[:PAGE]],
        "older": found[PAGE - 1].pk if len(found) > PAGE else None,
    }
    return render(request, "redemption/rewards/mine.html", context)


@require_safe
@for_buyers
def redemption(request: HttpRequest, buyer: Buyer, pk: int) -> HttpResponse:
    """One redemption with how far it has come. Somebody else's is as good as none."""
    own = _own(buyer, pk)
    context = {"page": "rewards", "own": own, "redemption": own.redemption, "picture": own.picture}
    return render(request, "redemption/rewards/redemption.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@for_buyers
def cancel(request: HttpRequest, buyer: Buyer, pk: int) -> HttpResponse:
    """Ask how many pieces shall be cancelled; on POST do it, once however often it is sent."""
    own = _own(buyer, pk)
    if request.method != "POST":
        if not own.may_cancel:
            return redirect("redemption:redemption", pk)
        context = {"page": "rewards", "redemption": own.redemption, "numbers": range(own.redemption.left, 0, -1)}
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
    own = _own(buyer, pk)
    if request.method != "POST":
        if not own.may_receive:
            return redirect("redemption:redemption", pk)
        context = {"page": "rewards", "redemption": own.redemption}
        return render(request, "redemption/rewards/received.html", context)
    try:
        receive(pk, actor_id=request.user.pk, at=timezone.now(), by_buyer=True)
    except MoveRefused as refusal:
        messages.error(request, refusal.message())
    else:
        messages.success(request, _("Thank you for telling us. Enjoy it."))
    return redirect("redemption:redemption", pk)


def _own(buyer: Buyer, pk: int) -> OwnRedemption:
    found = own_redemption(buyer.member_id, pk)
    if found is None:
        raise Http404
    return found
