"""Under which circumstances a rule counts."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from loyalty.earning.calendar import DateWindow
from loyalty.earning.conditions import Conditions
from loyalty.earning.evaluate import evaluate
from loyalty.earning.facts import MemberFacts, OrderFacts
from tests.cast import NOON
from tests.loyalty.earning.counter import (
    A_YUAN_A_POINT,
    DAYONG,
    XIAOLU,
    basket,
    line,
    misses,
    order,
    points,
    rule,
    rules,
)

TODAY = NOON.date()


@pytest.mark.parametrize(
    ("conditions", "met", "unmet", "member", "why"),
    [
        ({"channels": ("tea",)}, order(channel="tea"), order(channel="cups"), XIAOLU, "channel"),
        ({"payment_kinds": ("cash",)}, order(payment_kind="cash"), order(), XIAOLU, "payment_kind"),
        ({"amount_at_least": 100_00}, order("100"), order("99.99"), XIAOLU, "amount_short"),
        ({"weekdays": (2,)}, order(), order(at=NOON + timedelta(days=1)), XIAOLU, "weekday"),
        ({"dates": DateWindow(TODAY, TODAY)}, order(), order(at=NOON - timedelta(days=1)), XIAOLU, "day"),
        ({"time_of_day": (12 * 60, 13 * 60)}, order(), order(at=NOON + timedelta(hours=1)), XIAOLU, "time_of_day"),
        ({"time_of_day": (1320, 721)}, order(), order(at=NOON + timedelta(minutes=1)), XIAOLU, "time_of_day"),
        ({"products": (5,)}, basket(line("a", "9", product_id=5)), basket(line("a", "9")), XIAOLU, "no_line"),
        ({"categories": ("tea",)}, basket(line("a", "9", category="tea")), basket(line("a", "9")), XIAOLU, "no_line"),
        ({"product_policies": ("normal",)}, order("9"), basket(line("a", "9", "special")), XIAOLU, "no_line"),
        (
            {"product_tags": ("new", "hot")}, basket(line("a", "9", tags=frozenset({"hot"}))), basket(line("a", "9")),
            XIAOLU, "no_line",
        ),
    ],
)  # fmt: skip
def test_a_condition_on_the_order(
    conditions: dict[str, Any], met: OrderFacts, unmet: OrderFacts, member: MemberFacts, why: str
) -> None:
    shop = rules(rule("spend", A_YUAN_A_POINT, **conditions))

    assert points(shop, met, member) == met.paid // 100
    assert misses(evaluate(shop, unmet, member)) == {"spend": why}


@pytest.mark.parametrize(
    ("conditions", "met", "unmet", "why"),
    [
        ({"tiers": ("vip", "gold")}, XIAOLU, DAYONG, "tier"),
        ({"tier_rank_at_least": 2}, XIAOLU, XIAOLU._replace(tier_rank=1), "tier_rank"),
        ({"tags_any": ("tea", "cups")}, XIAOLU, DAYONG, "tag_missing"),
        ({"tags_none": ("tea",)}, DAYONG, XIAOLU, "tag_excluded"),
        ({"new_buyer": True}, DAYONG, XIAOLU, "not_new"),
        ({"new_buyer": False}, XIAOLU, DAYONG, "new"),
    ],
)
def test_a_condition_on_the_member(conditions: dict[str, Any], met: MemberFacts, unmet: MemberFacts, why: str) -> None:
    shop = rules(rule("spend", A_YUAN_A_POINT, **conditions))

    assert points(shop, order("88"), met) == 88
    assert misses(evaluate(shop, order("88"), unmet)) == {"spend": why}


def test_a_rule_sees_only_the_lines_that_meet_its_conditions() -> None:
    shop = rules(rule("spend", A_YUAN_A_POINT, categories=("tea",), product_policies=("normal",)))
    goods = basket(
        line("a", "50", category="tea"), line("b", "30", "special", category="tea"), line("c", "20", category="cups")
    )

    assert evaluate(shop, goods).points_by_line == {"a": 50, "b": 0, "c": 0}


def test_the_amount_asked_for_is_that_of_the_lines_the_rule_sees() -> None:
    shop = rules(rule("spend", A_YUAN_A_POINT, categories=("tea",), amount_at_least=50_00))

    assert points(shop, basket(line("a", "40", category="tea"), line("b", "60"))) == 0
    assert points(shop, basket(line("a", "50", category="tea"), line("b", "60"))) == 50


def test_a_day_of_the_shop_is_a_day_in_its_own_zone() -> None:
    """Tuesday, four in the afternoon, of London is Wednesday already in Shanghai."""
    shop = rules(rule("spend", A_YUAN_A_POINT, weekdays=(3,)))

    assert points(shop, order("8", at=datetime(2026, 3, 10, 16, 0, tzinfo=UTC))) == 8
    assert points(shop, order("8", at=datetime(2026, 3, 10, 15, 59, tzinfo=UTC))) == 0


def test_a_plain_set_asks_for_no_facts_and_others_only_for_those_they_look_at() -> None:
    assert rules(rule("spend", A_YUAN_A_POINT)).needs == frozenset()
    assert rules(rule("spend", A_YUAN_A_POINT, tiers=("vip",), products=(1,))).needs == {"tier", "products", "lines"}
    assert rules(rule("spend", A_YUAN_A_POINT, weekdays=(1,), payment_kinds=("cash",))).needs == {
        "times", "payment_kind",
    }  # fmt: skip


def test_conditions_that_no_order_can_meet_together_exclude_each_other() -> None:
    tea, cups = Conditions(channels=("tea",)), Conditions(channels=("cups",))

    assert tea.excludes(cups)
    assert not tea.excludes(Conditions(tiers=("vip",)))
    assert not tea.excludes(Conditions(channels=("cups", "tea")))
