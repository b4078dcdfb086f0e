"""Changing a draft, rule by rule. Each change reads and writes the draft under its lock, so that two people who work
on different rules of one draft do not undo each other's work."""

import re
from collections.abc import Callable, Iterator, Mapping
from itertools import count
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from loyalty.choices import RuleSetState
from loyalty.earning.kinds import KINDS
from loyalty.models import EarnRule, RuleSet, RuleUsage
from loyalty.rulebook import NotADraft, rows_of, save_draft

Row = dict[str, Any]
STEP = 10  # Between two positions.


class NoSuchRule(LookupError):
    """The draft has no rule with this code; a colleague may have deleted it."""


def change_draft(draft_id: int, change: Callable[[list[Row]], list[Row]]) -> None:
    """Replace a draft's rules by what ``change`` makes of them, and count their positions anew.

    Raises NotADraft, and InvalidRules for rules that cannot be read.
    """
    with transaction.atomic():
        if not RuleSet.objects.select_for_update().filter(pk=draft_id, state=RuleSetState.DRAFT).exists():
            raise NotADraft(draft_id)
        rows = change(rows_of(draft_id))
        for number, row in enumerate(rows, start=1):
            row["position"] = number * STEP
        save_draft(draft_id, rows)


def put_rule(draft_id: int, rule: Mapping[str, Any]) -> None:
    """Put a rule in the place of the one with its code. Raises NotADraft, and NoSuchRule."""

    def change(rows: list[Row]) -> list[Row]:
        place = next((number for number, row in enumerate(rows) if row["code"] == rule["code"]), None)
        if place is None:
            raise NoSuchRule(rule["code"])
        rows[place] = dict(rule)
        return rows

    change_draft(draft_id, change)


def add_rule(draft_id: int, rule: Mapping[str, Any]) -> str:
    """Add a rule at the end of a draft, under the code it proposes. Returns its code.

    A rule that is there already just so is not added again: somebody clicked twice. Where another rule has taken the
    code meanwhile, the new one gets another. Raises NotADraft.
    """
    code = str(rule["code"])

    def change(rows: list[Row]) -> list[Row]:
        nonlocal code
        taken = next((row for row in rows if row["code"] == code), None)
        if taken is not None and _same(taken, rule):
            return rows
        if taken is not None or not _is_new(code):
            code = new_code(rule["kind"])
        return [*rows, dict(rule) | {"code": code}]

    change_draft(draft_id, change)
    return code


def act_on_rule(draft_id: int, code: str, act: str) -> str:
    """Do one of ``ACTS`` to a rule. Returns the code of the rule to look at afterwards, "" for none.

    Raises NotADraft, NoSuchRule, and KeyError for an act that there is not.
    """
    do = ACTS[act]
    found = ""

    def change(rows: list[Row]) -> list[Row]:
        nonlocal found
        place = next((number for number, row in enumerate(rows) if row["code"] == code), None)
        if place is None:
            raise NoSuchRule(code)
        found = do(rows, place)
        return rows

    change_draft(draft_id, change)
    return found


def new_code(kind: str) -> str:
    """A code that no rule of any version ever had: caps and budgets are counted by code, and must begin at nothing."""
    stem = _stem(kind)
    used = set(EarnRule.objects.filter(code__startswith=stem).values_list("code", flat=True))
    used |= set(RuleUsage.objects.filter(rule__startswith=stem).values_list("rule", flat=True).distinct())
    return next(code for code in _codes(stem) if code not in used)


def blank_rule(kind: str, proposed: str = "") -> Row:
    """A rule of this kind as it begins, before anybody said anything, under a code that the form has ``proposed``.

    Raises KeyError for a kind that there is not.
    """
    code = proposed if re.fullmatch(rf"{_stem(KINDS[kind].code)}(-[0-9]{{1,6}})?", proposed) else new_code(kind)
    return {
        "code": code, "kind": kind, "name": "", "position": 10_000, "enabled": True,
        "config": {}, "conditions": {}, "caps": {}, "group": "",
    }  # fmt: skip


def _stem(kind: str) -> str:
    return kind.replace("_", "-")


def _codes(stem: str) -> Iterator[str]:
    yield stem
    yield from (f"{stem}-{number}" for number in count(2))


def _is_new(code: str) -> bool:
    """Whether nothing was ever counted, and no rule ever named, by this code."""
    return not (EarnRule.objects.filter(code=code).exists() or RuleUsage.objects.filter(rule=code).exists())


def _same(row: Row, rule: Mapping[str, Any]) -> bool:
    return all(row[name] == rule[name] for name in ("kind", "name", "config", "conditions", "caps", "group"))


def _up(rows: list[Row], place: int) -> str:
    rows.insert(max(place - 1, 0), rows.pop(place))
    return str(rows[max(place - 1, 0)]["code"])


def _down(rows: list[Row], place: int) -> str:
    rows.insert(place + 1, rows.pop(place))
    return str(rows[min(place + 1, len(rows) - 1)]["code"])


def _toggle(rows: list[Row], place: int) -> str:
    rows[place]["enabled"] = not rows[place]["enabled"]
    return str(rows[place]["code"])


def _duplicate(rows: list[Row], place: int) -> str:
    rule = rows[place]
    name = rule["name"] or str(KINDS[rule["kind"]].label)
    copy = rule | {"code": new_code(rule["kind"]), "name": (_("Copy of %(name)s") % {"name": name})[:120]}
    rows.insert(place + 1, copy)
    return str(copy["code"])


def _delete(rows: list[Row], place: int) -> str:
    del rows[place]
    return ""


ACTS: dict[str, Callable[[list[Row], int], str]] = {
    "up": _up,
    "down": _down,
    "toggle": _toggle,
    "duplicate": _duplicate,
    "delete": _delete,
}
