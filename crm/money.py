"""Money, and its roundings by their names. Amounts are Decimal, in the currency of their channel."""

from decimal import ROUND_HALF_UP, Decimal

CENT = Decimal("0.01")


def cents_half_up(value: Decimal) -> Decimal:
    """Round to the cent, a half cent away from zero."""
    return value.quantize(CENT, rounding=ROUND_HALF_UP)


def share_half_up(price: Decimal, percent: Decimal) -> Decimal:
    """Return ``percent`` of a price, a half cent up, and never less than a cent: no discount gives a good away."""
    return max(cents_half_up(price * percent / 100), CENT)
