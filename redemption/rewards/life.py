"""Which state of a redemption may follow which. Pure; the trigger that enforces it is made from this table."""

from redemption.rewards.choices import RedemptionState, RewardKind

_S = RedemptionState

# An edge from a state to itself: a part of the quantity was cancelled or came back, or the parcel number corrected.
MOVES: dict[RedemptionState, frozenset[RedemptionState]] = {
    _S.PLACED: frozenset({_S.PLACED, _S.CONFIRMED, _S.SHIPPED, _S.CANCELLED}),
    _S.AWAITING: frozenset({_S.AWAITING, _S.CONFIRMED, _S.RECEIVED, _S.CANCELLED}),
    _S.CONFIRMED: frozenset({_S.CONFIRMED, _S.SHIPPED, _S.RECEIVED, _S.CANCELLED}),
    _S.SHIPPED: frozenset({_S.SHIPPED, _S.RECEIVED, _S.RETURNED}),
    _S.RECEIVED: frozenset({_S.RECEIVED, _S.RETURNED}),
    _S.CANCELLED: frozenset(),
    _S.RETURNED: frozenset(),
}

# Somebody still has to do something: the buyer to pay, the shop to confirm or to send.
OPEN = (_S.PLACED, _S.AWAITING, _S.CONFIRMED)
BUYER_MAY_CANCEL = frozenset({_S.PLACED, _S.AWAITING})
MAY_BE_CANCELLED = frozenset(state for state, following in MOVES.items() if _S.CANCELLED in following)
MAY_BE_RETURNED = frozenset(state for state, following in MOVES.items() if _S.RETURNED in following)


def first_state(kind: RewardKind, *, cash: bool) -> RedemptionState:
    """Return the state in which a redemption begins: what costs cash waits for it, goods wait for the shop."""
    if cash:
        return _S.AWAITING
    return _S.PLACED if kind is RewardKind.GOODS else state_when_paid(kind)


def state_when_paid(kind: RewardKind) -> RedemptionState:
    """Return the state of a redemption whose cash is there. A code or a donation is received at once."""
    return _S.CONFIRMED if kind in {RewardKind.GOODS, RewardKind.TICKET} else _S.RECEIVED


def allowed_pairs() -> list[tuple[str, str]]:
    """Return every (from, to) that may be, as plain strings."""
    return [(before.value, after.value) for before, afters in MOVES.items() for after in sorted(afters)]
