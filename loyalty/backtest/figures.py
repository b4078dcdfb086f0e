"""The sums of a backtest: in all, by month, tier, rule and member, and the orders that cost too much. Pure.

Every figure comes as a pair: under the rules of that time, and under the candidate.
"""

import heapq
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from math import lcm
from typing import Any

from loyalty.backtest.simulation import Outcome
from loyalty.earning.award import AwardLine

LIVE, CANDIDATE = 0, 1
SIDES = ("live", "candidate")
# How many members and orders are told by name.
TOP = 20

Pair = list[int]


class Margin:
    """Tells whether points cost more than ``percent`` of a price, where a point costs ``cost`` yuan."""

    def __init__(self, percent: Decimal, cost: Decimal) -> None:
        self.percent = percent
        self.cost = cost
        # A point in hundredths of fen against a percent of a fen, both as whole numbers.
        point, share = Fraction(cost) * 100 * 100, Fraction(percent)
        unit = lcm(point.denominator, share.denominator)
        self._point, self._share = int(point * unit), int(share * unit)

    def is_passed(self, points: int, paid: int) -> bool:
        """Whether ``points`` cost more than the margin of ``paid`` fen."""
        return points * self._point > paid * self._share


@dataclass(slots=True)
class Sums:
    """Orders, what was paid for them in fen, and the points that stay."""

    orders: int = 0
    paid: int = 0
    kept: Pair = field(default_factory=lambda: [0, 0])

    def as_json(self) -> dict[str, Any]:
        return {"orders": self.orders, "paid": self.paid, **_pair(self.kept)}


@dataclass(slots=True)
class RuleSums:
    """What one rule gave before anything went back: points, in how many orders, and what caps cut off."""

    kind: str
    points: Pair = field(default_factory=lambda: [0, 0])
    orders: Pair = field(default_factory=lambda: [0, 0])
    cut: Pair = field(default_factory=lambda: [0, 0])

    def as_json(self) -> dict[str, Any]:
        return {"kind": self.kind, **_pair(self.points), "orders": _pair(self.orders), "cut": _pair(self.cut)}


@dataclass(frozen=True, slots=True)
class Seen:
    """An order as the figures see it: ``paid`` in fen; ``given`` and ``taken_back`` are what the journal has of it."""

    order_id: int
    member_id: int
    paid: int
    month: str
    tier: str
    given: int = 0
    taken_back: int = 0


class Figures:
    """Adds orders up. Memory grows with members, not with orders."""

    def __init__(self, margin: Margin) -> None:
        self.margin = margin
        self.orders = 0
        self.paid = 0
        self.earning: Pair = [0, 0]
        self.gross: Pair = [0, 0]
        self.kept: Pair = [0, 0]
        self.journal = {"given": 0, "taken_back": 0, "differing": 0}
        self.months: dict[str, Sums] = {}
        self.tiers: dict[str, Sums] = {}
        self.rules: dict[str, RuleSums] = {}
        self._live: dict[int, int] = {}
        self._candidate: dict[int, int] = {}
        self._dear: Pair = [0, 0]
        self._dearest: list[tuple[float, int, int, int, int]] = []

    def add(self, seen: Seen, live: Outcome, candidate: Outcome) -> None:
        """Add one order with what it earns on both sides."""
        self.orders += 1
        self.paid += seen.paid
        self.journal["given"] += seen.given
        self.journal["taken_back"] += seen.taken_back
        if seen.given != live.award.points or seen.given - seen.taken_back != live.kept:
            self.journal["differing"] += 1
        for side, outcome in ((LIVE, live), (CANDIDATE, candidate)):
            if points := outcome.award.points:
                self.earning[side] += 1
                self.gross[side] += points
                self.kept[side] += outcome.kept
            for line in outcome.award.lines:
                self._add_rule(line, side)
        for groups, name in ((self.months, seen.month), (self.tiers, seen.tier)):
            sums = groups.get(name)
            if sums is None:
                sums = groups[name] = Sums()
            sums.orders += 1
            sums.paid += seen.paid
            sums.kept[LIVE] += live.kept
            sums.kept[CANDIDATE] += candidate.kept
        member = seen.member_id
        self._live[member] = self._live.get(member, 0) + live.kept
        self._candidate[member] = self._candidate.get(member, 0) + candidate.kept
        self._look_at_margin(seen, live.award.points, candidate.award.points)

    def _add_rule(self, line: AwardLine, side: int) -> None:
        sums = self.rules.get(line.rule)
        if sums is None:
            sums = self.rules[line.rule] = RuleSums(line.kind)
        if line.points:
            sums.points[side] += line.points
            sums.orders[side] += 1
        sums.cut[side] += line.cut

    def _look_at_margin(self, seen: Seen, live: int, candidate: int) -> None:
        if self.margin.is_passed(live, seen.paid):
            self._dear[LIVE] += 1
        if not self.margin.is_passed(candidate, seen.paid):
            return
        self._dear[CANDIDATE] += 1
        share = candidate / seen.paid if seen.paid else float("inf")
        example = (share, candidate, -seen.order_id, seen.paid, live)
        if len(self._dearest) < TOP:
            heapq.heappush(self._dearest, example)
        else:
            heapq.heappushpop(self._dearest, example)

    def as_json(self) -> dict[str, Any]:
        """All sums. Months and rules come in their order, tiers as they were met; points are whole numbers."""
        return {
            "orders": self.orders,
            "paid": self.paid,
            "cost": str(self.margin.cost),
            "earning": _pair(self.earning),
            "gross": _pair(self.gross),
            "kept": _pair(self.kept),
            "journal": self.journal,
            "months": [{"month": month} | self.months[month].as_json() for month in sorted(self.months)],
            "tiers": [{"tier": tier} | sums.as_json() for tier, sums in self.tiers.items()],
            "rules": [{"rule": rule} | self.rules[rule].as_json() for rule in sorted(self.rules)],
            "members": self._members(),
            "margin": {
                "percent": str(self.margin.percent),
                **_pair(self._dear),
                "examples": [
                    {"order": -order, "paid": paid, "live": live, "candidate": candidate}
                    for _share, candidate, order, paid, live in sorted(self._dearest, reverse=True)
                ],
            },
        }

    def _members(self) -> dict[str, Any]:
        more = {member: self._candidate[member] - points for member, points in self._live.items()}
        gain = sum(1 for change in more.values() if change > 0)
        lose = sum(1 for change in more.values() if change < 0)
        # Of members with the same change the one who came first stands first, whatever the orders did meanwhile.
        up = heapq.nsmallest(TOP, more.items(), key=lambda item: (-item[1], item[0]))
        down = heapq.nsmallest(TOP, more.items(), key=lambda item: (item[1], item[0]))
        return {
            "all": len(more),
            "gain": gain,
            "lose": lose,
            "gainers": [self._member(member) for member, change in up if change > 0],
            "losers": [self._member(member) for member, change in down if change < 0],
        }

    def _member(self, member: int) -> dict[str, int]:
        return {"member": member, "live": self._live[member], "candidate": self._candidate[member]}


def _pair(values: Pair) -> dict[str, int]:
    return dict(zip(SIDES, values, strict=True))
