"""Who is looking at a page, and which part of a long list."""

from collections.abc import Callable
from datetime import datetime
from functools import wraps
from typing import Any

from django.contrib.auth.decorators import login_required
from django.db import connection
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.cache import never_cache

from crm.api import Buyer, note_visit
from redemption.looks import LOOK_CHOICE, dress_of, wear
from redemption.visitors import recognise

_LARGEST_ID = 2**63 - 1
_WHO = f"SELECT m.id, m.name, m.joined_at, {LOOK_CHOICE} FROM crm_member AS m WHERE m.user_id = %s"


def for_buyers(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """Call the view with the request and the ``Buyer`` who is signed in.

    Others sign in first. A login without a member is sent to the home page, which says how to get one.
    """

    @never_cache
    @login_required
    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        at = timezone.now()
        buyer = _buyer(request, at)
        if buyer is None:
            return redirect("redemption:home")
        note_visit(request, at)
        recognise(request, buyer.member_id, at)
        return view(request, buyer, *args, **kwargs)

    return guarded


def _buyer(request: HttpRequest, at: datetime) -> Buyer | None:
    """Read whose login it is, and with it what the page wears: no look-up in the cache server for that."""
    with connection.cursor() as cursor:
        cursor.execute(_WHO, [request.user.pk])
        row = cursor.fetchone()
    if row is None:
        return None
    *buyer, look = row
    wear(request, dress_of(look, at))
    return Buyer(*buyer)


def before_id(request: HttpRequest) -> int | None:
    """Return where the asked-for page of a list begins (``?before=``), or None for its first page."""
    asked = request.GET.get("before")
    if asked is None:
        return None
    number = whole_number(asked)
    if number is None:
        raise Http404
    return number


def whole_number(text: str) -> int | None:
    """Read a number of pieces, an id or the like as a browser sends it; None for anything else."""
    if not text.isascii() or not text.isdecimal() or int(text) > _LARGEST_ID:
        return None
    return int(text)
