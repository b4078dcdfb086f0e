"""Fen, and the roundings by their names. Whole numbers only: no float comes near an amount."""

from collections.abc import Callable
from decimal import Decimal

FEN = 100


def fen(amount: Decimal) -> int:
    """An amount of yuan in whole fen.

    Raises ``ValueError`` when it has parts of a fen.
    """
    scaled = amount * FEN
    whole = int(scaled)
    if whole != scaled:
        raise ValueError(f"{amount} has parts of a fen")
    return whole


def yuan(amount: int) -> Decimal:
    """An amount of fen in yuan, with two places."""
    return Decimal(amount).scaleb(-2)


def whole_down(numerator: int, denominator: int) -> int:
    """The quotient without its fraction: 1.99 is 1. Neither figure is negative."""
    return numerator // denominator


def whole_half_up(numerator: int, denominator: int) -> int:
    """The nearest whole number, and of two the larger: 1.5 is 2, 1.49 is 1. Neither figure is negative."""
    return (2 * numerator + denominator) // (2 * denominator)


def whole_up(numerator: int, denominator: int) -> int:
    """The next whole number: 1.01 is 2. Neither figure is negative."""
    return -(-numerator // denominator)


DOWN, HALF_UP, UP = "down", "half_up", "up"
ROUNDINGS: dict[str, Callable[[int, int], int]] = {DOWN: whole_down, HALF_UP: whole_half_up, UP: whole_up}
