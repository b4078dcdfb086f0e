"""A member's own redemptions, as he sees them."""

from dataclasses import dataclass
from decimal import Decimal

from django.db.models import QuerySet

from redemption.models import Payment, Redemption, RedemptionMove, RewardCode
from redemption.rewards.cash_orders import cash_due
from redemption.rewards.choices import RedemptionState, RewardKind
from redemption.rewards.journey import Step, journey
from redemption.rewards.life import BUYER_MAY_CANCEL

HANDED_OUT = frozenset({RedemptionState.RECEIVED, RedemptionState.RETURNED})


@dataclass(frozen=True, slots=True)
class OwnRedemption:
    """A redemption with what its buyer needs: how far it has come, its codes once they are his, what is to be paid
    (yuan) and what he may do. ``reported`` when a payment is known that does not count (yet)."""

    redemption: Redemption
    steps: list[Step]
    codes: list[str]
    due: Decimal
    reported: bool
    may_cancel: bool
    may_receive: bool


def own_redemptions(member_id: int, *, before_id: int | None = None) -> QuerySet[Redemption]:
    """Return what a member took, newest first; ``before_id`` continues after a page."""
    own = Redemption.objects.filter(member=member_id).select_related("reward").order_by("-pk")
    return own if before_id is None else own.filter(pk__lt=before_id)


def own_redemption(member_id: int, redemption_id: int) -> Redemption | None:
    """Return a redemption if it is this member's own. One query."""
    return own_redemptions(member_id).select_related("address").filter(pk=redemption_id).first()


def look_into(redemption: Redemption) -> OwnRedemption:
    """Return all that its buyer needs to know of a redemption. Three queries at most."""
    state = RedemptionState(redemption.state)
    kind = RewardKind(redemption.reward.kind)
    moves = RedemptionMove.objects.filter(redemption=redemption).order_by("pk").values_list("state_after", "at")
    waits = state is RedemptionState.AWAITING
    codes = RewardCode.objects.filter(redemption=redemption).order_by("pk").values_list("code", flat=True)
    return OwnRedemption(
        redemption,
        steps=journey(
            kind,
            cash=bool(redemption.cash),
            placed_at=redemption.placed_at,
            moves=[(RedemptionState(after), at) for after, at in moves],
        ),
        # Those of a redemption that waits for its cash are only set aside: nobody has seen them yet.
        codes=list(codes) if kind is RewardKind.DIGITAL and state in HANDED_OUT else [],
        due=cash_due(redemption) if waits else Decimal(0),
        reported=waits and Payment.objects.filter(redemption=redemption, settled_at=None).exists(),
        may_cancel=state in BUYER_MAY_CANCEL,
        may_receive=state is RedemptionState.SHIPPED,
    )
