"""The book of rules: published sets, which are frozen, which of them counts when, and how the next one comes about.

A draft is made from a published set, edited, and published as the next version. What is published stays as it is: the
database refuses to change it (``loyalty.models.guards``), and what it gave is kept with the entries. Going back to an
earlier version publishes a copy of it.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from django.db import connection, transaction
from django.db.models import Max, Sum
from django.utils.translation import gettext as _

from loyalty.choices import RuleSetState
from loyalty.earning.checking import problems
from loyalty.earning.compiling import CompiledSet, compile_set
from loyalty.earning.ruleset import BUILT_IN, InvalidRules, Problem, RuleSet
from loyalty.models import EarnRule, RuleUsage
from loyalty.models import RuleSet as RuleSetRow
from loyalty.validity import programme_zone

_PUBLISHING = 0x70_6B_72_62  # "pkrb", among the advisory locks of the database: versions are counted one by one.
_RULE_FIELDS = ("code", "kind", "name", "enabled", "position", "config", "conditions", "caps", "group")


@dataclass(frozen=True, slots=True)
class PublishedSet:
    """A set that counts from ``effective_from`` on. ``content`` is a hash of its rules, ``zone`` is where their days
    begin. The one built in has the version and the id 0."""

    id: int
    version: int
    effective_from: datetime
    content: str
    zone: ZoneInfo

    @property
    def rules(self) -> CompiledSet:
        """The rules, ready to evaluate; made once in the life of the process."""
        return _compiled(self.id, self.content, self.zone)


# The latest first; the one that is built in comes last and counts since ever.
PublishedSets = tuple[PublishedSet, ...]


def published_sets() -> PublishedSets:
    """All published sets, with one small query."""
    zone = programme_zone()
    rows = RuleSetRow.objects.order_by("-effective_from", "-version").values_list(
        "id", "version", "effective_from", "content"
    )
    return (
        *(
            PublishedSet(set_id, version, since, content, zone)
            for set_id, version, since, content in rows
            if version is not None and since is not None  # A draft has neither.
        ),
        PublishedSet(0, BUILT_IN.version, datetime.min.replace(tzinfo=UTC), "", zone),
    )


def set_at(sets: PublishedSets, at: datetime) -> CompiledSet:
    """The rules in force at an instant; of two sets that begin together those of the later version."""
    return next(published.rules for published in sets if published.effective_from <= at)


def set_of(sets: PublishedSets, version: int) -> CompiledSet:
    """The rules of one version. Raises LookupError when there is none."""
    for published in sets:
        if published.version == version:
            return published.rules
    raise LookupError(f"no set of rules has the version {version}")


def rules_of(set_id: int) -> RuleSet:
    """The rules of a set of the database, a draft or a published one; those that are built in for 0."""
    if not set_id:
        return BUILT_IN
    version = RuleSetRow.objects.values_list("version", flat=True).get(pk=set_id)
    return RuleSet.from_json({"version": version or 0, "rules": rows_of(set_id)})


def rows_of(set_id: int) -> list[dict[str, Any]]:
    """The rows of a set as ``loyalty.earning`` reads them, in their order."""
    return list(EarnRule.objects.filter(rule_set=set_id).order_by("position", "id").values(*_RULE_FIELDS))


def rule_names(versions: Iterable[int]) -> dict[int, dict[str, str]]:
    """What the shop calls the rules of these versions, by version and code. One query; none for the set built in,
    whose rule has no name."""
    names: dict[int, dict[str, str]] = {}
    if published := [version for version in versions if version]:
        rows = EarnRule.objects.filter(rule_set__version__in=published).exclude(name="")
        for version, code, name in rows.order_by().values_list("rule_set__version", "code", "name"):
            names.setdefault(version or 0, {})[code] = name
    return names


def names_in(sets: PublishedSets, versions: Iterable[int]) -> dict[int, dict[str, str]]:
    """What ``rule_names`` finds, of sets that are known. No query; of a version that is not among them no name."""
    return {
        published.version: {rule.code: rule.name for rule in published.rules.source.rules if rule.name}
        for published in sets
        if published.version in set(versions)
    }


@lru_cache(maxsize=128)
def _compiled(set_id: int, content: str, zone: ZoneInfo) -> CompiledSet:
    """A published set never changes, so that what was compiled once holds. The hash of the content is part of the key:
    another database may have another set under the same id."""
    return compile_set(rules_of(set_id), zone)


class NotADraft(Exception):
    """The set does not exist any more, or has been published meanwhile."""


def draft_of(version: int, *, at: datetime, actor_id: int | None, note: str = "") -> RuleSetRow:
    """Begin a draft with the rules of a published version; 0 is the set that is built in.

    Raises RuleSet.DoesNotExist for a version that was never published.
    """
    base = RuleSetRow.objects.get(version=version) if version else None
    rules = rules_of(base.pk if base else 0)
    with transaction.atomic():
        draft = RuleSetRow.objects.create(based_on=base, created_at=at, created_by_id=actor_id, note=note)
        _write_rows(draft.pk, rules.as_json()["rules"])
    return draft


def save_draft(draft_id: int, rules: Sequence[Mapping[str, Any]], *, note: str | None = None) -> list[Problem]:
    """Replace the rules of a draft. Returns what publishing them would be refused for.

    Raises InvalidRules when the rules cannot be read at all, NotADraft when it is none.
    """
    readable = RuleSet.from_json({"version": 0, "rules": list(rules)})
    with transaction.atomic():
        draft = _locked_draft(draft_id)
        if note is not None and note != draft.note:
            draft.note = note
            draft.save(update_fields=["note"])
        draft.rules.all().delete()
        _write_rows(draft_id, readable.as_json()["rules"])
    return draft_problems(draft_id)


def draft_problems(draft_id: int) -> list[Problem]:
    """Why the draft could not be published as it is; empty when it could."""
    return problems(rules_of(draft_id), paid=points_paid())


def discard_draft(draft_id: int) -> None:
    """Throw a draft away. Raises NotADraft."""
    with transaction.atomic():
        _locked_draft(draft_id).delete()


def publish(draft_id: int, *, effective_from: datetime, at: datetime, actor_id: int | None, reason: str) -> RuleSetRow:
    """Publish a draft as the next version: from ``effective_from`` on it says what orders and acts earn.

    Earlier versions stay as they are, and so does what they gave. Raises InvalidRules with all that is wrong,
    NotADraft, and ValueError without a reason.
    """
    if not reason.strip():
        raise ValueError("a change of rules needs a reason")
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, 0)", [_PUBLISHING])
        draft = _locked_draft(draft_id)
        if found := draft_problems(draft_id):
            raise InvalidRules(found)
        latest = RuleSetRow.objects.aggregate(latest=Max("version"))["latest"] or 0
        draft.version = latest + 1
        draft.state = RuleSetState.PUBLISHED
        draft.effective_from = effective_from
        draft.published_at = at
        draft.published_by_id = actor_id
        draft.reason = reason
        draft.content = _digest(rows_of(draft_id))
        draft.save()
    return draft


def roll_back(version: int, *, at: datetime, actor_id: int | None, reason: str) -> RuleSetRow:
    """Publish the rules of an earlier version again, as the next one, from now on. 0 is the set that is built in.

    Raises as ``draft_of`` and ``publish`` do: a budget that has been used up meanwhile cannot come back.
    """
    with transaction.atomic():
        note = _("Back to version %(version)s") % {"version": version}
        draft = draft_of(version, at=at, actor_id=actor_id, note=note)
        return publish(draft.pk, effective_from=at, at=at, actor_id=actor_id, reason=reason)


def publish_rate(
    per: Decimal, points: int, *, effective_from: datetime, at: datetime, actor_id: int | None, reason: str
) -> RuleSetRow:
    """Publish a set of one rule: every ``per`` yuan paid earns ``points`` points, whole steps only.

    Raises InvalidRules for a step of nothing, and ValueError without a reason.
    """
    [built_in] = BUILT_IN.as_json()["rules"]
    rate = built_in | {"config": built_in["config"] | {"per": str(per), "points": points}}
    with transaction.atomic():
        draft = RuleSetRow.objects.create(created_at=at, created_by_id=actor_id)
        save_draft(draft.pk, [rate])
        return publish(draft.pk, effective_from=effective_from, at=at, actor_id=actor_id, reason=reason)


@dataclass(frozen=True, slots=True)
class Difference:
    """What two sets say differently: ``field`` of the rule ``rule`` ("config.per"), and both values as JSON has them.
    A rule that only one of them has differs in the field "rule", with None for the set that has it not."""

    rule: str
    field: str
    before: Any
    after: Any


def compare(before: RuleSet, after: RuleSet) -> list[Difference]:
    """What changes from one set to the other, rule by rule, in the order of the later set."""
    old = {rule["code"]: rule for rule in before.as_json()["rules"]}
    new = {rule["code"]: rule for rule in after.as_json()["rules"]}
    found: list[Difference] = []
    for code in [*new, *(code for code in old if code not in new)]:
        if code not in old or code not in new:
            found.append(Difference(code, "rule", old.get(code), new.get(code)))
            continue
        a, b = _flat(old[code]), _flat(new[code])
        found += [
            Difference(code, name, a.get(name), b.get(name))
            for name in dict.fromkeys([*b, *a])
            if a.get(name) != b.get(name)
        ]
    return found


def points_paid() -> dict[str, int]:
    """What each rule that has or had a budget has given so far."""
    rows = RuleUsage.objects.filter(member=None, day=None).values_list("rule").annotate(Sum("points"))
    return dict(rows)


def _locked_draft(draft_id: int) -> RuleSetRow:
    draft = RuleSetRow.objects.select_for_update().filter(pk=draft_id, state=RuleSetState.DRAFT).first()
    if draft is None:
        raise NotADraft(draft_id)
    return draft


def _write_rows(set_id: int, rules: Sequence[Mapping[str, Any]]) -> None:
    EarnRule.objects.bulk_create(EarnRule(rule_set_id=set_id, **rule) for rule in rules)


def _digest(rules: Sequence[Mapping[str, Any]]) -> str:
    return hashlib.sha256(json.dumps(rules, sort_keys=True).encode()).hexdigest()


def _flat(rule: Mapping[str, Any]) -> dict[str, Any]:
    """A rule's fields by dotted names, without its code."""
    flat: dict[str, Any] = {}
    for name, value in rule.items():
        if isinstance(value, dict):
            flat |= {f"{name}.{key}": inner for key, inner in value.items()}
        elif name != "code":
            flat[name] = value
    return flat
