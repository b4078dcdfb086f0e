"""What is wrong with a rule set, before it is published: each field by itself, a rule as a whole, rules together.

Besides plain mistakes this refuses what would let a larger order earn less.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import combinations

from django.utils.translation import gettext as _

from loyalty.earning.calendar import Window, overlap
from loyalty.earning.conditions import ON_LINES, ORDER_ONLY
from loyalty.earning.kinds import Festival, Stage
from loyalty.earning.ruleset import Problem, Rule, RuleSet, field_problems

_CODE = re.compile(r"[a-z0-9][a-z0-9_-]{0,49}")
NOTHING_PAID: Mapping[str, int] = {}


def problems(ruleset: RuleSet, paid: Mapping[str, int] = NOTHING_PAID) -> list[Problem]:
    """Everything that keeps a set from being published, in the order of its rules; empty when it may be.

    ``paid`` says how many points each rule (by its code) has given already under a budget.
    """
    found = [problem for rule in ruleset.rules for problem in _of_one(rule, paid.get(rule.code, 0))]
    found += _codes(ruleset.rules)
    if not found:  # Rules are compared only where each makes sense by itself.
        found += [problem for group in _groups(ruleset) for check in _TOGETHER for problem in check(group)]
    return found


def _of_one(rule: Rule, paid: int) -> Iterator[Problem]:
    code = rule.code
    parts = (("config", rule.kind), ("conditions", rule.conditions), ("caps", rule.caps))
    for name, part in parts:
        yield from field_problems(name, part.problems(), code)
    if rule.caps.budget is not None and rule.caps.budget < paid:
        message = _("The rule has given %(paid)s points already; the budget cannot be below that.")
        yield Problem(code, "caps.budget", message % {"paid": paid})
    for name in rule.conditions.given():
        message = _unfit_condition(rule, name)
        if message:
            yield Problem(code, f"conditions.{name}", message)
    if rule.group and rule.stage is Stage.SHARE:
        yield Problem(code, "group", _("Of product rules the first that sees a product counts; they need no group."))


def _unfit_condition(rule: Rule, name: str) -> str:
    """Why a rule of this kind cannot have the condition; empty when it can."""
    if rule.stage is Stage.ACT and name in ORDER_ONLY:
        return _("This rule is not about orders, so nothing is bought that could meet the condition.")
    if rule.stage is Stage.SHARE and name == "amount_at_least":
        return _("A product cannot count less because an order grows.")
    if rule.stage is Stage.COMPLETION and rule.kind.multiplies and name in ON_LINES:
        return _("When the order completes it is multiplied as a whole; give points instead, or drop the condition.")
    return ""


def _codes(rules: Sequence[Rule]) -> Iterator[Problem]:
    known: set[str] = set()
    for rule in rules:
        if not _CODE.fullmatch(rule.code):
            message = _("A code has up to 50 small letters, digits, hyphens and underscores, such as double-11.")
            yield Problem(rule.code, "code", message)
        elif rule.code in known:
            yield Problem(rule.code, "code", _("Another rule of this set has the same code."))
        known.add(rule.code)


def _groups(ruleset: RuleSet) -> list[list[Rule]]:
    groups: dict[str, list[Rule]] = {}
    for rule in ruleset.in_order():
        if rule.group:
            groups.setdefault(rule.group, []).append(rule)
    return list(groups.values())


def _one_stage(group: Sequence[Rule]) -> Iterator[Problem]:
    first = group[0]
    for rule in group[1:]:
        if (rule.stage, rule.kind.multiplies, rule.kind.act) != (first.stage, first.kind.multiplies, first.kind.act):
            message = _(
                "This rule and %(other)s cannot stand in one group: only rules that earn in the same way exclude each "
                "other."
            )
            yield Problem(rule.code, "group", message % {"other": _called(first)})


def _windows_apart(group: Sequence[Rule]) -> Iterator[Problem]:
    windows = [(rule, *window) for rule in group if (window := _window(rule)) is not None]
    for (one, _field, first), (other, field, second) in combinations(windows, 2):
        day = None if one.conditions.excludes(other.conditions) else overlap(first, second)
        if day is not None:
            message = _("On %(day)s these days overlap with those of %(other)s, and of a group only one rule counts.")
            facts = {"day": day.isoformat(), "other": _called(one)}
            yield Problem(other.code, field, message % facts)


def _never_displaced_by_growth(group: Sequence[Rule]) -> Iterator[Problem]:
    """An amount that is reached must not take lines from a rule that pays more for them."""
    stage = group[0].stage
    by_line = any(name in ON_LINES for rule in group for name in rule.conditions.given())
    for index, rule in enumerate(group):
        others = group[index + 1 :] if stage is Stage.BASE else [other for other in group if other is not rule]
        careful = stage is Stage.BASE or (rule.kind.multiplies and by_line)
        rivals = [other for other in others if not rule.conditions.excludes(other.conditions)]
        if rule.conditions.amount_at_least and careful and rivals:
            message = _(
                "An order that grows over this amount would lose what %(other)s gives. Take the rule out of the group, "
                "or put it last if it is a base rule."
            )
            yield Problem(rule.code, "conditions.amount_at_least", message % {"other": _called(rivals[0])})


_TOGETHER: tuple[Callable[[Sequence[Rule]], Iterator[Problem]], ...] = (
    _one_stage, _windows_apart, _never_displaced_by_growth,
)  # fmt: skip


def _window(rule: Rule) -> tuple[str, Window] | None:
    if isinstance(rule.kind, Festival):
        return "config.window", rule.kind.window
    if rule.conditions.dates is not None:
        return "conditions.dates", rule.conditions.dates
    return None


def _called(rule: Rule) -> str:
    return rule.name or rule.code
