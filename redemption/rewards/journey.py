"""How far a redemption has come, step by step, for the eyes of its buyer. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from redemption.rewards.choices import RedemptionState, RewardKind
from redemption.rewards.life import first_state

_S = RedemptionState
# What follows once nothing is to be paid any more.
_AHEAD: dict[RewardKind, tuple[RedemptionState, ...]] = {
    RewardKind.GOODS: (_S.CONFIRMED, _S.SHIPPED, _S.RECEIVED),
    RewardKind.DIGITAL: (_S.RECEIVED,),
    RewardKind.TICKET: (_S.CONFIRMED, _S.RECEIVED),
    RewardKind.DONATION: (_S.RECEIVED,),
}
_ENDS = frozenset({_S.CANCELLED, _S.RETURNED})


class Status(StrEnum):
    """How a step is shown; the words are those of the style sheet."""

    DONE = "done"
    NOW = "now"
    AHEAD = ""
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Step:
    """A state, when it was reached (None: not yet), and how it is shown."""

    state: RedemptionState
    at: datetime | None
    status: Status


def journey(
    kind: RewardKind, *, cash: bool, placed_at: datetime, moves: Sequence[tuple[RedemptionState, datetime]]
) -> list[Step]:
    """Return the steps behind and ahead. ``moves`` are the states after the first, with when they were reached."""
    first = first_state(kind, cash=cash)
    reached: dict[RedemptionState, datetime] = {first: placed_at}
    for state, at in moves:
        reached.setdefault(state, at)
    last = list(reached)[-1]
    steps = [Step(state, at, Status.DONE) for state, at in reached.items() if state is not last]
    if last in _ENDS:
        return [*steps, Step(last, reached[last], Status.FAILED)]
    whole = _AHEAD[kind]
    ahead = whole[whole.index(last) + 1 :] if last in whole else whole
    status = Status.NOW if ahead else Status.DONE
    return [*steps, Step(last, reached[last], status), *(Step(state, None, Status.AHEAD) for state in ahead)]
