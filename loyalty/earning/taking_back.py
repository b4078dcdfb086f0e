"""What an order keeps of its award when money went back.

A function of totals alone: how many refunds there were, and in which sequence, cannot matter.
"""

from collections.abc import Sequence
from typing import NamedTuple

from loyalty.earning.allocate import allocate
from loyalty.earning.award import Award


class LineMoney(NamedTuple):
    """What was paid for a line and what of it went back, in fen."""

    key: str
    paid: int
    refunded: int = 0


def kept_points(award: Award, lines: Sequence[LineMoney]) -> int:
    """The points that stay of ``award``.

    Of each line, points × refunded / paid go, rounded down in the buyer's favour; a line that was returned in full
    keeps nothing, and neither does an order. Points on a line of which nothing is known any more go with the whole.
    """
    whole = LineMoney("", sum(line.paid for line in lines), sum(min(line.refunded, line.paid) for line in lines))
    if whole.refunded and whole.refunded >= whole.paid:
        return 0
    by_key = {line.key: line for line in lines} if len(lines) > 1 else {}
    return sum(_kept(points, by_key.get(key, whole)) for key, points in award.points_by_line.items())


def _kept(points: int, money: LineMoney) -> int:
    if money.refunded <= 0:
        return points
    if money.refunded >= money.paid:
        return 0
    return points - points * money.refunded // money.paid


def spread_refunds(lines: Sequence[LineMoney], refunded: int) -> list[LineMoney]:
    """Bring the lines' refunds to the order's total: what names no line is shared out over what the lines still keep.

    To the fen. More than was paid cannot go back; where the lines name more than the total, the lines count.
    """
    capped = [line._replace(refunded=min(max(line.refunded, 0), line.paid)) for line in lines]
    left = [line.paid - line.refunded for line in capped]
    unnamed = min(max(refunded - sum(line.refunded for line in capped), 0), sum(left))
    if not unnamed:
        return capped
    return [
        line._replace(refunded=line.refunded + part) for line, part in zip(capped, allocate(unnamed, left), strict=True)
    ]
