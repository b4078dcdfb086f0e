"""A fresh code before much is spent, or before something that cannot be undone.

``fresh_code_first`` is the one guard. A view of a confirm page calls it, both when it shows the page and when the page
is sent, and gives back what it returns::

    if asked := fresh_code_first(request, buyer, points, at):
        return asked
"""

from datetime import datetime

from allauth.core import ratelimit
from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme, urlencode
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from crm.api import (
    Answer,
    Buyer,
    CodeUse,
    check_code,
    contact_way,
    note_proof,
    proven_lately,
    send_proof_code,
)
from redemption.views.buyers import for_buyers

_ASKED = "fresh_code"  # In the session: the ticket of the code that was asked for.


def fresh_code_first(request: HttpRequest, buyer: Buyer, points: int, at: datetime) -> HttpResponse | None:
    """Return the way to the page that asks for a fresh code and leads back here; None where so many points need
    none, or one was typed within the last quarter of an hour. A sign-in is as good as a code."""
    limit = settings.SPEND_CODE_POINTS
    return proof_first(request, at) if limit and points > limit else None


def proof_first(request: HttpRequest, at: datetime) -> HttpResponse | None:
    """The same, whatever is at stake."""
    if proven_lately(request, at):
        return None
    back = request.path if request.method == "POST" else request.get_full_path()
    return redirect(f"{reverse('redemption:fresh_code')}?{urlencode({'next': back})}")


@require_http_methods(["GET", "HEAD", "POST"])
@for_buyers
def fresh_code(request: HttpRequest, buyer: Buyer) -> HttpResponse:
    """Send a code to the buyer's own address or phone, take it, and go back to where it was asked for."""
    at = timezone.now()
    target = _target(request)
    way = contact_way(buyer.member_id, request.user.pk)
    context = {"page": "me", "way": way, "next": target, "sent": _ASKED in request.session}
    if request.method != "POST":
        return render(request, "redemption/fresh_code.html", context)
    if "send" in request.POST and way is not None:
        limited: HttpResponse | None = ratelimit.consume_or_429(request, action="fresh_code", user=request.user)
        if limited is not None:
            return limited
        request.session[_ASKED] = send_proof_code(buyer.member_id, way, at)
        return redirect(f"{request.path}?{urlencode({'next': target})}")
    answer, member_id = check_code(CodeUse.PROOF, request.session.get(_ASKED, ""), request.POST.get("code", ""), at)
    if answer is Answer.WRONG:
        error = _("This code is not right. Please compare it and try again.")
        return render(request, "redemption/fresh_code.html", context | {"error": error})
    request.session.pop(_ASKED, None)
    if member_id != buyer.member_id:
        messages.error(request, _("This code is no longer good. Please ask for a new one."))
        return redirect(f"{request.path}?{urlencode({'next': target})}")
    note_proof(request, at)
    return redirect(target)


def _target(request: HttpRequest) -> str:
    asked = (request.POST if request.method == "POST" else request.GET).get("next", "")
    own = url_has_allowed_host_and_scheme(asked, {request.get_host()}, require_https=request.is_secure())
    return asked if own else reverse("redemption:home")
