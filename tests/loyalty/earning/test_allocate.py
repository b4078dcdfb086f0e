"""Whole units shared out, and the roundings by their names."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalty.earning.allocate import allocate
from loyalty.earning.money import fen, whole_down, whole_half_up, whole_up, yuan


@pytest.mark.parametrize(
    ("total", "weights", "parts"),
    [
        (10, [1, 1, 1], [4, 3, 3]), (2, [50, 30, 120], [1, 0, 1]), (100, [1, 2], [33, 67]), (5, [0, 0], [3, 2]),
        (5, [0, 1, 0], [0, 5, 0]), (0, [3, 4], [0, 0]), (0, [], []),
    ],
)  # fmt: skip
def test_units_go_to_the_largest_remainders_and_ties_to_the_earlier(
    total: int, weights: list[int], parts: list[int]
) -> None:
    assert allocate(total, weights) == parts


@given(st.integers(0, 10**9), st.lists(st.integers(0, 10**6), min_size=1, max_size=30))
def test_no_unit_is_lost_and_nobody_is_a_whole_one_away_from_his_share(total: int, weights: list[int]) -> None:
    parts = allocate(total, weights)

    assert sum(parts) == total
    if sum(weights):
        away = [part * sum(weights) - total * weight for part, weight in zip(parts, weights, strict=True)]
        assert max(map(abs, away)) < sum(weights)


@pytest.mark.parametrize(("total", "weights"), [(-1, [1]), (1, [-1]), (1, [])])
def test_what_cannot_be_shared_out_is_refused(total: int, weights: list[int]) -> None:
    with pytest.raises(ValueError, match="share"):
        allocate(total, weights)


def test_roundings_do_what_their_names_say() -> None:
    halves = range(5)  # 0, 0.5, 1, 1.5, 2

    assert [whole_down(half, 2) for half in halves] == [0, 0, 1, 1, 2]
    assert [whole_half_up(half, 2) for half in halves] == [0, 1, 1, 2, 2]
    assert [whole_up(half, 2) for half in halves] == [0, 1, 1, 2, 2]
    assert (whole_half_up(49, 100), whole_half_up(50, 100), whole_up(1, 100)) == (0, 1, 1)


def test_yuan_and_fen() -> None:
    assert (fen(Decimal("12.80")), fen(Decimal(7))) == (1280, 700)
    assert (yuan(1280), yuan(5)) == (Decimal("12.80"), Decimal("0.05"))

    with pytest.raises(ValueError, match="parts of a fen"):
        fen(Decimal("0.005"))
