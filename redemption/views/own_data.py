"""Everything that the shop holds about the buyer: the file with all of it, and its end."""

from datetime import datetime
from typing import IO

from allauth.core import ratelimit
from django.contrib import messages
from django.contrib.auth import logout
from django.http import FileResponse, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from crm.api import (
    Buyer,
    DataFile,
    EraseRefused,
    Erasure,
    ask_for_file,
    asked_file,
    erase_member,
    everything_held,
    log_action,
    look_ahead,
    made_at_once,
    open_data_file,
    own_wish,
    shown_tables,
)
from loyalty import api as loyalty
from redemption.views.buyers import for_buyers
from redemption.views.fresh_code import proof_first

ZIP = "application/zip"
LOOK_AGAIN_SECONDS = 15


@require_http_methods(["GET", "HEAD", "POST"])
@for_buyers
def own_data(request: HttpRequest, buyer: Buyer) -> HttpResponseBase:
    """Say what is in the file, and how far one is that is being made; on POST make it, or have it made where that takes
    longer than somebody should wait. All ask for a fresh code first: it holds more than any page."""
    at, user_id = timezone.now(), request.user.pk or 0
    asked = proof_first(request, at)
    if asked is not None:
        return asked
    file = asked_file(buyer.member_id, user_id, at)
    making = file is not None and file.is_being_made
    if request.method != "POST":
        return _page(request, file, making=making)
    if making:
        return redirect("redemption:own_data")
    limited: HttpResponse | None = ratelimit.consume_or_429(request, action="own_data", user=request.user)
    if limited is not None:
        return limited
    log_action("member.data", actor_id=user_id, at=at, member_id=buyer.member_id)
    if made_at_once(buyer.member_id):
        return _attached(everything_held(buyer.member_id, at), at)
    ask_for_file(buyer.member_id, user_id, at)
    return redirect("redemption:own_data")


@require_safe
@for_buyers
def made_file(request: HttpRequest, buyer: Buyer) -> HttpResponseBase:
    """The file that a worker has made, for the login that asked for it. A fresh code comes first here as well."""
    at = timezone.now()
    asked = proof_first(request, at)
    if asked is not None:
        return asked
    file = asked_file(buyer.member_id, request.user.pk or 0, at)
    held = open_data_file(file) if file is not None else None
    if file is None or held is None:
        messages.info(request, _("This file is not there any more. Please have it made anew."))
        return redirect("redemption:own_data")
    return _attached(held, file.made_at or at)


def _page(request: HttpRequest, file: DataFile | None, *, making: bool) -> HttpResponse:
    titles = [table.shown_title() for table in shown_tables()]
    context = {"page": "me", "titles": titles, "file": file, "until": file.kept_until if file else None}
    response = render(request, "redemption/own_data.html", context)
    if making:
        response["Refresh"] = str(LOOK_AGAIN_SECONDS)
    return response


def _attached(file: IO[bytes], at: datetime) -> FileResponse:
    day = at.astimezone(loyalty.programme_zone()).date()
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
