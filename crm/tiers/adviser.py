"""Which thresholds would divide the members as the seller wishes. Pure.

A seller thinks in parts ("one in ten should be an SVIP"), a scheme in yuan. What lies between is how the figure is
spread over the members, and over which time it is counted. Thresholds that people are told should be round, so only
round numbers are proposed, and for each the part that it really gives is said.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from enum import Enum
from itertools import pairwise

_HUNDRED = Decimal(100)
_TENTH = Decimal("0.1")
_LARGEST_POWER = 9  # Billions of yuan, orders or points are enough for anybody.


class Rounding(Enum):
    """How round a proposed threshold is: which first digits it may have. The value names it in addresses."""

    PLAIN = "plain"
    USUAL = "usual"
    FINE = "fine"

    @property
    def digits(self) -> tuple[int, ...]:
        """The first two digits, between 10 and 99."""
        return _DIGITS[self]


_DIGITS = {
    Rounding.PLAIN: (10, 20, 50),
    Rounding.USUAL: (10, 12, 15, 20, 25, 30, 40, 50, 60, 80),
    Rounding.FINE: tuple(range(10, 100)),
}


def round_numbers(rounding: Rounding) -> tuple[int, ...]:
    """All round numbers from 1 up, in ascending order."""
    found = {digits * 10**power // 10 for power in range(_LARGEST_POWER) for digits in rounding.digits
             if digits * 10**power % 10 == 0}  # fmt: skip
    return tuple(sorted(found))


# Every number that is ever proposed is a bound, so that what is said of it is counted and not guessed.
BOUNDS = round_numbers(Rounding.FINE)
# Ten steps a decade, each about a quarter more than the one before (Renard's preferred numbers): bars of equal width.
_STEPS = (10, 12, 16, 20, 25, 32, 40, 50, 63, 80)


@dataclass(frozen=True, slots=True)
class Spread:
    """How many members have how much: ``counts[i]`` have at least ``BOUNDS[i - 1]`` and less than ``BOUNDS[i]``;
    ``counts[0]`` have nothing, or less than one."""

    counts: tuple[int, ...]

    @property
    def members(self) -> int:
        """All of them."""
        return sum(self.counts)

    @property
    def active(self) -> int:
        """Those who have anything, one at least."""
        return sum(self.counts[1:])

    def reaching_rounded_down(self, threshold: Decimal) -> int:
        """How many members have at least so much. Counted for numbers among ``BOUNDS``; between two of them the members
        are taken to be spread evenly."""
        place = bisect_right(BOUNDS, threshold)
        if place == 0:
            return self.members
        above = sum(self.counts[place + 1 :])
        low = Decimal(BOUNDS[place - 1])
        if threshold == low or place == len(BOUNDS):
            return above + self.counts[place]
        part = (threshold - low) / (BOUNDS[place] - low)
        return above + int(self.counts[place] * (1 - part))


@dataclass(frozen=True, slots=True)
class RungShare:
    """A rung as it would come out: from ``threshold`` on (None for the base), so many members, and which percentage of
    all that is. ``wanted`` is the percentage that was asked for."""

    threshold: Decimal | None
    members: int
    percent: Decimal
    wanted: Decimal | None = None


def usual_shares(rungs: int) -> tuple[int, ...]:
    """Percentages to begin with, the base first: 60/30/10 for two rungs above it."""
    known = {0: (100,), 1: (70, 30), 2: (60, 30, 10), 3: (60, 25, 10, 5), 4: (55, 25, 12, 6, 2)}
    if rungs in known:
        return known[rungs]
    upper = [max(45 // 2 ** (number + 1), 1) for number in range(rungs)]
    return (100 - sum(upper), *upper)


def propose(spread: Spread, shares: Sequence[Decimal], *, rounding: Rounding, among_all: bool = False) -> list[Decimal]:
    """Return a threshold for each rung above the base, so that the rungs get ``shares`` (percentages, the base first).

    Of all round numbers the one that comes nearest is taken, the lower one of two that are as near: it is kinder to
    members. Thresholds ascend, even where so many members have the same figure that the shares cannot be had. The
    shares are of those who have anything, or ``among_all`` members. Empty where nobody has anything.
    """
    numbers = round_numbers(rounding)
    everybody = spread.members if among_all else spread.active
    if not spread.active:
        return []
    reaching = {number: spread.reaching_rounded_down(Decimal(number)) for number in numbers}
    thresholds: list[Decimal] = []
    lowest = 0
    for rung in range(1, len(shares)):
        wanted = sum(shares[rung:], Decimal(0)) * everybody
        above = [number for number in numbers if number > lowest]
        if not above:
            break
        lowest = min(above, key=lambda number: (abs(reaching[number] * _HUNDRED - wanted), number))
        thresholds.append(Decimal(lowest))
    return thresholds


def divide(
    spread: Spread, thresholds: Sequence[Decimal], *, wanted: Sequence[Decimal] = (), among_all: bool = False
) -> list[RungShare]:
    """Return how thresholds, in ascending order, divide the members: the base first."""
    everybody = spread.members if among_all else spread.active
    reaching = [everybody, *(spread.reaching_rounded_down(threshold) for threshold in thresholds), 0]
    rungs = []
    for rung, (own, above) in enumerate(pairwise(reaching)):
        rungs.append(
            RungShare(
                threshold=thresholds[rung - 1] if rung else None,
                members=own - above,
                percent=_percent_half_up(own - above, everybody),
                wanted=wanted[rung] if rung < len(wanted) else None,
            )
        )
    return rungs


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar of the picture: members who have at least ``low`` and less than ``high``."""

    low: int
    high: int
    members: int


def bars(spread: Spread, *, beyond: Decimal = Decimal(0)) -> list[Bar]:
    """Return the spread as bars, from the first member to the last one and as far as ``beyond``.

    Small figures (orders, say) get a bar for each number; larger ones bars that widen, ten to each power of ten.
    """
    used = [place for place, count in enumerate(spread.counts) if place and count]
    if not used:
        return []
    last = max(BOUNDS[used[-1] - 1], int(beyond))
    edges = _edges(BOUNDS[used[0] - 1], last)
    return [
        Bar(low, high, spread.reaching_rounded_down(Decimal(low)) - spread.reaching_rounded_down(Decimal(high)))
        for low, high in pairwise(edges)
    ]


_MOST_SINGLE_BARS = 40


def _edges(first: int, last: int) -> list[int]:
    """The bounds of the bars that hold everything from ``first`` to ``last``."""
    if last <= _MOST_SINGLE_BARS:
        return list(range(1, last + 2))
    steps = sorted({digits * 10**power // 10 for power in range(_LARGEST_POWER) for digits in _STEPS})
    begin = max(bisect_right(steps, first) - 1, 0)
    end = min(bisect_right(steps, last), len(steps) - 1)
    return steps[begin : end + 1]


def _percent_half_up(part: int, whole: int) -> Decimal:
    """A percentage with one decimal; 0 of nobody."""
    return (part * _HUNDRED / whole).quantize(_TENTH, ROUND_HALF_UP) if whole else Decimal(0)
