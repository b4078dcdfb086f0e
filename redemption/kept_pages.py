"""A buyer's page, made once and kept for a minute; made again at once when anything of his has changed.

What a buyer does, and what is done to him, changes his stamp, which is read with every request: he never sees a page
from before. What time alone changes (a validity ends, a new day begins) and what the shop changes for everybody shows
within the minute. A kept page holds personal data; it lies in the cache under a name that tells nobody's, and is gone
by itself.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache as made_once
from typing import Any

from django.conf import settings
from django.contrib.messages import get_messages
from django.contrib.staticfiles.storage import staticfiles_storage
from django.core.cache import cache, caches
from django.db import connection
from django.http import HttpRequest, HttpResponse, HttpResponseNotModified
from django.middleware.csrf import get_token
from django.template.loader import render_to_string
from django.utils.cache import add_never_cache_headers
from django.utils.crypto import salted_hmac
from django.utils.http import parse_etags
from django.utils.translation import get_language

from crm.api import MEMBER_CHANGES, Buyer
from loyalty.api import POINTS_CHANGES, programme_zone
from redemption.looks import LOOK_CHOICE, dress_of
from redemption.preferences import scheme_of
from redemption.wallet import COUPON_CHANGES

# With the ten seconds of ``redemption.home_page`` a change for everybody shows within a minute.
KEPT = timedelta(seconds=50)

_WHO = f"""
SELECT m.id, m.name, m.joined_at, concat_ws('/', {MEMBER_CHANGES}, {POINTS_CHANGES}, {COUPON_CHANGES}), {LOOK_CHOICE}
  FROM crm_member AS m
 WHERE m.user_id = %s
"""


@dataclass(frozen=True, slots=True)
class Stamped:
    """A buyer as he stands. The stamp is another one as soon as his tier, his points, his sign-ins or his coupons have
    changed; ``look`` is what the shop has its pages wear."""

    buyer: Buyer
    stamp: str
    look: str | None


def stamped_buyer(user_id: int) -> Stamped | None:
    """Return the member that a login is tied to, as he stands. One statement."""
    with connection.cursor() as cursor:
        cursor.execute(_WHO, [user_id])
        row = cursor.fetchone()
    return Stamped(Buyer(*row[:3]), *row[3:]) if row else None


def kept_page(
    request: HttpRequest, template: str, found: Stamped, context: Callable[[], dict[str, Any]], at: datetime
) -> HttpResponse:
    """Answer with a buyer's page: with 304 to a browser that has it, with the kept one, or with one made from the
    context. A page with messages on it, or asked for with a query, is made for this one time."""
    if get_messages(request) or request.META.get("QUERY_STRING"):
        response = HttpResponse(render_to_string(template, {"theme": dress_of(found.look, at), **context()}, request))
        add_never_cache_headers(response)
        return response
    name = _name(request, template, found, at)
    kept = _find(name, at)
    if kept is None:
        # The token of a form is the browser's own, so the page is kept with a mark in its place.
        shown = {"theme": dress_of(found.look, at), **context(), "csrf_token": _mark()}
        page = render_to_string(template, shown, request)
        kept = _Kept(hashlib.sha256(page.encode()).hexdigest()[:32], page, at + KEPT)
        cache.set(name, kept, KEPT.total_seconds())
    return _answer(request, kept)


@dataclass(frozen=True, slots=True)
class _Kept:
    digest: str
    page: str
    until: datetime


def _find(name: str, at: datetime) -> _Kept | None:
    """Look in the process itself, then where all processes look."""
    near = caches["near"]
    kept: _Kept | None = near.get(name)
    if kept is None:
        kept = cache.get(name)
        if kept is not None:
            near.set(name, kept, (kept.until - at).total_seconds())
    return kept if kept is not None and kept.until > at else None


def _answer(request: HttpRequest, kept: _Kept) -> HttpResponse:
    token = get_token(request)
    # A browser that lost the cookie to which its forms belong needs them anew.
    seen = hashlib.sha256(f"{kept.digest}{request.META['CSRF_COOKIE']}".encode()).hexdigest()[:32]
    etag = f'W/"{seen}"'
    known = etag in parse_etags(request.headers.get("If-None-Match", ""))
    response: HttpResponse = HttpResponseNotModified() if known else HttpResponse(kept.page.replace(_mark(), token))
    response["ETag"] = etag
    # Kept by the browser, and asked about each time; by nobody else.
    response["Cache-Control"] = "private, no-cache"
    return response


def _name(request: HttpRequest, template: str, found: Stamped, at: datetime) -> str:
    """All that the page depends on besides the data that everybody shares."""
    parts = [
        template, found, get_language(), scheme_of(request),
        at.astimezone(programme_zone()).date(), settings.SHOP_NAME, settings.SHOP_CONTACT, request.get_host(),
        getattr(staticfiles_storage, "manifest_hash", ""),
    ]  # fmt: skip
    return f"page:{hashlib.sha256(repr(parts).encode()).hexdigest()}"


@made_once
def _mark() -> str:
    """Stand where the token of a form belongs. Nobody who types a name can know it."""
    return salted_hmac("redemption.kept_pages", "token").hexdigest()
