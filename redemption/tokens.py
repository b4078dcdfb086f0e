"""The token that a page carries from the moment it shows a price to the moment the buyer agrees to it.

It is signed and says for whom, for what and at what price it was made. Whatever brings it back, a double click, the
back button, a second tab or a retry after a broken connection, is the same wish and gets the same coupon (law 4).
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from secrets import token_urlsafe

from django.core.signing import BadSignature, Signer

VALID_FOR = timedelta(days=1)
_SALT = "redemption.coupon"


@dataclass(frozen=True, slots=True)
class Wish:
    """What a buyer was shown: ``points`` for a coupon of ``yuan`` by ``plan_id``. ``key`` is his wish's own name."""

    member_id: int
    plan_id: int
    yuan: int
    points: int
    made_at: datetime
    key: str

    def is_fresh(self, at: datetime) -> bool:
        """Say whether the page may still be used to spend; asking again for what it already bought is always fine."""
        return at - self.made_at < VALID_FOR


def new_token(member_id: int, plan_id: int, yuan: int, points: int, *, at: datetime) -> str:
    """Return the token of a page that offers this coupon to this member, at this price."""
    content = [member_id, plan_id, yuan, points, int(at.timestamp()), token_urlsafe(12)]
    return Signer(salt=_SALT).sign_object(content)


def read_token(token: str) -> Wish | None:
    """Return what the token says, or None when it was not signed by us or was tampered with."""
    try:
        member_id, plan_id, yuan, points, made_at, nonce = Signer(salt=_SALT).unsign_object(token)
    except BadSignature:
        return None
    return Wish(member_id, plan_id, yuan, points, datetime.fromtimestamp(made_at, tz=UTC), f"coupon:{nonce}")
