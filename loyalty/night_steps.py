"""What the floors above have to do in the night.

They register their steps from ``AppConfig.ready``. A step is called chunk by chunk, each in a transaction of its own,
after holds have lapsed and before lots expire: points that it gives back lapse in the same night if their time is over.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple


class NightChunk(NamedTuple):
    """What one chunk did: accounts touched, things and points moved, and the last number that it came to, from which
    the next chunk goes on; None when there was nothing left."""

    accounts: int
    things: int
    points: int
    last: int | None


# (due, at, after, most): do what was due by ``due``, recording it at ``at``, for at most ``most`` things or accounts
# whose numbers are above ``after``.
NightWork = Callable[[datetime, datetime, int, int], NightChunk]


@dataclass(frozen=True, slots=True)
class NightStep:
    """A step of an upper floor; ``most`` is how many things or accounts a chunk may have."""

    name: str
    work: NightWork
    most: int


_steps: dict[str, NightStep] = {}


def on_night(name: str, work: NightWork, *, most: int = 5_000) -> None:
    """Have the night do ``work``; the same name replaces the earlier one."""
    _steps[name] = NightStep(name, work, most)


def night_steps() -> list[NightStep]:
    """The steps of the floors above, in the order of their registration."""
    return list(_steps.values())
