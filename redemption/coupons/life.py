"""Which state of a coupon may follow which. Pure; the trigger that enforces it is made from this table."""

from redemption.choices import CouponState

_S = CouponState

# A coupon that was used in time may be reported after the night has ended it.
MOVES: dict[CouponState, frozenset[CouponState]] = {
    _S.ISSUED: frozenset({_S.USED, _S.EXPIRED, _S.VOID}),
    _S.EXPIRED: frozenset({_S.USED}),
    _S.USED: frozenset(),
    _S.VOID: frozenset(),
}


def allowed_pairs() -> list[tuple[str, str]]:
    """Return every (from, to) that may be, as plain strings."""
    return [(before.value, after.value) for before, afters in MOVES.items() for after in sorted(afters)]
