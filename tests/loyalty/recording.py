"""Recording the calls that write to the ledger, and calling them again.

A call is recorded when the ledger answered it with something that it wrote. A refusal (not enough points, nothing
open) has promised nothing, and neither has a posting that found nothing to move: asked again, when there is more, they
may well be granted.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from random import Random
from types import ModuleType, SimpleNamespace
from typing import Any
from unittest.mock import patch

from django.db import connection

from loyalty.posting import Outcome, Posting

TABLES = (
    "account", "entry", "lot", "lotuse", "hold", "lotrenewal", "dayclose", "entryseal", "policyapplication",
)  # fmt: skip


def digest() -> str:
    """The whole ledger as one hash: every column of every row, the versions of the accounts included."""
    hasher = hashlib.sha256()
    with connection.cursor() as cursor:
        for table in TABLES:
            cursor.execute(f"SELECT t::text FROM loyalty_{table} AS t ORDER BY 1")
            for (row,) in cursor:
                hasher.update(row.encode())
    return hasher.hexdigest()


@dataclass(frozen=True)
class Call:
    """One call of a public function: what it wrote (keys), and what had to be there before it (keys, too)."""

    function: Callable[..., Any]
    arguments: tuple[Any, ...]
    named: dict[str, Any]
    wrote: frozenset[str] = frozenset()
    needs: frozenset[str] = frozenset()

    def again(self) -> Any:
        """Call it once more with the very same arguments."""
        return self.function(*self.arguments, **self.named)


# From a function, its arguments and its answer to the call as it is to be repeated; None when there is none to repeat.
Keys = Callable[[Callable[..., Any], tuple[Any, ...], dict[str, Any], Any], Call | None]


@dataclass
class Recorder:
    """What was called, in the sequence of the calls."""

    calls: list[Call] = field(default_factory=list)

    @contextmanager
    def listening(self, module: ModuleType | SimpleNamespace, **functions: Keys) -> Iterator[None]:
        """Record what the code of a module calls by these names. What those call in turn is their own business."""
        with ExitStack() as stack:
            for name, keys in functions.items():
                stack.enter_context(patch.object(module, name, self._recording(getattr(module, name), keys)))
            yield

    def _recording(self, function: Callable[..., Any], keys: Keys) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            answer = function(*arguments, **named)
            made = keys(function, arguments, named, answer)
            if made is not None:
                self.calls.append(made)
            return answer

        return call

    def shuffled(self, random: Random) -> list[Call]:
        """All calls in a random sequence in which each comes after those that wrote what it is about."""
        written_by = {key: number for number, call in enumerate(self.calls) for key in call.wrote}
        waits_for = [{written_by[key] for key in call.needs if key in written_by} for call in self.calls]
        sequence: list[int] = []
        done: set[int] = set()
        waiting = list(range(len(self.calls)))
        while waiting:
            ready = [number for number in waiting if waits_for[number] <= done | {number}]
            number = random.choice(ready)
            waiting.remove(number)
            done.add(number)
            sequence.append(number)
        return [self.calls[number] for number in sequence]


def of_batch(
    function: Callable[..., Any], arguments: tuple[Any, ...], named: dict[str, Any], answer: Sequence[Outcome]
) -> Call | None:
    """``post``: of a batch, the postings that became entries."""
    postings: Sequence[Posting] = arguments[0]
    moved = [posting for posting, outcome in zip(postings, answer, strict=True) if outcome.entry_id]
    if not moved:
        return None
    wrote, needs = {posting.key for posting in moved}, {posting.about_key for posting in moved if posting.about_key}
    return Call(function, (moved, *arguments[1:]), named, frozenset(wrote), frozenset(needs - wrote))


def of_movement(
    function: Callable[..., Any], arguments: tuple[Any, ...], named: dict[str, Any], answer: Outcome
) -> Call | None:
    """A movement by name: it has a key, and its second argument is points or the key of what it is about."""
    about = {argument for argument in arguments[1:2] if isinstance(argument, str)}
    return Call(function, arguments, named, frozenset({named["key"]}), frozenset(about))


def of_anything(function: Callable[..., Any], arguments: tuple[Any, ...], named: dict[str, Any], answer: Any) -> Call:
    """A call without a key of its own: reports of orders, the night."""
    return Call(function, arguments, named)
