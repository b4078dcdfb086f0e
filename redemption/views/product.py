"""A product's page: the list price, the buyer's own price, and why."""

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from crm.api import PublicReason, Source, Unknown, buyer_of, percent_in_words, public_price
from redemption.visitors import recognise


@require_safe
@never_cache
def product(request: HttpRequest, product_id: int) -> HttpResponse:
    """What a product costs whoever is looking: the list price for strangers, his own price for a member.

    The page is made of what ``public_price`` tells and of nothing else, so that what is hidden from a member cannot
    show here.
    """
    at = timezone.now()
    user_id = request.user.pk
    buyer = buyer_of(user_id) if user_id is not None else None
    if buyer is not None:
        recognise(request, buyer.member_id, at)
    try:
        price = public_price(buyer.member_id if buyer else None, product_id, at)
    except Unknown as missing:
        raise Http404 from missing
    context = {
        "price": price,
        "because": _in_words(price.reason) if price.reason else "",
        "buyer": buyer,
        **({"page": "home"} if buyer else {}),
    }
    return render(request, "redemption/product.html", context)


def _in_words(reason: PublicReason) -> str:
    """Say where a price below the list price comes from."""
    if reason.percent is None:
        return _("Price for %(tier)s") % {"tier": reason.name}
    said = {"name": reason.name, "discount": percent_in_words(reason.percent)}
    if reason.source == Source.PLATFORM:
        return _("Your grade %(name)s: %(discount)s") % said
    return _("Your tier %(name)s: %(discount)s") % said
