"""The token that a page carries from the moment it shows a price to the moment the buyer agrees to it.

It is signed and says for whom, for what and at what price it was made, and after which coupon: the last one of this
plan and value that the member had taken when he saw the page. The wish's key is made of that. So a double click, the
back button, a second tab and a retry after a broken connection are all the same wish and get the same coupon (law 4); a
page that is opened after it is a new one.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.core.signing import BadSignature, Signer

from redemption.models import Coupon

VALID_FOR = timedelta(days=1)
_SALT = "redemption.coupon"


@dataclass(frozen=True, slots=True)
class Wish:
    """What a buyer was shown: ``points`` for a coupon of ``yuan`` by ``plan_id``. ``conditional`` says that the plan
    asked for a tier then; ``after`` is the coupon of this plan and value that he had taken last, 0 for none."""

    member_id: int
    plan_id: int
    yuan: int
    points: int
    conditional: bool
    after: int
    made_at: datetime

    @property
    def key(self) -> str:
        """The wish's own name, the same for everything that shows or repeats it."""
        return f"coupon:{self.member_id}:{self.plan_id}:{self.yuan}:{self.after}"

    def is_fresh(self, at: datetime) -> bool:
        """Say whether the page may still be used to spend; asking again for what it already bought is always fine."""
        return at - self.made_at < VALID_FOR

    def token(self) -> str:
        """Return the wish as the page carries it."""
        content = [
            self.member_id, self.plan_id, self.yuan, self.points, int(self.conditional), self.after,
            int(self.made_at.timestamp()),
        ]  # fmt: skip
        return Signer(salt=_SALT).sign_object(content)


def new_token(member_id: int, plan_id: int, yuan: int, points: int, *, at: datetime, conditional: bool = False) -> str:
    """Return the token of a page that offers this coupon to this member, at this price. One query."""
    taken = Coupon.objects.filter(member=member_id, plan=plan_id, yuan=yuan).order_by("-pk")
    after = taken.values_list("pk", flat=True).first() or 0
    return Wish(member_id, plan_id, yuan, points, conditional, after, at).token()


def read_token(token: str) -> Wish | None:
    """Return what the token says, or None when it was not signed by us or was tampered with."""
    try:
        member_id, plan_id, yuan, points, conditional, after, made_at = Signer(salt=_SALT).unsign_object(token)
    except (BadSignature, ValueError):  # ValueError: a page that was open while the shop was updated.
        return None
    return Wish(member_id, plan_id, yuan, points, bool(conditional), after, datetime.fromtimestamp(made_at, tz=UTC))
