"""A rule set made ready for thousands of orders: tests are closures, amounts whole numbers, misses made beforehand."""

from collections.abc import Callable, Iterable
from datetime import date, tzinfo
from math import lcm
from typing import TypeVar

from loyalty.earning.award import Award, AwardLine, Miss
from loyalty.earning.facts import OrderFacts
from loyalty.earning.kinds import Base, ProductPolicy, Spend, Stage
from loyalty.earning.money import DOWN, HALF_UP, ROUNDINGS, whole_up, yuan
from loyalty.earning.reading import plain
from loyalty.earning.ruleset import Caps, Rule, RuleSet
from loyalty.earning.situation import Situation
from loyalty.earning.usage import MEMBER, MEMBER_DAY, RULE_DAY, Usage, UsageKey

ORDER = "order"
R = TypeVar("R", bound="CompiledRule")
# More than any rule can give.
NO_LIMIT = 1 << 62
# Shares and factors have two places.
WHOLE = 100


class CompiledRule:
    """What every rule has, whatever its stage: tests, the lines it sees, its limits, and its usual misses."""

    __slots__ = (
        "amount_at_least", "code", "counted", "displaced", "exhausted", "group", "kind", "line_test", "no_line",
        "nothing", "per_order", "tests",
    )  # fmt: skip

    def __init__(self, rule: Rule) -> None:
        self.code = rule.code
        self.kind = rule.kind.code
        self.tests = rule.conditions.tests(rule.code) + rule.kind.tests(rule.code)
        self.line_test = rule.conditions.line_test()
        self.amount_at_least = rule.conditions.amount_at_least
        self.group = rule.group
        self.per_order = NO_LIMIT if rule.caps.per_order is None else rule.caps.per_order
        self.counted = rule.caps.counted
        self.no_line = Miss(rule.code, "no_line", {})
        self.displaced = Miss(rule.code, "displaced", {"group": rule.group})
        self.nothing = Miss(rule.code, "nothing_to_multiply", {})
        self.exhausted = {
            scope: Miss(rule.code, "cap_reached", {"cap": scope, "limit": limit}) for scope, limit in self.counted
        }

    def left(self, usage: Usage, member_id: int, day: date | None) -> tuple[int, str]:
        """How many points the rule may still give here, and which cap says so."""
        left, cap = self.per_order, ORDER
        for scope, limit in self.counted:
            remaining = limit - usage.given(usage_key(self.code, scope, member_id, day))
            if remaining < left:
                left, cap = remaining, scope
        return left, cap

    def count(self, usage: Usage, member_id: int, day: date | None, points: int) -> None:
        """Note what the rule gave, with every cap that asks for it."""
        for scope, _limit in self.counted:
            usage.take(usage_key(self.code, scope, member_id, day), points)


class ShareRule(CompiledRule):
    """A product rule: how much of each line counts, and points a piece."""

    __slots__ = ("policy", "shares", "texts")

    def __init__(self, rule: Rule, policy: ProductPolicy) -> None:
        super().__init__(rule)
        self.policy = policy
        self.shares = policy.shares_by_policy()
        self.texts = {share: plain(yuan(share)) for share in self.shares.values()}


class BaseRule(CompiledRule):
    """A rule that turns money into points. ``per`` is in hundredths of fen, as the shares of lines are."""

    __slots__ = ("first", "per", "points", "rate", "round", "rounding", "weight")

    def __init__(self, rule: Rule, base: Base) -> None:
        super().__init__(rule)
        self.per = base.per * WHOLE
        self.points = base.points
        self.rounding = base.rounding
        self.round = ROUNDINGS[base.rounding]
        self.rate = f"{base.points}/{plain(yuan(base.per))}"
        # From how much on there is anything at all.
        self.first = {DOWN: self.per, HALF_UP: whole_up(self.per, 2)}.get(base.rounding, 1)
        # What a hundredth of a fen is worth, in units that all base rules of the set share; compile_set fills it in.
        self.weight = 0

    def short(self, amount: int) -> Miss:
        """The miss of an amount (hundredths of fen) that is too small for the first step."""
        return Miss(self.code, "amount_short", {"short": whole_up(self.first - amount, WHOLE)})


class MultiplyingRule(CompiledRule):
    """A rule that multiplies what the base rules give."""

    __slots__ = ("factor_for",)

    def __init__(self, rule: Rule) -> None:
        super().__init__(rule)
        self.factor_for: Callable[[Situation], int] = rule.kind.factor_for


class GivingRule(CompiledRule):
    """A rule that gives points once: for an order or an act."""

    __slots__ = ("giving",)

    def __init__(self, rule: Rule) -> None:
        super().__init__(rule)
        self.giving = rule.kind.giving(rule.code)


