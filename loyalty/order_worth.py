"""What the orders of a batch are worth, under the rules of the day they were paid.

The first award of an order is frozen: the journal keeps it, line by line, and what happens to the order later is worked
out from it, whatever has become of the rules, the goods and the buyer since. Only when the order itself is another one
than it was (its amount was corrected, its lines came in), it is evaluated again: under the same set of rules, for the
buyer and the goods as they were then, and with what the order itself had taken of a cap given back first. Rules that
wait for the order's completion add to the award when that comes.

Facts that a set does not look at are not fetched. Sets that look at the amount alone cost nothing but the evaluation.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from crm.api import OrderChange, OrderChanges, OrderDetails, order_facts
from loyalty.earning.award import Award, as_trace, award_from_trace
from loyalty.earning.compiling import CompiledSet
from loyalty.earning.evaluate import complete, evaluate
from loyalty.earning.facts import MemberFacts, OrderFacts
from loyalty.earning.money import fen
from loyalty.earning.taking_back import LineMoney, kept_points, spread_refunds
from loyalty.earning.usage import Usage, UsageKey
from loyalty.known_facts import (
    buyer_as_facts,
    buyer_as_trace,
    buyer_from_trace,
    completes,
    goods_as_trace,
    mark_of,
    order_as_facts,
    to_fetch,
    with_goods_of_then,
)
from loyalty.order_plan import NOTHING_POSTED, Due, Frozen, PostedOrder, earns, paid_instant
from loyalty.rule_usage import counted_anew, day_of, load_usage, lock_members, write_usage
from loyalty.rulebook import PublishedSets, set_at, set_of

# Why a rule gave nothing, as far as the buyer can do something about it: those misses are told with the points.
_WITHIN_REACH = frozenset({"amount_short", "not_yet"})


def dues(
    changes: OrderChanges, journal: Mapping[int, PostedOrder], sets: PublishedSets, at: datetime
) -> dict[int, Due]:
    """What each order of the batch is worth now, by its id; orders that are worth nothing to anybody are left out.

    Counts what capped rules give. Where there are any, all accounts of the batch are locked afterwards, and after them
    the counters.
    """
    found: dict[int, Due] = {}
    cases: list[_Case] = []
    for change in changes.orders:
        frozen = journal.get(change.order_id, NOTHING_POSTED).frozen
        if not earns(change):
            if frozen is not None:
                found[change.order_id] = Due(frozen.version)
            continue
        rules = set_of(sets, frozen.version) if frozen else set_at(sets, paid_instant(change, at))
        if rules.needs:
            cases.append(_Case(change, rules, frozen))
        else:
            found[change.order_id] = _by_amount(change, rules, frozen, at)
    if cases:
        _look_up(cases, at)
        _evaluate([case for case in cases if not case.settled], changes, at)
        found.update((case.change.order_id, case.due()) for case in cases)
    return found


def _by_amount(change: OrderChange, rules: CompiledSet, frozen: Frozen | None, at: datetime) -> Due:
    """The short way: all that the set looks at is what was paid."""
    paid = fen(change.paid)
    if frozen is not None and frozen.paid == change.paid:
        award, changed = award_from_trace(frozen.award), False
    else:
        award = evaluate(rules, OrderFacts(change.channel_code, paid, paid_at=paid_instant(change, at)))
        changed = True
    net = kept_points(award, [LineMoney("", paid, fen(change.refunded))]) if change.refunded else award.points
    return Due(rules.version, award.points, net, _told(award), changed)


def _told(award: Award) -> dict[str, Any]:
    """The award as an entry keeps it, with what was nearly reached."""
    near = [list(miss) for miss in award.misses if miss.code in _WITHIN_REACH]
    return {"award": as_trace(award), "misses": near} if near else {"award": as_trace(award)}


@dataclass(slots=True)
class _Case:
    """An order on its way to its award, under a set that looks at more than the amount."""

    change: OrderChange
    rules: CompiledSet
    frozen: Frozen | None
    order: OrderFacts = field(default_factory=OrderFacts)
    buyer: MemberFacts = field(default_factory=MemberFacts)
    mark: str = ""
    award: Award = field(default_factory=lambda: Award(0, 0))

    def look(self, details: OrderDetails | None, at: datetime) -> None:
        """Take in what is known of the order. An award that was made from just this holds."""
        member_id = self.change.member_id or 0
        self.order = order_as_facts(self.change, details, at)
        self.mark = mark_of(self.change, self.order, completing=self.rules.on_completion)
        if self.frozen is None:
            self.buyer = buyer_as_facts(details.buyer if details else None, member_id)
            return
        self.buyer = buyer_from_trace(self.frozen.buyer, member_id)
        self.award = award_from_trace(self.frozen.award)
        self.order = with_goods_of_then(self.order, self.frozen.goods, self.award.line_keys)

    @property
    def settled(self) -> bool:
        """Whether the journal's award was made from the order as it is now."""
        return self.frozen is not None and self.frozen.mark == self.mark

    @property
    def completes(self) -> bool:
        """Whether the journal's award lacks nothing but what the order's completion adds."""
        return self.frozen is not None and completes(self.frozen.mark, self.mark)

    def evaluate(self, usage: Usage | None = None) -> Award:
        """The award of the order as it is now."""
        if self.completes:
            return complete(self.rules, self.award, self.order, self.buyer, usage)
        return evaluate(self.rules, self.order, self.buyer, usage)

    def due(self) -> Due:
        """What the order is worth, less what its returned lines had earned."""
        net = self.award.points
        if self.order.refunded:
            lines = [LineMoney(line.key, line.paid, line.refunded) for line in self.order.lines]
            whole = [LineMoney("", self.order.paid)]
            net = kept_points(self.award, spread_refunds(lines or whole, self.order.refunded))
        trace = _told(self.award) | {"mark": self.mark}
        if buyer := buyer_as_trace(self.buyer, self.rules.needs):
            trace["buyer"] = buyer
        if goods := goods_as_trace(self.order):
            trace["goods"] = goods
        return Due(self.rules.version, self.award.points, net, trace, changed=not self.settled)


