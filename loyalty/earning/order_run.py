"""The evaluation of an order: shares, base, factors, gifts.

A rule's effect never depends on how points of other rules were shared out over the lines: it is worked out from amounts
alone, so that a larger amount never earns less.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from loyalty.earning.award import Award, AwardLine
from loyalty.earning.compiling import WHOLE, BaseRule, CompiledSet, MultiplyingRule, ShareRule
from loyalty.earning.facts import MemberFacts, OrderFacts
from loyalty.earning.kinds import Gift
from loyalty.earning.money import DOWN, yuan
from loyalty.earning.reading import plain
from loyalty.earning.run import Open, Run, sum_of
from loyalty.earning.situation import Situation
from loyalty.earning.usage import Usage


class _Effect(NamedTuple):
    """What a rule adds to the lines of ``mask``: ``more`` hundredths of what they hold, at most ``left`` points."""

    mask: int
    more: int
    left: int


class OrderRun(Run):
    """The evaluation of an order.

    ``weights`` are the amounts of the lines in hundredths of fen after the shares of their policies; ``values`` are in
    proportion to what each line has earned so far, before any rounding: by them a factor's points are shared out.
    """

    __slots__ = ("bases", "effects", "frozen", "multiplied", "owners", "values", "weights")

    def __init__(self, compiled: CompiledSet, order: OrderFacts, member: MemberFacts, usage: Usage | None) -> None:
        super().__init__(
            compiled, Situation(order, member, at=order.at if compiled.clock else None, zone=compiled.zone), usage
        )
        lines = order.lines
        if lines:
            self.lines = lines
            self.keys = tuple([line.key for line in lines])
            self.amounts = [max(0, line.paid) for line in lines]
        else:
            self.amounts = (max(order.paid, 0),)
        self.alive = (1 << len(self.lines)) - 1
        self.weights = [amount * WHOLE for amount in self.amounts]
        self.values: list[int] = [0] * len(self.lines)
        self.owners: list[tuple[ShareRule, int]] = []
        self.bases: list[tuple[int, int, BaseRule]] = []
        self.effects: list[tuple[_Effect, ...]] = []
        self.frozen: Sequence[int] | None = None
        # Points of base rules and factors so far: what the next factor multiplies.
        self.multiplied = 0

    def go_on_from(self, award: Award) -> None:
        """Take an award over and complete it. Raises ``ValueError`` when it is of other lines."""
        if award.line_keys != self.keys:
            raise ValueError("the award was made for other lines than the order has")
        self.count_shares()
        completing = self.compiled.completing
        self.award_lines = list(award.lines)
        self.misses = [miss for miss in award.misses if miss.rule not in completing]
        self.points = award.points
        self.complete()

    def complete(self) -> None:
        """Ask the rules that are decided when the order completes. They start from points and know no amounts, so that
        an award that was kept since the payment is completed like one that was just made."""
        compiled = self.compiled
        if compiled.completion_factors:
            earned = [line for line in self.award_lines if line.rule in compiled.multiplied]
            self.multiplied = sum(line.points for line in earned)
            if len(self.lines) > 1:
                parts = zip(*(line.by_line for line in earned), strict=True)
                self.values = [sum(part) for part in parts] or [0] * len(self.lines)
            else:
                self.values = [self.multiplied]
            self.frozen = tuple(self.values)
            self.effects = []
            self.multiply(compiled.completion_factors)
        self.give(compiled.completion_gifts)

    def count_shares(self) -> None:
        """Let each line count as much as the first product rule that sees it says. Of a line that counts nothing, no
        other rule sees anything."""
        free = self.alive
        for rule in self.compiled.shares:
            miss = self.first_miss(rule)
            mask = 0 if miss is not None else self.seen(rule) & free
            if not mask:
                self.misses.append(miss or rule.no_line)
                continue
            free &= ~mask
            self.owners.append((rule, mask))
            self._count_shares(rule, mask)

    def _count_shares(self, rule: ShareRule, mask: int) -> None:
        parts: dict[int, int] = {}
        for index, line in enumerate(self.lines):
            bit = 1 << index
            share = rule.shares.get(line.policy, WHOLE)
            if share != WHOLE and mask & bit:
                self.weights[index] = self.amounts[index] * share
                parts[share] = parts.get(share, 0) | bit
        self.alive &= ~parts.get(0, 0)
        for share, lines in parts.items():
            nothing = (0,) * len(self.lines) if len(self.lines) > 1 else ()
            counted = AwardLine(rule.code, rule.kind, self.amount_of(lines), rule.texts[share], 0, 0, "", "", nothing)
            self.award_lines.append(counted)

    def earn(self) -> None:
        """Let base rules turn amounts into points. Of an exclusive group each line goes to the first that sees it."""
        taken: dict[str, int] = {}
        several = len(self.lines) > 1
        for rule in self.compiled.base:
            opened = self.open(rule, taken.get(rule.group, 0) if rule.group else 0)
            if opened is None:
                continue
            mask = opened.mask
            if rule.group:
                taken[rule.group] = taken.get(rule.group, 0) | mask
            amount = sum_of(self.weights, mask)
            points = rule.round(amount, rule.per) * rule.points
            self.bases.append((mask, opened.left, rule))
            if not points:
                self.misses.append(rule.short(amount))
                continue
            if several:
                for index, weight in enumerate(self.weights):
                    if mask >> index & 1:
                        self.values[index] += weight * rule.weight
            gift = Gift(points, amount // WHOLE, rule.rate, rule.rounding)
            self.multiplied += self.add(opened, gift, self.weights)

    def multiply(self, groups: Iterable[tuple[MultiplyingRule, ...]]) -> None:
        """Let factors multiply what the lines that they see have earned so far."""
        for group in groups:
            if len(group) == 1:
                opened = self.open(group[0])
                if opened is not None:
                    self._multiply(group[0], opened, group[0].factor_for(self.situation) - WHOLE)
                continue
            # The largest first; the sort keeps the order of those that are alike.
            candidates = [
                (rule.factor_for(self.situation) - WHOLE, rule, opened) for rule, opened in self._opened(group)
            ]
            candidates.sort(key=lambda candidate: -candidate[0])
            if any(rule.line_test is not None for rule in group):
                self._multiply_by_line(candidates)
            elif candidates:
                self._multiply_by_best(candidates)

    def _opened(self, group: Iterable[MultiplyingRule]) -> Iterable[tuple[MultiplyingRule, Open]]:
        for rule in group:
            opened = self.open(rule)
            if opened is not None:
                yield rule, opened

    def _multiply_by_line(self, candidates: Sequence[tuple[int, MultiplyingRule, Open]]) -> None:
        """Of an exclusive group, some of whose rules see only some lines, the largest factor counts for each line."""
        taken = 0
        for more, rule, opened in candidates:
            mask = opened.mask & ~taken
            taken |= mask
            if mask:
                self._multiply(rule, opened._replace(mask=mask), more)
            else:
                self.misses.append(rule.displaced)

    def _multiply_by_best(self, candidates: Sequence[tuple[int, MultiplyingRule, Open]]) -> None:
        """Of an exclusive group whose rules see all lines, the rule that gives most under its caps counts."""
        held = self.multiplied
        gains = [min(held * more // WHOLE, opened.left) for more, _rule, opened in candidates]
        winner = gains.index(max(gains))
        effects = tuple(_Effect(opened.mask, more, opened.left) for more, _rule, opened in candidates)
        more, rule, opened = candidates[winner]
        for index, (_more, other, _opened) in enumerate(candidates):
            if index != winner:
                self.outdone(other, rule)
        self._multiply(rule, opened, more, effects)

    def _multiply(
        self, rule: MultiplyingRule, opened: Open, more: int, effects: tuple[_Effect, ...] | None = None
    ) -> None:
        mask = opened.mask
        held = self.held(mask, len(self.effects))
        points = held * more // WHOLE
        self.effects.append(effects or (_Effect(mask, more, opened.left),))
        if not points:
            self.misses.append(rule.nothing)
            return
        factor = plain(yuan(more + WHOLE))
        self.multiplied += self.add(opened, Gift(points, held, factor, DOWN), self.values)
        if len(self.lines) > 1:
            grown = more + WHOLE
            self.values = [value * (grown if mask >> index & 1 else WHOLE) for index, value in enumerate(self.values)]

    def held(self, mask: int, effects: int) -> int:
        """What some lines would have earned by themselves after so many factors. It grows with every amount."""
        if mask == self.alive and effects == len(self.effects):
            return self.multiplied
        if not mask:
            return 0
        if not effects:
            return self._base_of(mask)
        before = self.held(mask, effects - 1)
        gain = 0
        for effect in self.effects[effects - 1]:
            seen = mask & effect.mask
            inner = before if seen == mask else self.held(seen, effects - 1)
            gain = max(gain, min(inner * effect.more // WHOLE, effect.left))
        return before + gain

    def _base_of(self, mask: int) -> int:
        if self.frozen is not None:
            return sum_of(self.frozen, mask)
        points = 0
        for seen, left, rule in self.bases:
            points += min(rule.round(sum_of(self.weights, seen & mask), rule.per) * rule.points, left)
        return points

    def give_by_piece(self) -> None:
        """Points a piece of bonus products: they come on top, whatever the line counts otherwise."""
        for rule, mask in self.owners:
            points = [
                line.quantity * rule.policy.points_a_piece(line) if mask >> index & 1 else 0
                for index, line in enumerate(self.lines)
            ]
            if not any(points):
                continue
            left, cap = rule.left(self.usage, self.situation.member.member_id, self.situation.day)
            if left <= 0:
                self.misses.append(rule.exhausted[cap])
                continue
            pieces = sum(line.quantity for line, own in zip(self.lines, points, strict=True) if own)
            self.add(Open(rule, mask, left, cap), Gift(sum(points), pieces), points)
