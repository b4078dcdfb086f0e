"""The public side of an embed, the same for everybody: kept near for seconds, so that item pages may ask a thousand
times a second."""

import hashlib
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.core.cache import caches
from django.http import HttpRequest, HttpResponse, HttpResponseNotModified
from django.urls import reverse
from django.utils import translation
from django.utils.http import parse_etags
from django.utils.translation.trans_real import parse_accept_lang_header

from redemption.embeds.frames import content, frame, policy, spoken
from redemption.models import Embed

# A visitor sees what is at most so many seconds old: our memory keeps a page for five, his browser for thirty.
NEAR_SECONDS = 5
BROWSER_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Kept:
    """A frame as it is kept: nothing but a status where there is none."""

    status: int
    body: bytes = b""
    etag: str = ""
    policy: str = "default-src 'none'; frame-ancestors *"  # Wherever it was pasted, an empty place stays.
    language: str = ""


def public_frame(request: HttpRequest, key: str, at: datetime) -> HttpResponse:
    """Answer with the frame of an embed as everybody sees it. Looks at the language that the browser wants and at what
    it has already, and at no cookie."""
    wanted = _wanted(request.headers.get("Accept-Language", ""))
    near = f"embed:{key}:{wanted}"
    kept: Kept | None = caches["near"].get(near)
    if kept is None:
        kept = _make(key, wanted, at)
        caches["near"].set(near, kept, NEAR_SECONDS)
    if kept.status != 200:
        response = HttpResponse(status=kept.status)
    else:
        response = conditional(request, kept.body, kept.etag, "text/html; charset=utf-8", BROWSER_SECONDS)
        response["Content-Language"] = kept.language
    response["Vary"] = "Accept-Language"
    response["Content-Security-Policy"] = kept.policy
    return response


def conditional(request: HttpRequest, body: bytes, etag: str, kind: str, seconds: int) -> HttpResponse:
    """Answer with a body that anybody may keep for so many seconds, or with 304 to whoever has it already."""
    known = parse_etags(request.headers.get("If-None-Match", ""))
    fresh = etag in known or f"W/{etag}" in known
    response: HttpResponse = HttpResponseNotModified() if fresh else HttpResponse(body, content_type=kind)
    response["ETag"] = etag
    response["Cache-Control"] = f"public, max-age={seconds}, stale-while-revalidate={seconds}"
    response["Cross-Origin-Resource-Policy"] = "cross-origin"
    return response


def _make(key: str, wanted: str, at: datetime) -> Kept:
    embed = Embed.objects.select_related("channel").filter(public_key=key).first()
    if embed is None or embed.revoked(at):
        return Kept(404 if embed is None else 410)
    with translation.override(spoken(embed, wanted)):
        page, style_hash = frame(embed, content(embed, None, at), base=reverse("redemption:embed", args=[key]))
        language = translation.get_language() or ""
    body = page.encode()
    etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    return Kept(200, body, etag, policy(style_hash, embed.origins.split()), language)


def _wanted(header: str) -> str:
    """Return the first language of ours that a browser asks for."""
    for code, _weight in parse_accept_lang_header(header):
        if code == "*":
            break
        try:
            return translation.get_supported_language_variant(code)
        except LookupError:
            continue
    return settings.LANGUAGE_CODE