def _look_up(cases: Sequence[_Case], at: datetime) -> None:
    """Fetch what the sets of these orders look at, for all orders at once."""
    needs = to_fetch(need for case in cases for need in case.rules.needs)
    details = order_facts([case.change.order_id for case in cases], needs, at) if needs else {}
    for case in cases:
        case.look(details.get(case.change.order_id), at)


def _evaluate(cases: list[_Case], changes: OrderChanges, at: datetime) -> None:
    """Evaluate one order after the other; within the batch those that were paid first have what is left of a cap."""
    if not any("usage" in case.rules.needs for case in cases):
        for case in cases:
            case.award = case.evaluate()
        return
    # The journal will lock accounts again for its postings; none of them may come after the counters of all.
    buyers = {change.member_id for change in changes.orders if change.member_id is not None}
    lock_members(buyers.union(change.member_id for change in changes.returns))
    cases.sort(key=lambda case: (paid_instant(case.change, at), case.change.external_no))
    keys = [counters(case.rules, case.buyer.member_id, paid_instant(case.change, at)) for case in cases]
    usage = load_usage(key for of_case in keys for key in of_case)
    for case, of_case in zip(cases, keys, strict=True):
        if case.completes:
            case.award = case.evaluate(usage)
        else:
            case.award = counted_anew(usage, of_case, case.award, case.evaluate)
    write_usage(usage)


def counters(rules: CompiledSet, member_id: int, paid_at: datetime) -> list[UsageKey]:
    """The counters that rules about orders look at, for an order that a member paid at an instant."""
    return [key for key in rules.usage_keys(member_id, day_of(paid_at, rules)) if key.rule in rules.about_orders]
