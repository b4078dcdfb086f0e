"""Who may do something inside an embed.

Nothing here looks at a cookie. Who acts is said by the session that the frame's script sends as a header, which no
other site can make a browser send; so there is no token against CSRF, and none is needed.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any
from urllib.parse import urlsplit

from allauth.core import ratelimit
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone, translation
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from redemption.embeds.frames import spoken
from redemption.embeds.sessions import SCHEME, SessionEnded, read_session
from redemption.models import Embed

Act = Callable[..., HttpResponse]


def inside_frames(act: Act) -> Act:
    """Let only the frame's own script in, for an embed that is in force."""

    @csrf_exempt
    @require_POST
    @never_cache
    @wraps(act)
    def guarded(request: HttpRequest, key: str, **more: Any) -> HttpResponse:
        if not _from_our_own_frame(request):
            return fault("wrong_origin", 403)
        embed = Embed.objects.select_related("channel").filter(public_key=key).first()
        if embed is None or embed.revoked(timezone.now()):
            raise Http404
        with translation.override(spoken(embed, translation.get_language() or "")):
            return act(request, embed, **more)

    return guarded


def for_members(act: Act) -> Act:
    """Let only a member in whose session is good, and not too often; call the view with the ``EmbedSession``."""

    @inside_frames
    @wraps(act)
    def guarded(request: HttpRequest, embed: Embed, **more: Any) -> HttpResponse:
        text = request.headers.get("Authorization", "")
        try:
            session = read_session(text.removeprefix(SCHEME), embed.channel_id, timezone.now())
        except SessionEnded:
            return fault("session_ended", 401)
        if not ratelimit.consume(request, action="embed_act", key=str(session.member_id)):
            return fault("too_often", 429)
        return act(request, embed, session, **more)

    return guarded


def fault(code: str, status: int) -> HttpResponse:
    """Say to the frame's script why nothing was done."""
    return JsonResponse({"fault": code}, status=status)


def _from_our_own_frame(request: HttpRequest) -> bool:
    """Say whether a request was made by a page of ours: browsers say so with every POST of a script."""
    origin = urlsplit(request.headers.get("Origin", ""))
    site = request.headers.get("Sec-Fetch-Site", "same-origin")
    return origin.scheme in {"http", "https"} and origin.netloc == request.get_host() and site == "same-origin"
