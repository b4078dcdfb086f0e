"""Embeds as the visitor's browser asks for them: the loader, the frame, and what happens inside it.

Nothing here looks at a cookie. Who acts is said by the session that the frame's script sends as a header, which no
other site can make a browser send; so there is no token against CSRF, and none is needed.
"""

import hashlib
from collections.abc import Callable
from functools import lru_cache, wraps
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from allauth.core import ratelimit
from django.contrib.staticfiles import finders
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone, translation
from django.views.decorators.cache import never_cache
from django.views.decorators.clickjacking import xframe_options_exempt
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST, require_safe

from crm.api import Purpose, TokenRefused, take_shop_token
from redemption.coupons.refusals import PlanNotOffered
from redemption.embeds.acting import agreement, sign_in, take_coupon
from redemption.embeds.frames import content, inside, spoken
from redemption.embeds.public import conditional, public_frame
from redemption.embeds.sessions import LIFE, SCHEME, SessionEnded, open_session, read_session
from redemption.models import Embed
from redemption.refusals import Refused

LOADER_SECONDS = 3600


@require_safe
def loader(request: HttpRequest) -> HttpResponse:
    """The script of the seller's page. Its address never changes, so browsers ask again every hour."""
    script, etag = _loader()
    return conditional(request, script, etag, "text/javascript; charset=utf-8", LOADER_SECONDS)


@require_safe
@xframe_options_exempt
def show(request: HttpRequest, key: str) -> HttpResponse:
    """The frame as everybody sees it. Before it comes to here, ``config.quick_embeds`` has answered most requests."""
    return public_frame(request, key, timezone.now())


# --- inside the frame ---------------------------------------------------------------------------------------------

Act = Callable[..., HttpResponse]


def _inside(act: Act) -> Act:
    """Let only the frame's own script in, for an embed that is in force."""

    @csrf_exempt
    @require_POST
    @never_cache
    @wraps(act)
    def guarded(request: HttpRequest, key: str, **more: Any) -> HttpResponse:
        if not _from_our_own_frame(request):
            return _fault("wrong_origin", 403)
        embed = Embed.objects.select_related("channel").filter(public_key=key).first()
        if embed is None or embed.revoked(timezone.now()):
            raise Http404
        with translation.override(spoken(embed, translation.get_language() or "")):
            return act(request, embed, **more)

    return guarded


def _for_members(act: Act) -> Act:
    """Let only a member in whose session is good, and not too often."""

    @_inside
    @wraps(act)
    def guarded(request: HttpRequest, embed: Embed, **more: Any) -> HttpResponse:
        session = request.headers.get("Authorization", "")
        try:
            member_id = read_session(session.removeprefix(SCHEME), embed.channel_id, timezone.now())
        except SessionEnded:
            return _fault("session_ended", 401)
        if not ratelimit.consume(request, action="embed_act", key=str(member_id)):
            return _fault("too_often", 429)
        return act(request, embed, member_id, **more)

    return guarded


@_inside
def begin(request: HttpRequest, embed: Embed) -> HttpResponse:
    """Take the shop's token, once, and open a session for the frame."""
    if not ratelimit.consume(request, action="embed_session"):
        return _fault("too_often", 429)
    at = timezone.now()
    try:
        guest = take_shop_token(request.POST.get("token", ""), Purpose.EMBED, at)
    except TokenRefused as refusal:
        return _fault(refusal.public().value, 403)
    if guest.channel_id != embed.channel_id:
        return _fault("wrong_audience", 403)
    return JsonResponse({"session": open_session(guest, at), "seconds": LIFE.total_seconds()})


@_for_members
def member_content(request: HttpRequest, embed: Embed, member_id: int) -> HttpResponse:
    """What the embed shows to its member."""
    return HttpResponse(content(embed, member_id, timezone.now()))


@_for_members
def check_in(request: HttpRequest, embed: Embed, member_id: int) -> HttpResponse:
    """Sign in for the day."""
    at = timezone.now()
    said = sign_in(member_id, at)
    return HttpResponse(content(embed, member_id, at, said=said))


@_for_members
def coupon(request: HttpRequest, embed: Embed, member_id: int, plan_id: int, yuan: int) -> HttpResponse:
    """Ask whether the member agrees; with the token of that question, give him the coupon, once."""
    at = timezone.now()
    refusal = ""
    if "token" in request.POST:
        if not ratelimit.consume(request, action="embed_redeem", key=str(member_id)):
            return _fault("too_often", 429)
        try:
            taken, before = take_coupon(member_id, plan_id, yuan, request.POST["token"], at)
        except Refused as refused:
            refusal = refused.message()
        else:
            return HttpResponse(inside(embed, "embed/taken.html", coupon=taken, before=before))
    asked = agreement(member_id, plan_id, yuan, at)
    if asked is None:
        return HttpResponse(content(embed, member_id, at, refusal=refusal or PlanNotOffered().message()))
    return HttpResponse(inside(embed, "embed/confirm.html", asked=asked, refusal=refusal))


# --- answers ------------------------------------------------------------------------------------------------------


def _from_our_own_frame(request: HttpRequest) -> bool:
    """Say whether a request was made by a page of ours: browsers say so with every POST of a script."""
    origin = urlsplit(request.headers.get("Origin", ""))
    site = request.headers.get("Sec-Fetch-Site", "same-origin")
    return origin.scheme in {"http", "https"} and origin.netloc == request.get_host() and site == "same-origin"


def _fault(code: str, status: int) -> HttpResponse:
    return JsonResponse({"fault": code}, status=status)


@lru_cache(maxsize=1)
def _loader() -> tuple[bytes, str]:
    found = finders.find("embed/loader.js")
    body = Path(str(found)).read_bytes()
    return body, f'"{hashlib.sha256(body).hexdigest()[:32]}"'
