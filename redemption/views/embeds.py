"""Embeds as the visitor's browser asks for them: the loader, the frame, and what its member sees and takes for nothing.
What costs points is in ``embed_spending``."""

import hashlib
from functools import lru_cache
from pathlib import Path

from allauth.core import ratelimit
from django.contrib.staticfiles import finders
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.clickjacking import xframe_options_exempt
from django.views.decorators.http import require_safe

from crm.api import Purpose, TokenRefused, take_shop_token
from redemption.embeds.acting import claim_tier_now, sign_in
from redemption.embeds.frames import content
from redemption.embeds.public import conditional, public_frame
from redemption.embeds.sessions import LIFE, EmbedSession, open_session
from redemption.models import Embed
from redemption.views.embed_guards import fault, for_members, inside_frames

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


@inside_frames
def begin(request: HttpRequest, embed: Embed) -> HttpResponse:
    """Take the shop's token, once, and open a session for the frame."""
    if not ratelimit.consume(request, action="embed_session"):
        return fault("too_often", 429)
    at = timezone.now()
    try:
        guest = take_shop_token(request.POST.get("token", ""), Purpose.EMBED, at)
    except TokenRefused as refusal:
        return fault(refusal.public().value, 403)
    if guest.channel_id != embed.channel_id:
        return fault("wrong_audience", 403)
    return JsonResponse({"session": open_session(guest, at).text(), "seconds": LIFE.total_seconds()})


@for_members
def member_content(request: HttpRequest, embed: Embed, session: EmbedSession) -> HttpResponse:
    """What the embed shows to its member."""
    return HttpResponse(content(embed, session.member_id, timezone.now()))


@for_members
def check_in(request: HttpRequest, embed: Embed, session: EmbedSession) -> HttpResponse:
    """Sign in for the day."""
    at = timezone.now()
    said = sign_in(session.member_id, at)
    return HttpResponse(content(embed, session.member_id, at, said=said))


@for_members
def claim(request: HttpRequest, embed: Embed, session: EmbedSession, offer_id: int) -> HttpResponse:
    """Take the tier of an offer. However often the button is pressed, it is taken once."""
    at = timezone.now()
    said, taken = claim_tier_now(session.member_id, offer_id, at)
    return HttpResponse(content(embed, session.member_id, at, **{"said" if taken else "refusal": said}))


@lru_cache(maxsize=1)
def _loader() -> tuple[bytes, str]:
    found = finders.find("embed/loader.js")
    body = Path(str(found)).read_bytes()
    return body, f'"{hashlib.sha256(body).hexdigest()[:32]}"'
