"""The figures that the programme must come to, to the point."""

from decimal import Decimal

import pytest

from loyalty.earning.compiling import compile_set
from loyalty.earning.facts import MemberFacts
from loyalty.earning.highest_share import highest_share
from loyalty.earning.kinds import ProductPolicy
from loyalty.earning.presets import PRESETS
from loyalty.earning.ruleset import BUILT_IN
from tests.cast import SHANGHAI
from tests.loyalty.earning.counter import A_YUAN_A_POINT, basket, line, order, points, rule, rules

VANCL = compile_set(PRESETS["vancl"], SHANGHAI)
BASE, VIP, SVIP = MemberFacts(), MemberFacts(tier="vip"), MemberFacts(tier="svip")


def test_until_the_shop_publishes_rules_a_yuan_is_a_point() -> None:
    built_in = compile_set(BUILT_IN, SHANGHAI)

    assert [points(built_in, order(paid)) for paid in ("0", "0.99", "12.80", "100.99")] == [0, 0, 12, 100]


def test_a_zero_point_product_in_a_mixed_order_earns_nothing_and_the_rest_does() -> None:
    shop = rules(rule("products", ProductPolicy()), rule("spend", A_YUAN_A_POINT))

    assert points(shop, basket(line("kettle", "100", "zero"), line("tea", "50"))) == 50


def test_half_price_counts_half() -> None:
    shop = rules(rule("products", ProductPolicy()), rule("spend", A_YUAN_A_POINT))

    assert points(shop, basket(line("tea", "100", "special"))) == 50
    assert points(shop, basket(line("tea", "99", "special"))) == 49
    assert points(shop, basket(line("tea", "99", "special"), line("cup", "1", "special"))) == 50


@pytest.mark.parametrize(("member", "expected"), [(BASE, 200), (VIP, 300), (SVIP, 400)])
def test_vancl_gives_two_points_a_yuan_and_higher_tiers_a_multiple(member: MemberFacts, expected: int) -> None:
    assert points(VANCL, basket(line("shirt", "100")), member) == expected


@pytest.mark.parametrize(("member", "expected"), [(BASE, 50), (VIP, 75), (SVIP, 100)])
def test_vancl_gives_a_point_for_two_yuan_of_special_price(member: MemberFacts, expected: int) -> None:
    assert points(VANCL, basket(line("socks", "100", "special")), member) == expected


def test_vancl_gives_a_point_a_yuan_by_gift_card_whatever_is_bought() -> None:
    assert points(VANCL, basket(line("shirt", "100"), payment_kind="gift_card"), BASE) == 100
    assert points(VANCL, order("100", payment_kind="gift_card"), BASE) == 100


def test_vancl_takes_each_line_of_a_mixed_order_by_itself() -> None:
    mixed = basket(line("shirt", "100"), line("socks", "100", "special"), line("voucher", "100", "zero"))

    assert points(VANCL, mixed, SVIP) == (200 + 50) * 2


def test_an_svip_gets_eight_per_cent_of_the_price_at_two_fen_a_point() -> None:
    most = highest_share(PRESETS["vancl"], Decimal(2))

    assert (most.percent, most.points, most.price) == (Decimal("8.00"), 400, 100_00)
    assert most.rules == ("spend", "tiers")
    assert most.member.tier == "svip"
