"""The presets, and the most that a set can pay."""

from datetime import timedelta
from decimal import Decimal

import pytest

from loyalty.earning.calendar import FESTIVALS, DateWindow
from loyalty.earning.checking import problems
from loyalty.earning.compiling import compile_set
from loyalty.earning.highest_share import highest_share
from loyalty.earning.kinds import BirthdayOrder, Festival, FirstOrder, Spend, Steps, TierMultiplier
from loyalty.earning.presets import PRESETS
from loyalty.earning.ruleset import BUILT_IN, Rule, RuleSet
from tests.cast import NOON, SHANGHAI
from tests.loyalty.earning.counter import (
    A_YUAN_A_POINT,
    DAYONG,
    XIAOLU,
    act,
    basket,
    line,
    order,
    points,
    points_for,
    rule,
)

FEN = Decimal(1)


@pytest.mark.parametrize("name", ["linggou", "taobao", "vancl", "quarterly"])
def test_a_preset_can_be_stored_and_published_as_it_is(name: str) -> None:
    assert problems(PRESETS[name]) == []
    assert RuleSet.from_json(PRESETS[name].as_json()) == PRESETS[name]
    assert all(rule.name for rule in PRESETS[name].rules)


def test_linggou_rewards_paying_and_confirming_early() -> None:
    linggou = compile_set(PRESETS["linggou"], SHANGHAI)
    confirmed = order("100", shipped_at=NOON, completed_at=NOON + timedelta(days=2))

    assert points(linggou, confirmed, XIAOLU) == 100 + 5 + 5
    assert points(linggou, basket(line("a", "100", "zero"), line("b", "50")), XIAOLU) == 50 + 5
    assert [points_for(linggou, act("signin", streak=day)) for day in (1, 7, 8, 14)] == [1, 6, 1, 6]


def test_taobao_welcomes_a_new_buyer() -> None:
    taobao = compile_set(PRESETS["taobao"], SHANGHAI)

    assert (points(taobao, order("100"), DAYONG), points(taobao, order("100"), XIAOLU)) == (120, 100)


def test_quarterly_counts_a_point_a_yuan() -> None:
    assert points(compile_set(PRESETS["quarterly"], SHANGHAI), order("800.50")) == 800


class TestTheMostASetCanPay:
    def most(self, *rules: Rule) -> tuple[Decimal, tuple[str, ...], int]:
        found = highest_share(RuleSet(1, rules), FEN, SHANGHAI)
        return found.percent, found.rules, found.price

    def test_the_built_in_set_pays_a_fen_a_yuan(self) -> None:
        assert highest_share(BUILT_IN, FEN).percent == Decimal("1.00")

    def test_half_a_fen_a_point_is_half_of_it(self) -> None:
        assert highest_share(BUILT_IN, Decimal("0.5")).percent == Decimal("0.50")

    def test_an_empty_set_pays_nothing(self) -> None:
        assert self.most() == (Decimal("0.00"), (), 100_00)

    def test_factors_of_one_day_and_one_buyer_come_together(self) -> None:
        double_11 = Festival(window=FESTIVALS["double_11"][1], factor=Decimal(2))
        birthday = BirthdayOrder(window="month", factor=Decimal(3))
        vip = TierMultiplier(factors=(("vip", Decimal("1.5")),))

        assert self.most(
            rule("spend", A_YUAN_A_POINT), rule("eleven", double_11), rule("born", birthday), rule("tier", vip)
        ) == (Decimal("9.00"), ("spend", "born", "eleven", "tier"), 100_00)  # fmt: skip

    def test_festivals_that_never_meet_do_not_come_together(self) -> None:
        eleven = Festival(window=FESTIVALS["double_11"][1], factor=Decimal(2))
        twelve = Festival(window=FESTIVALS["double_12"][1], factor=Decimal(3))

        assert self.most(rule("spend", A_YUAN_A_POINT), rule("eleven", eleven), rule("twelve", twelve)) == (
            Decimal("3.00"), ("spend", "twelve"), 100_00,
        )  # fmt: skip

    def test_the_mid_autumn_festival_meets_the_national_day_in_some_years(self) -> None:
        autumn = Festival(window=FESTIVALS["mid_autumn"][1], factor=Decimal(2))
        nation = Festival(window=FESTIVALS["national_day"][1], factor=Decimal(2))

        assert self.most(rule("spend", A_YUAN_A_POINT), rule("autumn", autumn), rule("nation", nation))[0] == 4

    def test_a_fixed_window_meets_the_festivals_of_its_own_year(self) -> None:
        november = DateWindow(NOON.date().replace(month=11, day=1), NOON.date().replace(month=11, day=20))
        eleven = Festival(window=FESTIVALS["double_11"][1], factor=Decimal(2))

        assert self.most(rule("spend", Spend(points=2), dates=november), rule("eleven", eleven))[0] == 4

    def test_the_amount_at_which_a_step_begins_is_looked_at(self) -> None:
        assert self.most(rule("steps", Steps(steps=((20_00, 10), (50_00, 40))))) == (Decimal("0.80"), ("steps",), 50_00)

    def test_conditions_on_goods_and_buyers_are_met_by_somebody(self) -> None:
        share, fired, _price = self.most(
            rule("tea", Spend(points=2), products=(5,), tier_rank_at_least=2, time_of_day=(1200, 1300), weekdays=(7,)),
            rule("cash", Spend(points=3), channels=("tea",), payment_kinds=("cash",), tags_any=("a",)),
            rule("new", FirstOrder(points=50), new_buyer=True),
        )

        assert share == Decimal("5.50")
        assert fired == ("cash", "tea", "new")
