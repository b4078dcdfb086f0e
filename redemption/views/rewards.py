"""The store of rewards: the shelf, one reward, and the agreement to take it."""

from dataclasses import replace
from datetime import datetime
from typing import Any

from allauth.core import ratelimit
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from crm.api import Buyer
from redemption.rewards.agreeing import MOST_AT_ONCE, Interest, agreement, interest
from redemption.rewards.checkout import redeem
from redemption.rewards.choices import RewardKind
from redemption.rewards.refusals import AddressMissing, RewardRefused
from redemption.rewards.shelf import Choice, Sort, categories, shelf, stand_before
from redemption.rewards.wishes import read_wish
from redemption.views.buyers import for_buyers, whole_number
from redemption.views.fresh_code import fresh_code_first


@require_safe
@for_buyers
def store(request: HttpRequest, buyer: Buyer) -> HttpResponse:
    """The rewards that a member sees, chosen and sorted as he likes, a page at a time."""
    at = timezone.now()
    summary, standing = stand_before(buyer.member_id, at)
    funds = summary.spendable - summary.debt
    choice = _choice(request.GET, funds)
    found = shelf(standing, choice, at)
    context = {
        "page": "rewards",
        "summary": summary,
        "rewards": [(seen, seen.terms.missing(funds) if seen.terms else 0) for seen in found.rewards],
        "now": at,
        "choice": choice,
        "categories": categories(),
        "kinds": RewardKind.choices,
        "sorts": Sort.choices,
        "everything": choice == Choice(sort=choice.sort, after=choice.after),
        "affordable": _address(request.GET, afford="" if choice.within is not None else "1"),
        "more": found.more and _address(request.GET, after=f"{found.more[0]}.{found.more[1]}"),
    }
    return render(request, "redemption/rewards/store.html", context)


@require_safe
@for_buyers
def reward(request: HttpRequest, buyer: Buyer, pk: int) -> HttpResponse:
    """One reward: pictures, price, terms, and how many of it the member may have."""
    at = timezone.now()
    shown = _shown(buyer, pk, at)
    context = {
        "page": "rewards",
        "considered": shown.considered,
        "seen": shown.seen,
        "summary": shown.summary,
        "now": at,
        "numbers": shown.numbers,
    }
    return render(request, "redemption/rewards/reward.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@for_buyers
def confirm(request: HttpRequest, buyer: Buyer, pk: int) -> HttpResponse:
    """Show what so many pieces cost, what stays and where they go; on POST with the page's token, take them."""
    if request.method == "POST":
        return _redeem(request, buyer, pk)
    at = timezone.now()
    shown = _shown(buyer, pk, at)
    terms = shown.seen.terms
    if shown.considered.refusal is not None or terms is None:
        # The page of the reward says what stands against it.
        return redirect("redemption:reward", pk)
    quantity = shown.pieces(whole_number(request.GET.get("quantity", "")))
    if asked := fresh_code_first(request, buyer, terms.points * quantity, at):
        return asked
    agreed = agreement(shown, quantity, whole_number(request.GET.get("address", "")), at)
    if agreed is None or agreed.homeless:
        return redirect(f"{reverse('redemption:address_add')}?reward={pk}&quantity={quantity}")
    context = {
        "page": "rewards",
        "seen": shown.seen,
        "most": shown.considered.most,
        "numbers": shown.numbers,
        "summary": shown.summary,
        "agreed": agreed,
        "token": agreed.token,
    }
    return render(request, "redemption/rewards/confirm.html", context)


def _redeem(request: HttpRequest, buyer: Buyer, pk: int) -> HttpResponse:
    if asked := _other_pieces(request, pk):
        return asked
    limited: HttpResponse | None = ratelimit.consume_or_429(request, action="redeem_reward", user=request.user)
    if limited is not None:
        return limited
    quantity = whole_number(request.POST.get("quantity", "")) or 0
    address = whole_number(request.POST.get("address", ""))
    token = request.POST.get("token", "")
    wish = read_wish(token)
    if asked := fresh_code_first(request, buyer, wish.points * quantity if wish else 0, timezone.now()):
        return asked
    try:
        taken = redeem(
            buyer.member_id, pk, min(quantity, MOST_AT_ONCE + 1), token=token, address_id=address, at=timezone.now()
        )
    except AddressMissing as refusal:
        messages.error(request, refusal.message())
        return redirect(f"{reverse('redemption:reward_confirm', args=[pk])}?quantity={quantity}")
    except RewardRefused as refusal:
        messages.error(request, refusal.message())
        # A fresh page shows what has changed, and carries a fresh token; where nothing can be had any more, it leads on
        # to the page of the reward or says that there is none.
        if interest(buyer.member_id, pk, timezone.now()) is None:
            return redirect("redemption:rewards")
        return redirect(f"{reverse('redemption:reward_confirm', args=[pk])}?quantity={quantity or 1}")
    if taken.repeated:
        # An earlier request had brought it, whose answer may have been lost on the way.
        messages.info(request, _("You had redeemed this already; it counted once."))
    else:
        messages.success(request, _("Redeemed. This page keeps track of it."))
    return redirect("redemption:redemption", taken.redemption_id)


def _other_pieces(request: HttpRequest, pk: int) -> HttpResponse | None:
    """Return the way to the price of another number of pieces, with the address that was ticked meanwhile; None where
    the page has shown the price of what is asked for."""
    pieces, address = whole_number(request.POST.get("pieces", "")), whole_number(request.POST.get("address", ""))
    if pieces is None or ("recalculate" not in request.POST and str(pieces) == request.POST.get("quantity")):
        return None
    asked = {"quantity": pieces, **({"address": address} if address else {})}
    return redirect(f"{reverse('redemption:reward_confirm', args=[pk])}?{urlencode(asked)}")


def _shown(buyer: Buyer, pk: int, at: datetime) -> Interest:
    shown = interest(buyer.member_id, pk, at)
    if shown is None:
        raise Http404
    return shown


def _choice(query: QueryDict, funds: int) -> Choice:
    """Read what was asked for; what is no choice of ours counts as not asked."""
    kind, sort = query.get("kind", ""), query.get("sort", "")
    value, _dot, pk = query.get("after", "").partition(".")
    after = (_place(value), whole_number(pk))
    choice = Choice(
        category=whole_number(query.get("category", "")),
        kind=RewardKind(kind) if kind in RewardKind.values else None,
        within=funds if query.get("afford") == "1" else None,
        sort=Sort(sort) if sort in Sort.values else Sort.PLACE,
    )
    return choice if after[0] is None or after[1] is None else replace(choice, after=(after[0], after[1]))


def _place(text: str) -> int | None:
    """Read what a list is sorted by, which may be below zero; None for anything else."""
    number = whole_number(text.removeprefix("-"))
    return -number if number is not None and text.startswith("-") else number


def _address(query: QueryDict, **changes: Any) -> str:
    """Return the address of this list with something else asked for; a change of the choice begins it anew."""
    asked = query.copy()
    asked.pop("after", None)
    for name, value in changes.items():
        asked[name] = value
        if not value:
            del asked[name]
    return f"?{asked.urlencode()}"
