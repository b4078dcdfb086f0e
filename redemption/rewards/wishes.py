"""The token that the page of a reward carries from the moment it shows a price to the moment the buyer agrees to it.

It is signed and says for whom, for what and at what price it was made, and after which redemption: the one that the
member had last of this reward when he saw the page. The wish's key is made of that. So a double click, the back
button, a second tab and a retry after a broken connection are all the same wish and get the same redemption (law 4); a
page that is opened after it is a new one.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from django.core.signing import BadSignature, Signer

from redemption.rewards.choices import RewardKind

VALID_FOR = timedelta(days=1)
_SALT = "redemption.reward"


@dataclass(frozen=True, slots=True)
class Wish:
    """What a buyer was shown: one piece of a reward for ``points`` and ``cash`` (yuan). ``conditional`` says that the
    reward asked for a tier or tags then; ``after`` is the redemption that he had last of it, 0 for none."""

    member_id: int
    reward_id: int
    kind: RewardKind
    points: int
    cash: Decimal
    conditional: bool
    after: int
    made_at: datetime

    @property
    def key(self) -> str:
        """The wish's own name, the same for everything that shows or repeats it."""
        return f"reward:{self.member_id}:{self.reward_id}:{self.after}"

    def is_fresh(self, at: datetime) -> bool:
        """Say whether the page may still be used to spend; asking again for what it already bought is always fine."""
        return at - self.made_at < VALID_FOR

    def token(self) -> str:
        """Return the wish as the page carries it."""
        content = [
            self.member_id, self.reward_id, self.kind.value, self.points, str(self.cash), int(self.conditional),
            self.after, int(self.made_at.timestamp()),
        ]  # fmt: skip
        return Signer(salt=_SALT).sign_object(content)


def read_wish(token: str) -> Wish | None:
    """Return what the token says, or None when it was not signed by us or was tampered with."""
    try:
        member, reward, kind, points, cash, conditional, after, made_at = Signer(salt=_SALT).unsign_object(token)
    except BadSignature:
        return None
    return Wish(
        member, reward, RewardKind(kind), points, Decimal(cash), bool(conditional), after,
        datetime.fromtimestamp(made_at, tz=UTC),
    )  # fmt: skip
