"""What is the buyer's own: the way to his profile, his preferences, his data, and out."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from crm.api import Buyer
from redemption.views.buyers import for_buyers


@require_safe
@for_buyers
def me(request: HttpRequest, buyer: Buyer) -> HttpResponse:
    """The places that are about the buyer and not about his points."""
    return render(request, "redemption/me.html", {"page": "me", "buyer": buyer})
