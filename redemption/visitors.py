"""Devices: a signed cookie tells one from another, so that a visit through a friend's link is remembered.

It is set when somebody opens such a link, or shares links himself, and says nothing but a random name.
"""

from datetime import datetime, timedelta

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from loyalty import api as loyalty

COOKIE = "device"
_SALT = "redemption.device"
_KEPT = timedelta(days=400)  # No browser keeps a cookie longer.
_RECOGNISED = "recognised_device"  # In the session: this sign-in on this device has been seen to.


def device_of(request: HttpRequest) -> str | None:
    """Return the device's name, None when it has none or the cookie was tampered with."""
    device: str | None = request.get_signed_cookie(COOKIE, None, salt=_SALT)
    return device


def name_device(response: HttpResponse, device: str) -> None:
    """Let the browser keep the device's name."""
    response.set_signed_cookie(
        COOKIE, device, salt=_SALT, max_age=_KEPT, httponly=True, samesite="Lax", secure=settings.SESSION_COOKIE_SECURE
    )


def recognise(request: HttpRequest, member_id: int, at: datetime) -> None:
    """Tie what the device has visited to the member who is signed in on it, once for each sign-in."""
    device = device_of(request)
    if device is None or request.session.get(_RECOGNISED) == device:
        return
    loyalty.recognise(device, member_id, at)
    request.session[_RECOGNISED] = device
