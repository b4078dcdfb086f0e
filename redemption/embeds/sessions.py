"""The session inside an embed: a signed text that its script keeps in memory and sends with each request.

So it works where a browser keeps cookies from frames; docs/decisions/0010 says why.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from django.core.signing import BadSignature, Signer

from crm.api import PROOF_HOLDS, Guest, still_vouched_for

LIFE = timedelta(minutes=30)
_SALT = "redemption.embed"
SCHEME = "Bearer "
HEADER = "Embed-Session"  # An answer that has it brings the session in a new form.


class SessionEnded(Exception):
    """The session is over, forged, of another shop, or its key was revoked."""


@dataclass(frozen=True, slots=True)
class EmbedSession:
    """Whom his shop has vouched for, when, and when he typed a code last; None for never."""

    guest: Guest
    began_at: datetime
    proven_at: datetime | None = None

    @property
    def member_id(self) -> int:
        return self.guest.member_id

    def proven_lately(self, at: datetime) -> bool:
        """Whether he typed a code within the last quarter of an hour. The shop's word is none: its page makes a token
        with every view, whoever sits before it."""
        return self.proven_at is not None and at - self.proven_at < PROOF_HOLDS

    def vouched_lately(self, at: datetime) -> bool:
        """Whether his shop vouched for him within the last quarter of an hour."""
        return at - self.began_at < PROOF_HOLDS

    def with_proof(self, at: datetime) -> "EmbedSession":
        return replace(self, proven_at=at)

    def text(self) -> str:
        """Return the session as the frame's script keeps it."""
        guest, proven = self.guest, self.proven_at
        moments = [int(self.began_at.timestamp()), int(proven.timestamp()) if proven else 0]
        return Signer(salt=_SALT).sign_object([guest.member_id, guest.channel_id, guest.key_pk, *moments])


def open_session(guest: Guest, at: datetime) -> EmbedSession:
    """Return the session of a buyer whom his shop has just vouched for."""
    return EmbedSession(guest, at)


def read_session(text: str, channel_id: int, at: datetime) -> EmbedSession:
    """Return a session that is good for embeds of this channel; raises SessionEnded. One query."""
    try:
        member_id, channel, key_pk, began, proven = Signer(salt=_SALT).unsign_object(text)
    except (BadSignature, ValueError) as error:  # ValueError: a page that was open while the shop was updated.
        raise SessionEnded from error
    guest = Guest(member_id, channel, key_pk)
    session = EmbedSession(guest, _moment(began), _moment(proven) if proven else None)
    if at - session.began_at >= LIFE or channel != channel_id or not still_vouched_for(guest):
        raise SessionEnded
    return session


def _moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, tz=UTC)
