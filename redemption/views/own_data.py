"""Everything that the shop holds about the buyer: the file with all of it, and its end."""

from allauth.core import ratelimit
from django.contrib.auth import logout
from django.http import FileResponse, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from crm.api import (
    Buyer,
    EraseRefused,
    Erasure,
    erase_member,
    everything_held,
    log_action,
    look_ahead,
    own_wish,
    shown_tables,
)
from loyalty import api as loyalty
from redemption.views.buyers import for_buyers
from redemption.views.fresh_code import proof_first

ZIP = "application/zip"


@require_http_methods(["GET", "HEAD", "POST"])
@for_buyers
def own_data(request: HttpRequest, buyer: Buyer) -> HttpResponseBase:
    """Say what is in the file; on POST make it. Both ask for a fresh code first: it holds more than any page."""
    at = timezone.now()
    asked = proof_first(request, at)
    if asked is not None:
        return asked
    if request.method != "POST":
        titles = [table.shown_title() for table in shown_tables()]
        return render(request, "redemption/own_data.html", {"page": "me", "titles": titles})
    limited: HttpResponse | None = ratelimit.consume_or_429(request, action="own_data", user=request.user)
    if limited is not None:
        return limited
    log_action("member.data", actor_id=request.user.pk, at=at, member_id=buyer.member_id)
    day = at.astimezone(loyalty.programme_zone()).date()
    file = everything_held(buyer.member_id, at)
    return FileResponse(file, as_attachment=True, filename=f"my-data-{day}.zip", content_type=ZIP)


@require_http_methods(["GET", "HEAD", "POST"])
@for_buyers
def erase(request: HttpRequest, buyer: Buyer) -> HttpResponseBase:
    """Say what would be lost and what has to end first; on POST, once that is ticked and after a fresh code, erase."""
    at = timezone.now()
    asked = proof_first(request, at)
    if asked is not None:
        return asked
    outlook = look_ahead(buyer.member_id, at)
    error = ""
    if request.method == "POST" and not outlook.obstacles:
        if "understood" not in request.POST:
            error = _("Please tick the box first.")
        elif set(request.POST.getlist("lost")) != {f"{loss.code}:{loss.number}" for loss in outlook.losses}:
            error = _("What you would lose has changed meanwhile. Please look once more.")
        else:
            return _erased(request, buyer)
    return render(request, "redemption/erase.html", {"page": "me", "outlook": outlook, "error": error})


def _erased(request: HttpRequest, buyer: Buyer) -> HttpResponse:
    user_id = request.user.pk
    if user_id is None:
        return redirect("redemption:home")
    try:
        erase_member(Erasure(buyer.member_id, timezone.now(), actor_id=user_id, reason=own_wish()))
    except EraseRefused:
        return redirect("redemption:erase")
    logout(request)
    return redirect("redemption:erased")


@require_safe
def erased(request: HttpRequest) -> HttpResponse:
    """What a buyer reads when his data is gone. It says nothing about anybody."""
    return render(request, "redemption/erased.html")
