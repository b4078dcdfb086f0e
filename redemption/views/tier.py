"""The buyer's tier: what he holds, how far the next one is, and the one that he may take."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from crm.api import Buyer, ClaimRefused, claim_tier, tier_card
from redemption.tier_words import claimed_in_words, refusal_in_words
from redemption.views.buyers import for_buyers


@require_safe
@for_buyers
def tier(request: HttpRequest, buyer: Buyer) -> HttpResponse:
    """Where the member stands, with the form that takes the tier that he may have."""
    card = tier_card(buyer.member_id, timezone.now())
    return render(request, "redemption/tier.html", {"page": "home", "buyer": buyer, "tier": card})


@require_POST
@for_buyers
def claim(request: HttpRequest, buyer: Buyer, offer_id: int) -> HttpResponse:
    """Take the tier of an offer. However often the button is pressed, it is taken once."""
    at = timezone.now()
    try:
        grant = claim_tier(buyer.member_id, offer_id, at=at)
    except ClaimRefused as refused:
        messages.error(request, refusal_in_words(refused.reason))
        return redirect("redemption:tier")
    say = messages.info if grant.granted_at < at else messages.success
    say(request, claimed_in_words(str(grant.tier), granted_at=grant.granted_at, ends_at=grant.ends_at, at=at))
    return redirect("redemption:tier")
