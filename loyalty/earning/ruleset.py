"""A set of rules: what a seller publishes as one version. JSON in, JSON out, and what is wrong with it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from loyalty.earning.conditions import Conditions
from loyalty.earning.fields import OptionalWhole
from loyalty.earning.kinds import KINDS, Kind, Spend, Stage
from loyalty.earning.settings import FieldProblem, InvalidFields, Settings, setting
from loyalty.earning.usage import BUDGET, MEMBER, MEMBER_DAY, RULE_DAY


@dataclass(frozen=True, slots=True)
class Caps(Settings):
    """At most how many points a rule gives; None: no limit. They cut in this order."""

    per_order: int | None = setting(OptionalWhole(gettext_lazy("For an order"), minimum=1), None)
    per_member_day: int | None = setting(OptionalWhole(gettext_lazy("For a member in a day"), minimum=1), None)
    per_member: int | None = setting(OptionalWhole(gettext_lazy("For a member in all"), minimum=1), None)
    per_rule_day: int | None = setting(OptionalWhole(gettext_lazy("For all members in a day"), minimum=1), None)
    budget: int | None = setting(
        OptionalWhole(
            gettext_lazy("Budget"), gettext_lazy("For all members, for ever; then the rule stops."), minimum=1
        ),
        None,
    )

    @property
    def counted(self) -> tuple[tuple[str, int], ...]:
        """The limits that need a counter: (scope, limit), in the order in which they cut."""
        scopes = (
            (MEMBER_DAY, self.per_member_day), (MEMBER, self.per_member), (RULE_DAY, self.per_rule_day),
            (BUDGET, self.budget),
        )  # fmt: skip
        return tuple((scope, limit) for scope, limit in scopes if limit is not None)


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. ``code`` names it in all versions; ``kind`` is its configuration; ``group`` its exclusive group."""

    code: str
    kind: Kind
    name: str = ""
    position: int = 0
    enabled: bool = True
    conditions: Conditions = field(default_factory=Conditions)
    caps: Caps = field(default_factory=Caps)
    group: str = ""

    @property
    def stage(self) -> Stage:
        """When the rule has its turn."""
        return self.kind.stage

    def as_json(self) -> dict[str, Any]:
        """The form ``from_json`` reads."""
        return {
            "code": self.code,
            "kind": self.kind.code,
            "name": self.name,
            "position": self.position,
            "enabled": self.enabled,
            "config": self.kind.as_json(),
            "conditions": self.conditions.as_json(),
            "caps": self.caps.as_json(),
            "group": self.group,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Rule":
        """Read one rule. Raises ``InvalidRules``."""
        code = str(data.get("code", ""))
        found: list[Problem] = []
        kind: Kind | None = None
        kind_class = KINDS.get(str(data.get("kind", "")))
        if kind_class is None:
            message = _("There is no kind of rule called %(kind)s.") % {"kind": data.get("kind", "")}
            found.append(Problem(code, "kind", message))
        else:
            kind = _part(kind_class, data, "config", code, found)
        conditions = _part(Conditions, data, "conditions", code, found)
        caps = _part(Caps, data, "caps", code, found)
        found += [Problem(code, name, _("There is no such field.")) for name in data if name not in _RULE_FIELDS]
        if found or kind is None or conditions is None or caps is None:
            raise InvalidRules(found)
        return cls(
            code, kind, str(data.get("name", "")), int(data.get("position", 0)), bool(data.get("enabled", True)),
            conditions, caps, str(data.get("group", "")),
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class RuleSet:
    """All rules of one version, 0 being the one built in. They have their turns by position, then by code."""

    version: int
    rules: tuple[Rule, ...] = ()

    def in_order(self) -> tuple[Rule, ...]:
        """The rules that count, in the order of their turns."""
        return tuple(sorted((rule for rule in self.rules if rule.enabled), key=lambda rule: (rule.position, rule.code)))

    def rule(self, code: str) -> Rule | None:
        """The rule with this code, if the set has one."""
        return next((rule for rule in self.rules if rule.code == code), None)

    def as_json(self) -> dict[str, Any]:
        """The form ``from_json`` reads."""
        return {"version": self.version, "rules": [rule.as_json() for rule in self.rules]}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "RuleSet":
        """Read a whole set. Raises ``InvalidRules`` naming everything that cannot be read, of all rules."""
        rules: list[Rule] = []
        found: list[Problem] = []
        for entry in data.get("rules", ()):
            try:
                rules.append(Rule.from_json(entry))
            except InvalidRules as invalid:
                found += invalid.problems
        if found:
            raise InvalidRules(found)
        return cls(int(data.get("version", 0)), tuple(rules))


class Problem(NamedTuple):
    """What is wrong with one field of one rule: "config.per", "conditions.dates", "caps.budget", "group", "code"."""

    rule: str
    field: str
    message: str


class InvalidRules(ValueError):
    """A set of rules that cannot be used; ``problems`` has every field that is to blame."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("; ".join(f"{problem.rule}, {problem.field}: {problem.message}" for problem in problems))
        self.problems = tuple(problems)


# In force until the shop publishes a set of its own: one yuan, one point.
BUILT_IN = RuleSet(0, (Rule("spend", Spend(per=100, points=1)),))

_Part = TypeVar("_Part", bound=Settings)
_RULE_FIELDS = ("code", "kind", "name", "position", "enabled", "config", "conditions", "caps", "group")


def field_problems(part: str, problems: Sequence[FieldProblem], rule: str) -> Iterator[Problem]:
    """Problems of a part of a rule as problems of the rule."""
    for problem in problems:
        yield Problem(rule, f"{part}.{problem.field}", problem.message)


def _part(part: type[_Part], data: Mapping[str, Any], name: str, rule: str, found: list[Problem]) -> _Part | None:
    value = data.get(name, {})
    if not isinstance(value, Mapping):
        found.append(Problem(rule, name, _("A value for each name belongs here.")))
        return None
    try:
        return part.from_json(value)
    except InvalidFields as invalid:
        found += field_problems(name, invalid.problems, rule)
        return None
