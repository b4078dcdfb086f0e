"""What an order or an act earns under a rule set. docs/rules.md has the order of application with worked tables."""

from loyalty.earning.award import Award
from loyalty.earning.compiling import CompiledSet
from loyalty.earning.facts import NOBODY, ActFacts, MemberFacts, OrderFacts
from loyalty.earning.order_run import OrderRun
from loyalty.earning.run import Run
from loyalty.earning.situation import Situation
from loyalty.earning.usage import Usage


def evaluate(
    compiled: CompiledSet, order: OrderFacts, member: MemberFacts = NOBODY, usage: Usage | None = None
) -> Award:
    """What the whole order earns, whatever went back since (``taking_back`` sees to that).

    Caps are read in ``usage``, and what the rules give is counted there. The same arguments give the same award.
    """
    if compiled.plain is not None and not order.lines:
        return compiled.plain(order)
    run = OrderRun(compiled, order, member, usage)
    run.count_shares()
    run.earn()
    run.multiply(compiled.factors)
    run.give_by_piece()
    run.give(compiled.gifts)
    if compiled.completing:
        run.complete()
    return run.award()


def complete(
    compiled: CompiledSet, award: Award, order: OrderFacts, member: MemberFacts = NOBODY, usage: Usage | None = None
) -> Award:
    """Add to the award of an order what those rules give that are decided only when it completes.

    Before that the award says that they wait; an award that has their lines already stays as it is.

    Raises ``ValueError`` when the award was made for other lines than the order has.
    """
    if any(line.rule in compiled.completing for line in award.lines):
        return award
    run = OrderRun(compiled, order, member, usage)
    run.go_on_from(award)
    return run.award()


def evaluate_act(
    compiled: CompiledSet, act: ActFacts, member: MemberFacts = NOBODY, usage: Usage | None = None
) -> Award:
    """What an act earns. Nothing at all for a kind of act that no rule rewards."""
    run = Run(compiled, Situation(_NO_ORDER, member, at=act.at, zone=compiled.zone, act=act), usage)
    run.give(compiled.acts.get(act.kind, ()))
    return run.award()


_NO_ORDER = OrderFacts()
