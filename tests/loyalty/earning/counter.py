"""The shop's counter: rules in, orders across it, points out. All amounts in yuan, as people say them."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from loyalty.earning.award import Award
from loyalty.earning.compiling import CompiledSet, compile_set
from loyalty.earning.conditions import Conditions
from loyalty.earning.evaluate import evaluate, evaluate_act
from loyalty.earning.facts import NOBODY, ActFacts, LineFacts, MemberFacts, OrderFacts
from loyalty.earning.kinds import Kind, Spend
from loyalty.earning.money import fen
from loyalty.earning.ruleset import Caps, Rule, RuleSet
from loyalty.earning.usage import Usage
from tests.cast import NOON, SHANGHAI

# 林小鹿 has bought before; her birthday is in March. 王大勇 has not, and nobody knows his.
XIAOLU = MemberFacts(member_id=7, tier="vip", tier_rank=2, tags=frozenset({"tea"}), earlier_orders=4)
DAYONG = MemberFacts(member_id=8)

A_YUAN_A_POINT = Spend(per=100, points=1)


def rule(
    code: str,
    kind: Kind,
    *,
    group: str = "",
    caps: Caps | None = None,
    **conditions: Any,
) -> Rule:
    """A rule; whatever is no group and no caps is a condition."""
    return Rule(code, kind, group=group, caps=caps or Caps(), conditions=Conditions(**conditions))


def rules(*them: Rule, version: int = 1) -> CompiledSet:
    """A set whose rules have their turns as they are written."""
    placed = tuple(replace(each, position=position) for position, each in enumerate(them, start=1))
    return compile_set(RuleSet(version, placed), SHANGHAI)


def order(paid: str = "100", *, at: datetime = NOON, **facts: Any) -> OrderFacts:
    """An order that was paid five minutes after it was placed, of which no lines are known."""
    return OrderFacts(paid=fen(Decimal(paid)), **{"placed_at": at - timedelta(minutes=5), "paid_at": at, **facts})


def line(key: str, paid: str, policy: str = "normal", **facts: Any) -> LineFacts:
    """A line of an order."""
    return LineFacts(key=key, paid=fen(Decimal(paid)), policy=policy, **facts)


def basket(*lines: LineFacts, **facts: Any) -> OrderFacts:
    """An order of these lines."""
    return order(**facts)._replace(paid=sum(each.paid for each in lines), lines=lines)


def points(compiled: CompiledSet, of: OrderFacts, member: MemberFacts = NOBODY, usage: Usage | None = None) -> int:
    """What the order earns in all."""
    return evaluate(compiled, of, member, usage).points


def by_rule(award: Award) -> dict[str, int]:
    """The points of each rule that gives any."""
    return {each.rule: each.points for each in award.lines if each.points}


def misses(award: Award) -> dict[str, str]:
    """Why each of the other rules gives nothing."""
    return {miss.rule: miss.code for miss in award.misses}


def act(kind: str, *, at: datetime = NOON, **facts: Any) -> ActFacts:
    """An act at noon of the day of the story."""
    return ActFacts(kind, at, **facts)


def points_for(compiled: CompiledSet, of: ActFacts, member: MemberFacts = XIAOLU, usage: Usage | None = None) -> int:
    """What the act earns."""
    return evaluate_act(compiled, of, member, usage).points


def table(compiled: CompiledSet, amounts: Sequence[str], member: MemberFacts = NOBODY) -> list[int]:
    """What orders of these amounts earn."""
    return [points(compiled, order(amount), member) for amount in amounts]
