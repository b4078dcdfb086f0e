"""How far a redemption has come, as its buyer sees it."""

from datetime import datetime, timedelta

import pytest

from redemption.rewards.choices import RedemptionState as State
from redemption.rewards.choices import RewardKind
from redemption.rewards.journey import journey
from tests.cast import NOON


def told(kind: RewardKind, *moves: State, cash: bool = False) -> str:
    """The steps as ``placed:done shipped:now …``."""
    reached: list[tuple[State, datetime]] = [
        (state, NOON + timedelta(hours=number)) for number, state in enumerate(moves, start=1)
    ]
    steps = journey(kind, cash=cash, placed_at=NOON, moves=reached)
    assert all((step.at is None) == (step.status == "") for step in steps)
    return " ".join(f"{step.state}:{step.status}" for step in steps)


@pytest.mark.parametrize(
    ("kind", "cash", "moves", "steps"),
    [
        (RewardKind.GOODS, False, (), "placed:now confirmed: shipped: received:"),
        (RewardKind.GOODS, False, (State.SHIPPED,), "placed:done shipped:now received:"),
        (RewardKind.GOODS, False, (State.PLACED,), "placed:now confirmed: shipped: received:"),
        (
            RewardKind.GOODS, False, (State.CONFIRMED, State.SHIPPED, State.RECEIVED),
            "placed:done confirmed:done shipped:done received:done",
        ),
        (RewardKind.GOODS, True, (), "awaiting:now confirmed: shipped: received:"),
        (RewardKind.GOODS, True, (State.CANCELLED,), "awaiting:done cancelled:failed"),
        (RewardKind.GOODS, False, (State.SHIPPED, State.RETURNED), "placed:done shipped:done returned:failed"),
        (RewardKind.DIGITAL, False, (), "received:done"),
        (RewardKind.DIGITAL, True, (), "awaiting:now received:"),
        (RewardKind.TICKET, False, (), "confirmed:now received:"),
        (RewardKind.DONATION, True, (State.RECEIVED,), "awaiting:done received:done"),
    ],
)  # fmt: skip
def test_the_steps_behind_and_ahead(kind: RewardKind, cash: bool, moves: tuple[State, ...], steps: str) -> None:
    assert told(kind, *moves, cash=cash) == steps
