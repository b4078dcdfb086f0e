"""Two sets of rules side by side, each rule in words, with what is different marked."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from django.utils.translation import gettext as _

from loyalty.admin.rules.sentences import in_words
from loyalty.admin.rules.vocabulary import Vocabulary
from loyalty.earning.ruleset import Rule, RuleSet
from loyalty.rulebook import Difference, compare


class Change(StrEnum):
    """What became of a rule."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"
    SAME = "same"


@dataclass(frozen=True, slots=True)
class Side:
    """What one of the sets says: a line and whether the other set does not say it."""

    lines: list[tuple[str, bool]]


@dataclass(frozen=True, slots=True)
class Pair:
    """One rule in both sets."""

    name: str
    change: Change
    before: Side
    after: Side


@dataclass(frozen=True, slots=True)
class Comparison:
    """All rules of two sets, in the order of the later one; ``reordered``: those in both have other turns."""

    pairs: list[Pair]
    reordered: bool

    @property
    def different(self) -> list[Pair]:
        """The rules that are not the same in both."""
        return [pair for pair in self.pairs if pair.change is not Change.SAME]

    @property
    def same(self) -> list[Pair]:
        """The rules that are the same in both."""
        return [pair for pair in self.pairs if pair.change is Change.SAME]


def side_by_side(before: RuleSet, after: RuleSet, vocabulary: Vocabulary, today: date) -> Comparison:
    """Compare two sets, rule by rule."""
    differences = [each for each in compare(before, after) if each.field != "position"]
    old, new = ({rule.code: rule for rule in _ordered(each)} for each in (before, after))
    both = [code for code in new if code in old]
    pairs = [
        _pair(old.get(code), new.get(code), [each for each in differences if each.rule == code], vocabulary, today)
        for code in [*new, *(code for code in old if code not in new)]
    ]
    return Comparison(pairs, reordered=both != [code for code in old if code in new])


def _pair(
    before: Rule | None, after: Rule | None, differences: Sequence[Difference], vocabulary: Vocabulary, today: date
) -> Pair:
    one = list(_lines(before, vocabulary, today)) if before else []
    other = list(_lines(after, vocabulary, today)) if after else []
    old, new = (_called(rule) for rule in (before, after))
    if before and after and old != new:
        one, other = [old, *one], [new, *other]
    if before is None or after is None:
        change = Change.REMOVED if after is None else Change.ADDED
    else:
        change = Change.CHANGED if differences else Change.SAME
        if differences and one == other:
            # What no sentence tells is shown as it is kept.
            one += [f"{each.field}: {each.before}" for each in differences]
            other += [f"{each.field}: {each.after}" for each in differences]
    return Pair(
        new or old,
        change,
        Side([(line, line not in other) for line in one]),
        Side([(line, line not in one) for line in other]),
    )


def _called(rule: Rule | None) -> str:
    return (rule.name or str(rule.kind.label)) if rule else ""


def _lines(rule: Rule, vocabulary: Vocabulary, today: date) -> Iterator[str]:
    words = in_words(rule, vocabulary, today)
    if not rule.enabled:
        yield _("Switched off.")
    yield words.gives
    yield from words.conditions
    yield from words.caps
    if rule.group:
        yield _("Exclusive group: %(group)s.") % {"group": rule.group}


def _ordered(rules: RuleSet) -> list[Rule]:
    return sorted(rules.rules, key=lambda rule: (rule.position, rule.code))
