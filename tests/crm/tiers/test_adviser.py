"""Thresholds that divide the members as the seller wishes."""

from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm.tiers.adviser import BOUNDS, Rounding, Spread, bars, divide, propose, round_numbers, usual_shares


def spread_of(figures: dict[int, int] | list[int]) -> Spread:
    """``spread_of({0: 40, 1000: 6})``: forty members have nothing, six have 1000."""
    counted = figures if isinstance(figures, dict) else dict.fromkeys(figures, 1)
    counts = [0] * (len(BOUNDS) + 1)
    for figure, members in counted.items():
        counts[sum(bound <= figure for bound in BOUNDS)] += members
    return Spread(tuple(counts))


def shares(*percents: int) -> list[Decimal]:
    return [Decimal(percent) for percent in percents]


ASCENDING = spread_of({10 * number: 1 for number in range(1, 101)})  # 10, 20 … 1000 yuan
a_spread = st.lists(st.integers(0, 10**6), min_size=1, max_size=60).map(
    lambda figures: spread_of({figure: figures.count(figure) for figure in figures})
)
some_shares = st.lists(st.integers(1, 30), min_size=1, max_size=5).map(
    lambda upper: [Decimal(100 - min(sum(upper), 99)), *map(Decimal, upper)]
)


class TestProposals:
    def test_sixty_thirty_ten_of_a_hundred_members(self) -> None:
        thresholds = propose(ASCENDING, shares(60, 30, 10), rounding=Rounding.FINE)

        assert thresholds == [610, 910]
        assert [rung.members for rung in divide(ASCENDING, thresholds)] == [60, 30, 10]

    @pytest.mark.parametrize(
        ("rounding", "thresholds"),
        [(Rounding.PLAIN, [500, 1000]), (Rounding.USUAL, [600, 1000]), (Rounding.FINE, [610, 910])],
    )
    def test_rounder_numbers_come_as_near_as_they_can(self, rounding: Rounding, thresholds: list[int]) -> None:
        assert propose(ASCENDING, shares(60, 30, 10), rounding=rounding) == thresholds

    def test_of_two_that_are_as_near_the_lower_one_is_proposed(self) -> None:
        """Half of ten members: 400 gives it to four of them, 200 to six."""
        members = spread_of({100: 4, 300: 2, 500: 4})
        assert propose(members, shares(50, 50), rounding=Rounding.USUAL) == [120]

    def test_members_who_have_nothing_count_only_where_asked(self) -> None:
        members = spread_of({0: 100} | {10 * number: 1 for number in range(1, 101)})
        assert propose(members, shares(60, 40), rounding=Rounding.FINE) == [610]
        assert propose(members, shares(60, 40), rounding=Rounding.FINE, among_all=True) == [210]

    def test_where_nobody_has_anything_nothing_is_proposed(self) -> None:
        assert propose(spread_of({0: 5}), shares(60, 40), rounding=Rounding.USUAL) == []

    def test_where_all_have_the_same_thresholds_still_ascend(self) -> None:
        thresholds = propose(spread_of({100: 50}), shares(50, 30, 20), rounding=Rounding.USUAL)
        assert thresholds[0] < thresholds[1]
        assert [rung.members for rung in divide(spread_of({100: 50}), thresholds)] == [0, 0, 50] or thresholds[0] <= 100

    @given(a_spread, some_shares, st.sampled_from(Rounding), st.booleans())
    def test_thresholds_are_round_ascend_and_divide_all_members(
        self, spread: Spread, wanted: list[Decimal], rounding: Rounding, among_all: bool
    ) -> None:
        thresholds = propose(spread, wanted, rounding=rounding, among_all=among_all)

        assert set(thresholds) <= {Decimal(number) for number in round_numbers(rounding)}
        assert thresholds == sorted(set(thresholds))
        assert len(thresholds) == (len(wanted) - 1 if spread.active else 0)
        divided = divide(spread, thresholds, among_all=among_all)
        assert sum(rung.members for rung in divided) == (spread.members if among_all else spread.active)
        assert all(rung.members >= 0 for rung in divided)

    @given(a_spread, st.integers(1, 99), st.sampled_from(Rounding))
    def test_no_other_round_number_comes_nearer(self, spread: Spread, upper: int, rounding: Rounding) -> None:
        thresholds = propose(spread, shares(100 - upper, upper), rounding=rounding)
        if not thresholds:
            return
        wanted = Decimal(upper) * spread.active / 100
        off = [abs(spread.reaching_rounded_down(Decimal(number)) - wanted) for number in round_numbers(rounding)]
        assert abs(spread.reaching_rounded_down(thresholds[0]) - wanted) == min(off)

    @pytest.mark.parametrize("rungs", range(9))
    def test_there_are_usual_shares_for_any_number_of_rungs(self, rungs: int) -> None:
        usual = usual_shares(rungs)
        assert (len(usual), sum(usual)) == (rungs + 1, 100)
        assert list(usual) == sorted(usual, reverse=True)
        assert min(usual) >= 1


class TestCounting:
    def test_a_number_that_was_counted_is_exact(self) -> None:
        assert spread_of([100, 250, 999]).reaching_rounded_down(Decimal(250)) == 2

    def test_between_two_of_them_members_are_taken_to_be_spread_evenly(self) -> None:
        members = spread_of({1000: 10})  # Ten who have at least 1000 and less than 1100.
        assert [members.reaching_rounded_down(Decimal(n)) for n in (1000, 1025, 1050, 1099, 1100)] == [10, 7, 5, 0, 0]

    def test_everybody_has_at_least_nothing(self) -> None:
        assert spread_of([0, 5]).reaching_rounded_down(Decimal("0.5")) == 2

    @given(a_spread, st.decimals(0, 10**10, places=2), st.decimals(0, 10**10, places=2))
    def test_more_is_reached_by_no_more_members(self, spread: Spread, one: Decimal, other: Decimal) -> None:
        low, high = sorted((one, other))
        assert spread.reaching_rounded_down(low) >= spread.reaching_rounded_down(high) >= 0


class TestPicture:
    @given(a_spread)
    def test_every_member_who_has_anything_is_in_one_bar(self, spread: Spread) -> None:
        shown = bars(spread)
        assert sum(bar.members for bar in shown) == spread.active
        assert all(bar.high == after.low for bar, after in pairwise(shown))

    def test_small_numbers_get_a_bar_each(self) -> None:
        assert [(bar.low, bar.members) for bar in bars(spread_of([1, 1, 3]))] == [(1, 1), (2, 0), (3, 1)]

    def test_the_picture_reaches_as_far_as_a_threshold(self) -> None:
        assert bars(spread_of([100, 200]), beyond=Decimal(3000))[-1].high > 3000

    def test_nothing_gives_no_picture(self) -> None:
        assert bars(spread_of({0: 3})) == []
