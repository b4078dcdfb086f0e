"""What holds for every set and every order, tried on thousands that nobody thought of."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from loyalty.earning.award import as_trace, award_from_trace
from loyalty.earning.calendar import DateWindow
from loyalty.earning.checking import problems
from loyalty.earning.compiling import compile_set
from loyalty.earning.conditions import Conditions
from loyalty.earning.evaluate import complete, evaluate
from loyalty.earning.facts import POLICIES, LineFacts, MemberFacts, OrderFacts
from loyalty.earning.kinds import (
    EarlyConfirmation,
    EarlyPayment,
    Festival,
    FirstOrder,
    Kind,
    PaymentKind,
    ProductPolicy,
    Spend,
    Steps,
    TierMultiplier,
)
from loyalty.earning.ruleset import Caps, Rule, RuleSet
from loyalty.earning.taking_back import LineMoney, kept_points, spread_refunds
from loyalty.earning.usage import Usage
from tests.cast import NOON, SHANGHAI

TODAY = DateWindow(NOON.date(), NOON.date())
TOMORROW = DateWindow(NOON.date() + timedelta(days=1), NOON.date() + timedelta(days=1))

gifts = st.integers(1, 300)
factors = st.integers(101, 500).map(lambda hundredths: Decimal(hundredths) / 100)
rewards = gifts.map(lambda points: {"points": points}) | factors.map(lambda factor: {"factor": factor})
rates = st.fixed_dictionaries(
    {
        "per": st.sampled_from([1, 50, 100, 200, 333, 1000, 10000]),
        "points": st.integers(1, 12),
        "rounding": st.sampled_from(["down", "half_up", "up"]),
    }
)
steps = st.dictionaries(st.integers(1, 30000), gifts, min_size=1, max_size=4).map(
    lambda found: tuple(zip(sorted(found), sorted(found.values()), strict=True))
)
shares = st.dictionaries(st.sampled_from(POLICIES), st.integers(0, 150), min_size=1).map(
    lambda found: tuple((policy, Decimal(share) / 100) for policy, share in found.items())
)


def kind(of: Callable[..., Kind], **settings: Any) -> Callable[[dict[str, Any]], Kind]:
    return lambda reward: of(**settings, **reward)


kinds = st.one_of(
    rates.map(kind(Spend)),
    rates.map(kind(PaymentKind, kinds=("gift_card",))),
    st.builds(ProductPolicy, shares=shares, bonus_points=st.integers(0, 30)),
    rewards.map(kind(Festival, window=TODAY)),
    rewards.map(kind(Festival, window=TOMORROW)),
    rewards.map(kind(EarlyPayment, minutes=30)),
    rewards.map(kind(EarlyConfirmation, days=3)),
    rewards.map(kind(FirstOrder)),
    factors.map(lambda factor: TierMultiplier(factors=(("vip", factor),))),
    steps.map(lambda found: Steps(steps=found)),
)
limits = st.none() | st.none() | st.integers(1, 500)
caps = st.builds(Caps, limits, limits, limits, limits, limits)


def some(*values: str) -> st.SearchStrategy[tuple[str, ...]]:
    return st.just(()) | st.just(()) | st.lists(st.sampled_from(values), min_size=1, unique=True).map(tuple)


conditions = st.builds(
    Conditions,
    tiers=some("vip", "base"),
    categories=some("tea", "cups", ""),
    product_policies=some(*POLICIES),
    payment_kinds=some("gift_card", "cash"),
    amount_at_least=st.just(0) | st.just(0) | st.integers(1, 20000),
)


def publishable(found: list[tuple[Kind, Conditions, Caps, str]]) -> RuleSet:
    """A set of these rules that may be published: what would make trouble together goes without a group."""
    rules: list[Rule] = []
    for number, (each, condition, cap, group) in enumerate(found):
        rule = Rule(f"rule-{number}", each, position=number, conditions=condition, caps=cap, group=group)
        for attempt in (rule, replace(rule, group=""), replace(rule, group="", conditions=Conditions())):
            if not problems(RuleSet(1, (*rules, attempt))):
                rules.append(attempt)
                break
    return RuleSet(1, tuple(rules))


groups = st.sampled_from(["", "", "one", "two"])
some_base = st.lists(st.tuples(rates.map(kind(Spend)), conditions, caps, groups), min_size=1, max_size=3)
some_more = st.lists(st.tuples(kinds, conditions, caps, groups), max_size=7)
rulesets = st.builds(lambda base, more: publishable(base + more), some_base, some_more)
lines = st.builds(
    LineFacts,
    policy=st.sampled_from(POLICIES),
    category=st.sampled_from(["tea", "cups", ""]),
    quantity=st.integers(1, 5),
    paid=st.integers(0, 30000),
    bonus_points=st.integers(0, 9),
)


def ordered(found: list[LineFacts], payment: str, done: bool) -> OrderFacts:
    return OrderFacts(
        paid=sum(line.paid for line in found),
        payment_kind=payment,
        placed_at=NOON,
        paid_at=NOON,
        shipped_at=NOON,
        completed_at=NOON if done else None,
        lines=tuple(line._replace(key=str(number)) for number, line in enumerate(found)),
    )


orders = st.builds(
    ordered, st.lists(lines, min_size=1, max_size=5), st.sampled_from(["cash", "gift_card"]), st.booleans()
)
members = st.builds(
    MemberFacts, member_id=st.just(7), tier=st.sampled_from(["vip", "base"]), earlier_orders=st.integers(0, 1)
)


@settings(deadline=None)
@given(rulesets, orders, members)
def test_the_points_of_the_lines_sum_to_the_award(ruleset: RuleSet, order: OrderFacts, member: MemberFacts) -> None:
    award = evaluate(compile_set(ruleset, SHANGHAI), order, member)

    assert sum(award.points_by_line.values()) == sum(line.points for line in award.lines) == award.points
    assert all(points >= 0 for line in award.lines for points in (line.points, line.cut, *line.by_line))
    if len(order.lines) > 1:
        assert all(sum(line.by_line) == line.points for line in award.lines)


@settings(deadline=None)
@given(rulesets, orders, members, st.data())
def test_a_larger_amount_never_earns_less(
    ruleset: RuleSet, order: OrderFacts, member: MemberFacts, data: st.DataObject
) -> None:
    compiled = compile_set(ruleset, SHANGHAI)
    given_before = {key: data.draw(st.integers(0, 500)) for key in compiled.usage_keys(member.member_id, NOON.date())}
    more = [data.draw(st.integers(0, 3000)) for _ in order.lines]
    larger = order._replace(
        paid=order.paid + sum(more),
        lines=tuple(line._replace(paid=line.paid + extra) for line, extra in zip(order.lines, more, strict=True)),
    )

    before = evaluate(compiled, order, member, Usage(given_before))
    after = evaluate(compiled, larger, member, Usage(given_before))

    assert after.points >= before.points


@settings(deadline=None)
@given(rulesets, orders, members, st.integers(1, 4))
def test_no_cap_is_ever_exceeded(ruleset: RuleSet, order: OrderFacts, member: MemberFacts, times: int) -> None:
    compiled = compile_set(ruleset, SHANGHAI)
    usage = Usage()
    awards = [
        evaluate(compiled, order, member._replace(member_id=buyer), usage) for buyer in (1, 2) for _ in range(times)
    ]

    for rule in ruleset.rules:
        of_an_order = [sum(line.points for line in award.lines if line.rule == rule.code) for award in awards]
        of_a_member = max(sum(of_an_order[:times]), sum(of_an_order[times:]))
        limits_and_points = (
            (rule.caps.per_order, max(of_an_order)), (rule.caps.per_member, of_a_member),
            (rule.caps.per_member_day, of_a_member), (rule.caps.per_rule_day, sum(of_an_order)),
            (rule.caps.budget, sum(of_an_order)),
        )  # fmt: skip
        assert all(limit is None or points <= limit for limit, points in limits_and_points)
        for key, points in usage.taken.items():
            assert key.rule != rule.code or key.scope != "budget" or points == sum(of_an_order)


@settings(deadline=None)
@given(rulesets, orders, members, st.data())
def test_refunding_everything_in_any_pieces_leaves_nothing_and_no_piece_gives_points_back(
    ruleset: RuleSet, order: OrderFacts, member: MemberFacts, data: st.DataObject
) -> None:
    assume(order.paid)
    award = evaluate(compile_set(ruleset, SHANGHAI), order, member)
    money = [LineMoney(line.key, line.paid) for line in order.lines]
    kept = [kept_points(award, money)]
    for index in data.draw(st.permutations(range(len(money)))):
        first = data.draw(st.integers(0, money[index].paid))
        for refunded in (first, money[index].paid):
            money[index] = money[index]._replace(refunded=refunded)
            kept.append(kept_points(award, money))

    assert kept[0] == award.points
    assert kept == sorted(kept, reverse=True)
    assert kept[-1] == 0


@settings(deadline=None)
@given(orders, st.integers(0, 200_000))
def test_refunds_that_name_no_line_are_spread_without_a_fen_lost(order: OrderFacts, refunded: int) -> None:
    spread = spread_refunds([LineMoney(line.key, line.paid) for line in order.lines], refunded)

    assert sum(line.refunded for line in spread) == min(refunded, order.paid)
    assert all(0 <= line.refunded <= line.paid for line in spread)


@settings(deadline=None)
@given(rulesets, orders, members)
def test_an_award_comes_back_from_its_trace(ruleset: RuleSet, order: OrderFacts, member: MemberFacts) -> None:
    award = evaluate(compile_set(ruleset, SHANGHAI), order, member)

    assert award_from_trace(as_trace(award)) == award._replace(misses=())


@settings(deadline=None)
@given(rulesets, orders, members)
def test_an_order_completed_later_ends_with_the_same_award(
    ruleset: RuleSet, order: OrderFacts, member: MemberFacts
) -> None:
    compiled = compile_set(ruleset, SHANGHAI)
    done = order._replace(completed_at=NOON)

    frozen = award_from_trace(as_trace(evaluate(compiled, done._replace(completed_at=None), member, Usage())))
    later = complete(compiled, frozen, done, member, Usage())

    assert later.lines == evaluate(compiled, done, member, Usage()).lines


@settings(deadline=None)
@given(rulesets)
def test_a_set_comes_back_from_json(ruleset: RuleSet) -> None:
    assert RuleSet.from_json(ruleset.as_json()) == ruleset


@settings(deadline=None)
@given(rulesets, orders, members)
def test_the_same_facts_give_the_same_award(ruleset: RuleSet, order: OrderFacts, member: MemberFacts) -> None:
    compiled = compile_set(ruleset, SHANGHAI)

    assert evaluate(compiled, order, member, Usage()) == evaluate(compiled, order, member, Usage())
