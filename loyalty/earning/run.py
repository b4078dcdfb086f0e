"""One evaluation under way: asking rules, giving points, cutting them at caps, sharing them out over lines.

Lines of an order are bits of a mask here, the first line being 1.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from loyalty.earning.allocate import allocate
from loyalty.earning.award import Award, AwardLine, Miss
from loyalty.earning.compiling import CompiledRule, CompiledSet, GivingRule
from loyalty.earning.facts import LineFacts
from loyalty.earning.kinds import Gift
from loyalty.earning.situation import Situation
from loyalty.earning.usage import Usage


class Open(NamedTuple):
    """A rule that may give something: the lines it sees, how many points it may give, and which cap says so."""

    rule: CompiledRule
    mask: int
    left: int
    cap: str


class Run:
    """One evaluation. Points come in as award lines, reasons for none as misses. An act has one line of its own."""

    __slots__ = (
        "alive",
        "amounts",
        "award_lines",
        "compiled",
        "keys",
        "lines",
        "misses",
        "points",
        "situation",
        "usage",
    )

    def __init__(self, compiled: CompiledSet, situation: Situation, usage: Usage | None) -> None:
        self.compiled = compiled
        self.situation = situation
        self.usage = usage if usage is not None else Usage()
        self.award_lines: list[AwardLine] = []
        self.misses: list[Miss] = []
        self.points = 0
        self.keys: tuple[str, ...] = ("",)
        self.lines: tuple[LineFacts, ...] = (_ONE_LINE,)
        self.amounts: Sequence[int] = (0,)
        self.alive = 1

    def award(self) -> Award:
        """What all rules that were asked give together."""
        return Award(self.compiled.version, self.points, tuple(self.award_lines), tuple(self.misses), self.keys)

    def give(self, groups: Iterable[tuple[GivingRule, ...]]) -> None:
        """Give points that are not multiplied. Of an exclusive group the rule that gives most counts."""
        for group in groups:
            best: tuple[int, Gift, Open] | None = None
            for rule in group:
                opened = self.open(rule)
                if opened is None:
                    continue
                gift = rule.giving(self.situation, self.amount_of(opened.mask))
                if isinstance(gift, Miss):
                    self.misses.append(gift)
                    continue
                points = min(gift.points, opened.left)
                if best is None or points > best[0]:
                    if best is not None:
                        self.outdone(best[2].rule, rule)
                    best = points, gift, opened
                else:
                    self.outdone(rule, best[2].rule)
            if best is not None:
                _points, gift, opened = best
                self.add(opened, gift, self.amounts)

    def open(self, rule: CompiledRule, taken: int = 0) -> Open | None:
        """Ask all tests; the rule does not see the lines that are ``taken``."""
        miss = self.first_miss(rule)
        if miss is not None:
            self.misses.append(miss)
            return None
        mask = self.alive if rule.line_test is None else self.alive & self.seen(rule)
        if not mask:
            self.misses.append(rule.no_line)
            return None
        if taken:
            mask &= ~taken
            if not mask:
                self.misses.append(rule.displaced)
                return None
        if rule.amount_at_least:
            short = rule.amount_at_least - self.amount_of(mask)
            if short > 0:
                self.misses.append(Miss(rule.code, "amount_short", {"short": short}))
                return None
        if not rule.counted:
            return Open(rule, mask, rule.per_order, "order")
        left, cap = rule.left(self.usage, self.situation.member.member_id, self.situation.day)
        if left <= 0:
            self.misses.append(rule.exhausted[cap])
            return None
        return Open(rule, mask, left, cap)

    def first_miss(self, rule: CompiledRule) -> Miss | None:
        """The first of the rule's tests that is not passed."""
        situation = self.situation
        for test in rule.tests:
            miss = test(situation)
            if miss is not None:
                return miss
        return None

    def seen(self, rule: CompiledRule) -> int:
        """The lines that meet the rule's conditions on lines."""
        test = rule.line_test
        if test is None:
            return (1 << len(self.lines)) - 1
        mask, bit = 0, 1
        for line in self.lines:
            if test(line):
                mask |= bit
            bit <<= 1
        return mask

    def amount_of(self, mask: int) -> int:
        """What was paid for the lines, in fen."""
        return sum_of(self.amounts, mask)

    def outdone(self, rule: CompiledRule, by: CompiledRule) -> None:
        """Note that another rule of the exclusive group gives more."""
        self.misses.append(Miss(rule.code, "outdone", {"by": by.code}))

    def add(self, opened: Open, gift: Gift, weights: Sequence[int]) -> int:
        """Write an award line: what is left of the gift under the caps, shared out over the lines by ``weights``."""
        rule, mask, left, cap = opened
        points, base, factor, rounding = gift
        cut = points - left
        if cut > 0:
            points = left
        else:
            cut, cap = 0, ""
        by_line = shared_out(points, weights, mask) if len(self.lines) > 1 else ()
        if rule.counted:
            situation = self.situation
            rule.count(self.usage, situation.member.member_id, situation.day, points)
        self.points += points
        self.award_lines.append(AwardLine(rule.code, rule.kind, base, factor, points, cut, cap, rounding, by_line))
        return points


def sum_of(values: Sequence[int], mask: int) -> int:
    """The sum of the values whose bit is set."""
    if mask == 1:
        return values[0]
    total, index = 0, 0
    while mask:
        if mask & 1:
            total += values[index]
        mask >>= 1
        index += 1
    return total


def shared_out(points: int, weights: Sequence[int], mask: int) -> tuple[int, ...]:
    """Points shared out over the lines of the mask; the others have none."""
    chosen = [index for index in range(len(weights)) if mask >> index & 1]
    parts = [0] * len(weights)
    for index, part in zip(chosen, allocate(points, [weights[index] for index in chosen]), strict=True):
        parts[index] = part
    return tuple(parts)


_ONE_LINE = LineFacts()
