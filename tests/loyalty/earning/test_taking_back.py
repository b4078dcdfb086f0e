"""What an order keeps of its points when money went back."""

import pytest

from loyalty.earning.evaluate import evaluate
from loyalty.earning.kinds import ProductPolicy, Spend, Steps
from loyalty.earning.taking_back import LineMoney, kept_points, spread_refunds
from tests.loyalty.earning.counter import A_YUAN_A_POINT, basket, line, order, rule, rules

SHOP = rules(
    rule("special", Spend(per=200, points=1), group="base", product_policies=("special",)),
    rule("spend", A_YUAN_A_POINT, group="base"),
)
AWARD = evaluate(SHOP, basket(line("tea", "100"), line("cup", "50", "special")))  # 100 and 25 points.


def test_a_returned_line_takes_back_what_that_line_earned() -> None:
    assert kept_points(AWARD, [LineMoney("tea", 10000, 10000), LineMoney("cup", 5000)]) == 25
    assert kept_points(AWARD, [LineMoney("tea", 10000), LineMoney("cup", 5000, 5000)]) == 100


def test_part_of_a_line_takes_back_its_part_rounded_in_the_buyer_s_favour() -> None:
    assert kept_points(AWARD, [LineMoney("tea", 10000), LineMoney("cup", 5000, 399)]) == 100 + 24
    assert kept_points(AWARD, [LineMoney("tea", 10000), LineMoney("cup", 5000, 4999)]) == 100 + 1


def test_an_order_of_which_nothing_is_kept_keeps_no_point_not_even_for_what_was_free() -> None:
    shop = rules(rule("steps", Steps(steps=((100, 10),))))
    award = evaluate(shop, basket(line("tea", "100"), line("sample", "0")))

    assert kept_points(award, [LineMoney("tea", 10000, 10000), LineMoney("sample", 0)]) == 0


def test_an_order_of_which_no_line_is_known_is_one_line() -> None:
    award = evaluate(SHOP, order("100.80"))

    assert [kept_points(award, [LineMoney("", 10080, back)]) for back in (0, 1, 5040, 10079, 10080, 99999)] == [
        100, 100, 50, 1, 0, 0,
    ]  # fmt: skip


def test_points_of_a_line_that_nobody_knows_any_more_go_with_the_whole_order() -> None:
    assert kept_points(AWARD, [LineMoney("tea", 10000), LineMoney("pot", 5000, 5000)]) == 100 + 25 - 25 // 3
    assert kept_points(AWARD, [LineMoney("", 15000, 7500)]) == 50 + 13


def test_pieces_of_a_bonus_product_go_back_with_it() -> None:
    shop = rules(rule("products", ProductPolicy(bonus_points=10)), rule("spend", A_YUAN_A_POINT))
    award = evaluate(shop, basket(line("tea", "40", "bonus", quantity=4), line("cup", "10")))

    assert kept_points(award, [LineMoney("tea", 4000, 1000), LineMoney("cup", 1000)]) == 60 + 10


@pytest.mark.parametrize(
    ("refunded", "expected"),
    [
        (0, [0, 0, 500]), (500, [0, 0, 500]), (800, [200, 100, 500]), (801, [201, 100, 500]),
        (99999, [2000, 1000, 500]), (100, [0, 0, 500]),
    ],
)  # fmt: skip
def test_a_refund_that_names_no_line_is_spread_over_what_the_lines_still_keep(
    refunded: int, expected: list[int]
) -> None:
    lines = [LineMoney("a", 2000), LineMoney("b", 1000), LineMoney("c", 500, 500)]

    assert [each.refunded for each in spread_refunds(lines, refunded)] == expected


def test_no_line_gives_back_more_than_was_paid_for_it() -> None:
    assert spread_refunds([LineMoney("a", 100, 300), LineMoney("b", 100, -5)], 0) == [
        LineMoney("a", 100, 100),
        LineMoney("b", 100, 0),
    ]