class CompiledSet:
    """A rule set, ready to be evaluated in one time zone. It never changes, and can be kept as long as its version.

    ``about_orders`` are the codes of the rules about orders. ``needs`` says which facts have to be fetched for those at
    all: "lines" and "products" (what was bought), "tier", "tags", "birthday", "profile", "earlier_orders" (of the
    member), "payment_kind", "times" (when the order was placed, paid, shipped, completed), "usage" (counters of caps).
    A set of plain spend rules needs none of them.
    """

    __slots__ = (
        "about_orders", "acts", "base", "capped", "clock", "completing", "completion_factors", "completion_gifts",
        "factors", "gifts", "multiplied", "needs", "plain", "shares", "source", "version", "zone",
    )  # fmt: skip

    def __init__(self, source: RuleSet, zone: tzinfo) -> None:
        rules = source.in_order()
        self.source = source
        self.version = source.version
        self.zone = zone
        about_orders = [rule for rule in rules if not rule.kind.act]
        self.about_orders = frozenset(rule.code for rule in about_orders)
        self.needs = _needs(about_orders)
        self.capped: tuple[tuple[str, Caps], ...] = tuple((rule.code, rule.caps) for rule in rules if rule.caps.counted)
        # Whether the instant has to be brought into the zone at all, which costs as much as a rule.
        self.clock = bool(self.capped) or not self.needs.isdisjoint({"times", "birthday"})
        self.shares = [ShareRule(rule, rule.kind) for rule in rules if isinstance(rule.kind, ProductPolicy)]
        self.base = [BaseRule(rule, rule.kind) for rule in rules if isinstance(rule.kind, Base)]
        self.factors = _grouped(MultiplyingRule(rule) for rule in rules if rule.stage is Stage.FACTOR)
        self.gifts = _grouped(GivingRule(rule) for rule in rules if rule.stage is Stage.GIFT)
        at_completion = [rule for rule in rules if rule.stage is Stage.COMPLETION]
        self.completing = frozenset(rule.code for rule in at_completion)
        self.completion_factors = _grouped(MultiplyingRule(rule) for rule in at_completion if rule.kind.multiplies)
        self.completion_gifts = _grouped(GivingRule(rule) for rule in at_completion if not rule.kind.multiplies)
        self.acts = {
            act: _grouped(GivingRule(rule) for rule in rules if rule.kind.act == act)
            for act in {rule.kind.act for rule in rules if rule.kind.act}
        }
        self.multiplied = frozenset(rule.code for rule in rules if rule.stage in (Stage.BASE, Stage.FACTOR))
        self.plain = _plain(self.version, rules)
        unit = lcm(*(rule.per for rule in self.base))
        for rule in self.base:
            rule.weight = rule.points * (unit // rule.per)

    @property
    def on_completion(self) -> bool:
        """Whether some rule is decided only when the order completes."""
        return bool(self.completing)

    def usage_keys(self, member_id: int, day: date | None) -> list[UsageKey]:
        """The counters that rules look at for a member on a day (of the zone), in a fixed order."""
        return [usage_key(code, scope, member_id, day) for code, caps in self.capped for scope, _limit in caps.counted]

    def base_for(self, amount: int) -> int:
        """What the plain spend rules give for an amount (fen) of which nothing else is known: no factors, no gifts."""
        if amount <= 0:
            return 0
        points, groups = 0, set()
        for rule in self.base:
            if rule.kind != Spend.code or rule.tests or rule.line_test or rule.amount_at_least or rule.group in groups:
                continue
            points += rule.round(amount * WHOLE, rule.per) * rule.points
            groups |= {rule.group} - {""}
        return points


def compile_set(ruleset: RuleSet, zone: tzinfo) -> CompiledSet:
    """Make a rule set ready. Days and times of day are those of ``zone``."""
    return CompiledSet(ruleset, zone)


def usage_key(code: str, scope: str, member_id: int, day: date | None) -> UsageKey:
    """The counter of one of a rule's caps."""
    return UsageKey(
        code,
        scope,
        member_id if scope in (MEMBER, MEMBER_DAY) else 0,
        day if scope in (MEMBER_DAY, RULE_DAY) else None,
    )


def _needs(rules: Iterable[Rule]) -> frozenset[str]:
    needs: set[str] = set()
    for rule in rules:
        needs |= rule.kind.needs | rule.conditions.needs
        if rule.caps.counted:
            needs.add("usage")
    if "products" in needs:
        needs.add("lines")
    return frozenset(needs)


def _grouped(rules: Iterable[R]) -> tuple[tuple[R, ...], ...]:
    """Rules that share an exclusive group together, the others one by one; in the order of their first ones."""
    groups: dict[str, list[R]] = {}
    for rule in rules:
        groups.setdefault(rule.group or f"rule:{rule.code}", []).append(rule)
    return tuple(tuple(group) for group in groups.values())


def _plain(version: int, rules: tuple[Rule, ...]) -> Callable[[OrderFacts], Award] | None:
    """The shortest way for a set whose only rule about orders is a spend rule without conditions and caps."""
    orders = [rule for rule in rules if not rule.kind.act]
    if len(orders) != 1 or not isinstance(orders[0].kind, Spend):
        return None
    [only] = orders
    if only.conditions.given() or only.caps != Caps():
        return None
    rule = BaseRule(only, orders[0].kind)
    code, kind, per, points, rounding, rate = rule.code, rule.kind, rule.per, rule.points, rule.rounding, rule.rate
    whole_steps = rule.round

    def award(order: OrderFacts) -> Award:
        paid = max(order.paid, 0)
        earned = whole_steps(paid * WHOLE, per) * points
        if not earned:
            return Award(version, 0, (), (rule.short(paid * WHOLE),))
        return Award(version, earned, (AwardLine(code, kind, paid, rate, earned, 0, "", rounding),))

    return award
