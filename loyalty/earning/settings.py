"""Configurations: frozen dataclasses that read, write and check themselves.

A setting reads what a form or a JSON document holds, writes it back, says what is wrong with a value, and has the words
for its form. The values themselves are plain: fen, whole numbers, decimals, tuples. ``fields`` has the settings.
"""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Generic, NamedTuple, Self, TypeVar

from django.utils.functional import Promise
from django.utils.translation import gettext as _

from loyalty.earning.reading import Unreadable

T = TypeVar("T")
Text = str | Promise


class FieldProblem(NamedTuple):
    """What is wrong with one field, in the words of the reader's language."""

    field: str
    message: str


class InvalidFields(ValueError):
    """Something could not be read; ``problems`` has every field that is to blame."""

    def __init__(self, problems: Sequence[FieldProblem]) -> None:
        super().__init__("; ".join(f"{problem.field}: {problem.message}" for problem in problems))
        self.problems = tuple(problems)


@dataclasses.dataclass(frozen=True)
class Setting(Generic[T]):
    """One value of a configuration. ``label`` and ``help`` are for its form."""

    label: Text
    help: Text = ""

    def decode(self, value: Any) -> T:
        """The plain value of what a form or JSON holds. Raises ``Unreadable``."""
        raise NotImplementedError

    def encode(self, value: T) -> Any:
        """What JSON holds for the plain value."""
        return value

    def problem(self, value: T) -> str | None:
        """Why the value cannot stand, or None."""


class Settings:
    """A frozen dataclass whose fields are settings: it reads and writes itself, and knows what is wrong with it."""

    __slots__ = ()
    __dataclass_fields__: ClassVar[dict[str, Any]]

    @classmethod
    def settings(cls) -> dict[str, Setting[Any]]:
        """The settings by their names, in the order of their form."""
        return {each.name: each.metadata["setting"] for each in dataclasses.fields(cls)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Read what ``as_json`` wrote; what is missing has its default.

        Raises ``InvalidFields`` naming every field that is unknown, missing or cannot be read.
        """
        values: dict[str, Any] = {}
        problems = [FieldProblem(name, _("There is no such field.")) for name in data if name not in cls.settings()]
        for each in dataclasses.fields(cls):
            if each.name in data:
                try:
                    values[each.name] = each.metadata["setting"].decode(data[each.name])
                except Unreadable as unreadable:
                    problems.append(FieldProblem(each.name, str(unreadable)))
            elif each.default is dataclasses.MISSING:
                problems.append(FieldProblem(each.name, _("This field is required.")))
        if problems:
            raise InvalidFields(problems)
        return cls(**values)

    def as_json(self) -> dict[str, Any]:
        """The shortest JSON that ``from_json`` reads back: what is as by default is left out."""
        return {
            each.name: each.metadata["setting"].encode(getattr(self, each.name))
            for each in dataclasses.fields(self)
            if getattr(self, each.name) != each.default
        }

    def problems(self) -> list[FieldProblem]:
        """Everything that is wrong with the values, by field."""
        found = [
            FieldProblem(name, message)
            for name, setting in self.settings().items()
            if (message := setting.problem(getattr(self, name))) is not None
        ]
        return found or [FieldProblem(name, message) for name, message in self.conflicts()]

    def conflicts(self) -> Iterator[tuple[str, str]]:
        """What is wrong with fields that are right by themselves: (field, message). Each class has its own."""
        return iter(())


def setting(kind: Setting[T], default: T | Any = dataclasses.MISSING) -> Any:
    """A field of a ``Settings`` dataclass."""
    return dataclasses.field(default=default, metadata={"setting": kind})
