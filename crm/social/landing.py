"""An account that somebody has come back with and that opens no login yet: it waits in his session until he has signed
in with a code and said that the two belong together."""

from datetime import datetime, timedelta

from django.http import HttpRequest

from crm.choices import SocialSite
from crm.social.sites import Vouched

WAITS = timedelta(minutes=10)
_PENDING = "social_account"  # In the session: site, name and nickname of the account, and until when it waits.


def keep_pending(request: HttpRequest, vouched: Vouched, at: datetime) -> None:
    """Let the account wait in this session."""
    until = int((at + WAITS).timestamp())
    request.session[_PENDING] = [vouched.site.value, vouched.uid, vouched.nickname, until]


def pending_account(request: HttpRequest, at: datetime) -> Vouched | None:
    """Return the account that waits in this session; None when there is none, or it has waited too long."""
    kept = request.session.get(_PENDING)
    if kept is None or at.timestamp() >= kept[3]:
        return None
    return Vouched(SocialSite(kept[0]), kept[1], kept[2])


def take_pending_account(request: HttpRequest, at: datetime) -> Vouched | None:
    """The same, and it waits no longer."""
    vouched = pending_account(request, at)
    request.session.pop(_PENDING, None)
    return vouched
