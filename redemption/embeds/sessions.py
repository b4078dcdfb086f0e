"""Who is signed in inside an embed: a short-lived signed text that only the frame's own script knows.

It is no cookie. Nothing sends it by itself, so no other site can act in a buyer's name (CSRF), and it works where a
browser keeps cookies from frames. docs/decisions/0010 says why.
"""

from datetime import UTC, datetime, timedelta

from django.core.signing import BadSignature, Signer

from crm.api import Guest, still_vouched_for

LIFE = timedelta(minutes=30)
_SALT = "redemption.embed"
SCHEME = "Bearer "


class SessionEnded(Exception):
    """The session is over, forged, of another shop, or its key was revoked."""


def open_session(guest: Guest, at: datetime) -> str:
    """Return the session of a buyer whom his shop has just vouched for."""
    return Signer(salt=_SALT).sign_object([guest.member_id, guest.channel_id, guest.key_pk, int(at.timestamp())])


def read_session(text: str, channel_id: int, at: datetime) -> int:
    """Return the member of a session that is good for embeds of this channel; raises SessionEnded. One query."""
    try:
        member_id, channel, key_pk, began = Signer(salt=_SALT).unsign_object(text)
    except BadSignature as error:
        raise SessionEnded from error
    over = at - datetime.fromtimestamp(began, tz=UTC) >= LIFE
    guest = Guest(member_id, channel, key_pk)
    if over or channel != channel_id or not still_vouched_for(guest):
        raise SessionEnded
    return guest.member_id
