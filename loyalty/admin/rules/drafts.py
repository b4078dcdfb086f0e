"""Changing a draft, rule by rule. Each change reads and writes the draft under its lock, so that two people who work
on different rules of one draft do not undo each other's work."""

from collections.abc import Callable, Mapping
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from loyalty.choices import RuleSetState
from loyalty.earning.kinds import KINDS
from loyalty.models import EarnRule, RuleSet, RuleUsage
from loyalty.rulebook import NotADraft, rows_of, save_draft

Row = dict[str, Any]
STEP = 10  # Between two positions.
LONGEST_CODE = 50


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
    """Add a rule at the end of a draft, or put it in the place of the one with its code."""

    def change(rows: list[Row]) -> list[Row]:
        places = [number for number, row in enumerate(rows) if row["code"] == rule["code"]]
        if not places:
            return [*rows, dict(rule)]
        rows[places[0]] = dict(rule)
        return rows

    change_draft(draft_id, change)


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
    stem = kind.replace("_", "-")
    used = set(EarnRule.objects.filter(code__startswith=stem).values_list("code", flat=True))
    used |= set(RuleUsage.objects.filter(rule__startswith=stem).values_list("rule", flat=True).distinct())
    number = 1
    while (code := stem if number == 1 else f"{stem}-{number}") in used:
        number += 1
    return code


def blank_rule(kind: str) -> Row:
    """A rule of this kind as it begins, before anybody said anything. Raises KeyError for a kind that there is not."""
    return {
        "code": new_code(KINDS[kind].code), "kind": kind, "name": "", "position": 10_000, "enabled": True,
        "config": {}, "conditions": {}, "caps": {}, "group": "",
    }  # fmt: skip


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
