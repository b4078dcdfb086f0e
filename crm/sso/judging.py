"""Whether what a shop's token says is to be believed. Pure: the signature was checked before, nothing is looked up.

Source of the claims' names and meaning: RFC 7519, section 4.1.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from crm.choices import SsoFault

LONGEST_LIFE = timedelta(minutes=5)
# By so much the clocks of the shop's server and ours may differ.
SKEW = timedelta(seconds=60)
LONGEST_SUBJECT = 120  # As long as a name on a platform may be.
SHORTEST_NONCE, LONGEST_NONCE = 8, 64
LONGEST_TOKEN = 4096


class Purpose(StrEnum):
    """What a token is for. One that a page hands to an embed opens no session on the buyer's pages, and the other way
    round: the two have different audiences."""

    SIGN_IN = "sign-in"
    EMBED = "embed"


@dataclass(frozen=True, slots=True)
class Assertion:
    """What the shop vouches for: the buyer's name on its channel. ``nonce`` makes the token good for one use;
    after ``stale_at`` nobody would take the token any more, so the nonce can be forgotten then."""

    subject: str
    nonce: str
    stale_at: datetime


class TokenRefused(Exception):
    """A token is not believed. ``fault`` says why, and ``claim`` names the claim that is at fault, if it is one."""

    def __init__(self, fault: SsoFault, claim: str = "") -> None:
        super().__init__(fault.value)
        self.fault = fault
        self.claim = claim

    def public(self) -> SsoFault:
        """Return what may be told to whoever sent the token. Without a good signature that is no more than "not
        good", so that nobody learns which keys there are by trying."""
        return SsoFault.INVALID if self.fault in _UNSIGNED else self.fault


_UNSIGNED = {
    SsoFault.UNREADABLE,
    SsoFault.UNKNOWN_KEY,
    SsoFault.REVOKED_KEY,
    SsoFault.WRONG_ALGORITHM,
    SsoFault.BAD_SIGNATURE,
    SsoFault.LOST_SECRET,
}


def audience(channel_code: str, purpose: Purpose) -> str:
    """Return the ``aud`` of tokens of a shop: ``pointkeeper:tea:embed`` for its embeds."""
    return f"pointkeeper:{channel_code}:{purpose}"


def judge(claims: Mapping[str, object], *, audience: str, at: datetime) -> Assertion:
    """Return what the claims of a token with a good signature vouch for at this moment; raise TokenRefused otherwise.

    ``aud`` may be a list that has ours in it. Instants are whole seconds since 1970.
    """
    subject = _text(claims, "sub", 1, LONGEST_SUBJECT)
    nonce = _text(claims, "jti", SHORTEST_NONCE, LONGEST_NONCE)
    issued, expires = _instant(claims, "iat"), _instant(claims, "exp")
    named = claims.get("aud")
    if audience not in (named if isinstance(named, list) else [named]):
        raise TokenRefused(SsoFault.WRONG_AUDIENCE, "aud")
    now, skew = int(at.timestamp()), int(SKEW.total_seconds())
    if not 0 < expires - issued <= LONGEST_LIFE.total_seconds():
        raise TokenRefused(SsoFault.WRONG_LIFE, "exp")
    if now >= expires + skew:
        raise TokenRefused(SsoFault.EXPIRED, "exp")
    begins = max(issued, _instant(claims, "nbf")) if "nbf" in claims else issued
    if begins > now + skew:
        raise TokenRefused(SsoFault.NOT_YET, "nbf" if begins > issued else "iat")
    return Assertion(subject, nonce, datetime.fromtimestamp(expires + skew, tz=UTC))


def _text(claims: Mapping[str, object], name: str, shortest: int, longest: int) -> str:
    value = claims.get(name)
    # A name with blanks around it would be another name than the one in the orders.
    good = isinstance(value, str) and shortest <= len(value) <= longest and value == value.strip() and storable(value)
    if not good:
        raise TokenRefused(SsoFault.BAD_CLAIM, name)
    return str(value)


def storable(text: str) -> bool:
    """Say whether a database can keep a text. JSON can bring NUL, and halves of characters, which it cannot."""
    return "\0" not in text and not any("\ud800" <= sign <= "\udfff" for sign in text)


def _instant(claims: Mapping[str, object], name: str) -> int:
    value = claims.get(name)
    if not isinstance(value, int) or isinstance(value, bool):
        raise TokenRefused(SsoFault.BAD_CLAIM, name)
    return value
