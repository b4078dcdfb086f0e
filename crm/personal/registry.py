"""Which tables hold something about a member, what of it he gets to read, and what becomes of it when he has it erased.

Every floor registers its own tables from ``AppConfig.ready``. ``tests/test_personal_data.py`` walks all models
and fails for one that leads to a member and is neither registered nor left out with a reason.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from django.apps import apps
from django.db.models import Model, Q
from django.utils.functional import Promise

Text = str | Promise


class Fate(StrEnum):
    """What becomes of rows when a member is erased."""

    DELETED = "deleted"
    EMPTIED = "emptied"  # The rows stay, without what is personal in them.
    KEPT = "kept"


@dataclass(frozen=True, slots=True)
class PersonalTable:
    """A table with a member's data.

    ``paths`` lead from a row to the member, in the words of the ORM; any of them makes the row his. ``fields`` are what
    he gets to read, also those of rows that a row names (``order__external_no``); without any the table is not in his
    file, and ``why`` says why. ``only`` leaves out rows that he must not see yet. ``emptied`` is what columns of
    EMPTIED rows are set to; ``why`` says what stays then, or why all of it does.
    """

    name: str
    model: str
    paths: tuple[str, ...]
    fields: tuple[str, ...]
    fate: Fate
    why: str = ""
    emptied: Mapping[str, Any] = field(default_factory=dict)
    only: Q | None = None
    title: Text = ""

    def model_class(self) -> type[Model]:
        """The model behind the label."""
        return apps.get_model(self.model)

    def of(self, member_id: int) -> Q:
        """The condition by which a row is this member's."""
        found = Q()
        for path in self.paths:
            found |= Q(**{path: member_id})
        return found

    def shown_title(self) -> str:
        """What the table is called, in the language of the page."""
        return str(self.title or self.model_class()._meta.verbose_name_plural)


_tables: dict[str, PersonalTable] = {}
_left_out: dict[str, str] = {}


def register_personal(*tables: PersonalTable) -> None:
    """Make tables known; the same name replaces the earlier one."""
    _tables.update({table.name: table for table in tables})


def leave_out(models: Mapping[str, str]) -> None:
    """Say of models that lead to a member why they are neither in his file nor erased."""
    _left_out.update(models)


def personal_tables() -> list[PersonalTable]:
    """Return all tables, those of the upper floors first."""
    return list(_tables.values())


def models_left_out() -> dict[str, str]:
    """Return the models that were left out, and why."""
    return dict(_left_out)


@dataclass(frozen=True, slots=True)
class Erasure:
    """That a member's data is erased at a moment. ``actor_id`` is his own login, or a person's of the shop; ``reason``
    is never empty."""

    member_id: int
    at: datetime
    actor_id: int
    reason: str


@dataclass(frozen=True, slots=True)
class Loss:
    """What a member loses with his data: how much of it, and that in words."""

    code: str
    number: int
    text: str


@dataclass(frozen=True, slots=True)
class ErasureRules:
    """What a floor has to say about an erasure.

    ``lock`` takes what the floor locks first; the member's row is locked before. ``obstacles`` are sentences that say
    what must come to an end before, ``losses`` what is lost; both are asked again under the locks. ``act`` does what is
    more than deleting and emptying rows; it comes before that, the upper floors first.
    """

    lock: Callable[[int], None] = lambda _member_id: None
    obstacles: Callable[[int, datetime], list[str]] = lambda _member_id, _at: []
    losses: Callable[[int, datetime], list[Loss]] = lambda _member_id, _at: []
    act: Callable[[Erasure], None] = lambda _erasure: None


_rules: dict[str, ErasureRules] = {}


def register_erasure(floor: str, rules: ErasureRules) -> None:
    """Hand in what a floor has to say; a second time replaces the first."""
    _rules[floor] = rules


def erasure_rules() -> list[ErasureRules]:
    """Return what the floors have to say, the upper ones first."""
    return list(_rules.values())
