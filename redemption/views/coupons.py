"""The store, and the coupons a member holds."""

import unicodedata
from datetime import datetime, timedelta
from typing import Any

import segno
from allauth.core import ratelimit
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from crm.api import Buyer
from loyalty import api as loyalty
from redemption.checkout import coupon_expiry, redeem_coupon
from redemption.choices import CodeSource, Standing
from redemption.coupons.counter import counter_for, counters, plan_seen
from redemption.coupons.refusals import TierTooLow
from redemption.models import Coupon
from redemption.offers import Offer
from redemption.refusals import Refused
from redemption.tokens import new_token, read_token
from redemption.views.buyers import before_id, for_buyers
from redemption.views.fresh_code import fresh_code_first
from redemption.wallet import held_coupon, past_coupons, ready_coupons

PAGE = 20
MOST_READY = 100
_DIGITS = 9


@require_safe
@for_buyers
def store(request: HttpRequest, buyer: Buyer) -> HttpResponse:
    """Everything that points can be turned into now; ``?can=afford`` leaves out what they do not reach for."""
    at = timezone.now()
    summary = loyalty.summary(buyer.member_id, at)
    seen = counters(buyer.member_id, summary.spendable - summary.debt, at)
    affordable = request.GET.get("can") == "afford"
    context = {
        "page": "store",
        "at": at,
        "summary": summary,
        "any_plan": bool(seen),
        "affordable": affordable,
        "counters": [counter for counter in seen if counter.affordable or not affordable],
    }
    return render(request, "redemption/store.html", context)


@require_safe
@for_buyers
def amount(request: HttpRequest, buyer: Buyer, plan_id: int) -> HttpResponse:
    """Where the form for any amount leads: to the page of that coupon, or back with what is wrong."""
    at = timezone.now()
    terms, _rank = plan_seen(buyer.member_id, plan_id, at)
    if terms is None:
        raise Http404
    typed = unicodedata.normalize("NFKC", request.GET.get("yuan", "")).strip()
    yuan = int(typed) if typed.isdecimal() and len(typed) <= _DIGITS else None
    span = terms.span
    if yuan is not None and (terms.offer(yuan) or not span):
        return redirect("redemption:confirm", plan_id, yuan)
    if span:
        bounds = {"least": span.least, "most": span.most, "step": span.step}
        messages.error(
            request, _("Please type a whole amount from ¥%(least)s to ¥%(most)s in steps of ¥%(step)s.") % bounds
        )
    return redirect("redemption:store")


@require_http_methods(["GET", "HEAD", "POST"])
@for_buyers
def confirm(request: HttpRequest, buyer: Buyer, plan_id: int, yuan: int) -> HttpResponse:
    """Show what a coupon costs and what stays; on POST with the page's token, take it."""
    if request.method == "POST":
        return _redeem(request, buyer, plan_id, yuan)
    at = timezone.now()
    offer, limits, refusal = counter_for(buyer.member_id, plan_id, yuan, at)
    if offer is None:
        if refusal is None:
            raise Http404
        messages.error(request, refusal.message())
        return redirect("redemption:store")
    if refusal is None and (asked := fresh_code_first(request, buyer, offer.points, at)):
        return asked
    return _confirm_page(request, buyer, offer, at, limits=limits, refusal=refusal)


@require_safe
@for_buyers
def mine(request: HttpRequest, buyer: Buyer) -> HttpResponse:
    """The member's coupons: those that can be used first, then what became of the others."""
    at = timezone.now()
    start = before_id(request)
    past = list(past_coupons(buyer.member_id, at, before_id=start)[: PAGE + 1])
    context = {
        "page": "coupons",
        "first_page": start is None,
        "ready": ready_coupons(buyer.member_id, at)[:MOST_READY] if start is None else [],
        "past": [(coupon, coupon.standing(at)) for coupon in past[:PAGE]],
        "older": past[PAGE - 1].pk if len(past) > PAGE else None,
    }
    return render(request, "redemption/coupons.html", context)


@require_safe
@for_buyers
def coupon(request: HttpRequest, buyer: Buyer, pk: int) -> HttpResponse:
    """One coupon with its code. Somebody else's is as good as none."""
    found = held_coupon(buyer.member_id, pk)
    if found is None:
        raise Http404
    standing = found.standing(timezone.now())
    context = {
        "page": "coupons",
        "coupon": found,
        "standing": standing,
        "qr": _qr(request, found) if standing == Standing.ISSUED else "",
    }
    return render(request, "redemption/coupon.html", context)


def _qr(request: HttpRequest, held: Coupon) -> str:
    """Return the picture that leads staff to the desk with this code. Who is no staff is asked to sign in, whatever the
    code. A code of the shop platform is of no use to our desk, so it stands there by itself."""
    if held.plan.source == CodeSource.POOL:
        said = held.code
    else:
        query = urlencode({"code": held.code})
        said = request.build_absolute_uri(f"{reverse('admin:redemption_coupon_check')}?{query}")
    return segno.make(said, micro=False, error="m").svg_data_uri(scale=5, border=3, dark="#000", light="#fff")


def _redeem(request: HttpRequest, buyer: Buyer, plan_id: int, yuan: int) -> HttpResponse:
    limited: HttpResponse | None = ratelimit.consume_or_429(request, action="redeem_coupon", user=request.user)
    if limited is not None:
        return limited
    at = timezone.now()
    token = request.POST.get("token", "")
    wish = read_token(token)
    if wish is not None and (asked := fresh_code_first(request, buyer, wish.points, at)):
        return asked
    try:
        issued = redeem_coupon(buyer.member_id, plan_id, yuan, token=token, at=at)
    except Refused as refusal:
        messages.error(request, refusal.message())
        offer, _limits, _refusal = counter_for(buyer.member_id, plan_id, yuan, at)
        if offer is None or isinstance(refusal, TierTooLow):
            # Nor does it tell one that he shall not know of from one that never was.
            return redirect("redemption:store")
        # A fresh page of the same coupon shows what is missing or what has changed, and carries a fresh token.
        return redirect("redemption:confirm", plan_id, yuan)
    if issued.issued_at < at:
        # An earlier request had brought it, whose answer may have been lost on the way.
        messages.info(request, _("You had taken this coupon already; it counted once."))
    return redirect("redemption:coupon", issued.pk)


def _confirm_page(request: HttpRequest, buyer: Buyer, offer: Offer, at: datetime, **more: Any) -> HttpResponse:
    summary = loyalty.summary(buyer.member_id, at)
    context = {
        "page": "store",
        "offer": offer,
        "summary": summary,
        "missing": offer.missing(summary.spendable - summary.debt),
        "left": summary.spendable - offer.points,
        "last_day": coupon_expiry(at, offer.validity_days) - timedelta(microseconds=1),
        "at": at,
        "token": new_token(
            buyer.member_id, offer.plan_id, offer.yuan, offer.points, at=at, conditional=offer.tier is not None
        ),
        **more,
    }
    return render(request, "redemption/confirm.html", context)
