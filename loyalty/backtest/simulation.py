"""One way of paying, tried on one order after the other. Pure."""

from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple

from loyalty.backtest.running_usage import RunningUsage
from loyalty.earning.award import Award
from loyalty.earning.compiling import CompiledSet
from loyalty.earning.evaluate import evaluate
from loyalty.earning.facts import MemberFacts, OrderFacts
from loyalty.earning.taking_back import LineMoney, kept_points, spread_refunds


class Outcome(NamedTuple):
    """What an order earns, and how many of those points stay after what went back."""

    award: Award
    kept: int


class Simulation:
    """Pays orders, which must come in the order of payment: what is left of a cap goes to whoever paid first.

    ``rules_at`` says which set counts for an order paid at an instant.
    """

    def __init__(self, rules_at: Callable[[datetime], CompiledSet], usage: RunningUsage) -> None:
        self._rules_at = rules_at
        self._usage = usage

    def pay(self, order: OrderFacts, member: MemberFacts, paid_at: datetime, *, closed: bool) -> Outcome:
        """What the order earns; a ``closed`` one keeps none of it, but has used caps up."""
        rules = self._rules_at(paid_at)
        if order.lines and "lines" not in rules.needs:
            # The set was never told of lines, and returns are then reckoned by the order as a whole.
            order = order._replace(lines=())
        award = evaluate(rules, order, member, self._usage)
        return Outcome(award, 0 if closed else _kept(award, order))


def _kept(award: Award, order: OrderFacts) -> int:
    """The points that stay; as ``loyalty.order_worth`` has it, so that both come to the same figure."""
    if not order.refunded:
        return award.points
    lines = [LineMoney(line.key, line.paid, line.refunded) for line in order.lines]
    return kept_points(award, spread_refunds(lines or [LineMoney("", order.paid)], order.refunded))
