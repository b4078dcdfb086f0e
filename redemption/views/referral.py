"""Recommending the shop: the promoter's page with his links, and where a visitor arrives."""

from dataclasses import dataclass

import segno
from allauth.core import ratelimit
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from crm.api import Buyer, buyer_of
from loyalty import api as loyalty
from redemption.views.buyers import for_buyers
from redemption.visitors import device_of, name_device
from redemption.ways import Way, is_open

LONGEST_SEARCH = 60
_LARGEST_ID = 2**63 - 1


@dataclass(frozen=True, slots=True)
class ShownLink:
    """A link with its figures, its address, and the address as a picture for a phone's camera."""

    figures: loyalty.LinkFigures
    address: str
    picture: str


@require_safe
@for_buyers
def promoter(request: HttpRequest, buyer: Buyer) -> HttpResponse:
    """The member's links with what came of them, and new ones for shops and products."""
    if not is_open(Way.REFERRAL, timezone.now()):
        raise Http404
    figures = loyalty.promoter_figures(buyer.member_id)
    linked = {link.target for link in figures.links}
    text = request.GET.get("q", "").strip()[:LONGEST_SEARCH]
    context = {
        "page": "home",
        "figures": figures,
        "links": [_shown(request, link) for link in figures.links],
        "shops": [shop for shop in loyalty.find_shops() if shop not in linked],
        "q": text,
        "products": [product for product in loyalty.find_products(text) if product not in linked] if text else [],
    }
    response = render(request, "redemption/referral.html", context)
    device = device_of(request)
    if device is None:
        # From now on this phone is known as his own: what is opened on it brings him nobody.
        device = loyalty.new_device()
        loyalty.remember_device(device, buyer.member_id, timezone.now())
        name_device(response, device)
    return response


@require_POST
@for_buyers
def new_link(request: HttpRequest, buyer: Buyer) -> HttpResponse:
    """Make the member's link to a shop or a product; the same one when he has it already."""
    if not is_open(Way.REFERRAL, timezone.now()):
        raise Http404
    limited: HttpResponse | None = ratelimit.consume_or_429(request, action="referral_link", user=request.user)
    if limited is not None:
        return limited
    product = request.POST.get("product", "")
    try:
        link = loyalty.make_link(
            buyer.member_id, _id(request.POST.get("shop", "")), _id(product) if product else None, timezone.now()
        )
    except LookupError as missing:
        raise Http404 from missing
    return redirect(f"{reverse('redemption:referral')}#{link.token}")


@require_safe
@never_cache
def landing(request: HttpRequest, token: str) -> HttpResponse:
    """Where a visitor arrives. The visit is remembered on his device until he signs in."""
    found = loyalty.find_landing(token)
    if found is None:
        raise Http404
    user_id = request.user.pk
    buyer = buyer_of(user_id) if user_id is not None else None
    own = buyer is not None and buyer.member_id == found.promoter_id
    response = render(request, "redemption/landing.html", {"target": found.target, "own": own, "buyer": buyer})
    counted = request.method == "GET" and not own
    # Too many from one place: the page is shown all the same, but nothing more is written down.
    if counted and ratelimit.consume_or_429(request, action="referral_visit", limit_get=True) is None:
        at = timezone.now()
        device = device_of(request) or loyalty.new_device()
        if loyalty.record_visit(token, device, at):
            name_device(response, device)
            if buyer is not None:
                loyalty.recognise(device, buyer.member_id, at)
    return response


def _shown(request: HttpRequest, figures: loyalty.LinkFigures) -> ShownLink:
    address = request.build_absolute_uri(reverse("redemption:landing", args=[figures.token]))
    picture = segno.make(address, micro=False, error="m").svg_data_uri(scale=5, border=3, dark="#000", light="#fff")
    return ShownLink(figures, address, picture)


def _id(text: str) -> int:
    if not (text.isascii() and text.isdecimal()) or int(text) > _LARGEST_ID:
        raise LookupError(text)
    return int(text)
