"""How rules work together: base, factors, gifts, groups, caps. The tables of docs/rules.md are in here."""

from datetime import timedelta
from decimal import Decimal

import pytest

from loyalty.earning.award import Award, as_trace, award_from_trace
from loyalty.earning.calendar import DateWindow
from loyalty.earning.evaluate import complete, evaluate
from loyalty.earning.kinds import (
    EarlyConfirmation,
    EarlyPayment,
    Festival,
    FirstOrder,
    ProductPolicy,
    Spend,
    Steps,
    TierMultiplier,
)
from loyalty.earning.ruleset import Caps
from loyalty.earning.usage import Usage, UsageKey
from tests.cast import NOON
from tests.loyalty.earning.counter import (
    A_YUAN_A_POINT,
    DAYONG,
    XIAOLU,
    basket,
    by_rule,
    line,
    misses,
    order,
    points,
    rule,
    rules,
)

TODAY = DateWindow(NOON.date(), NOON.date())
SPEND = rule("spend", A_YUAN_A_POINT)
VIP_HALF_MORE = TierMultiplier(factors=(("vip", Decimal("1.5")),))
DOUBLE = Festival(window=TODAY, factor=Decimal(2))


class TestStacking:
    def test_factors_multiply_each_other_and_gifts_are_not_multiplied(self) -> None:
        shop = rules(
            SPEND, rule("tier", VIP_HALF_MORE), rule("today", DOUBLE), rule("steps", Steps(steps=((100_00, 20),)))
        )

        assert by_rule(evaluate(shop, order("101.90"), XIAOLU)) == {"spend": 101, "tier": 50, "today": 151, "steps": 20}

    def test_each_rule_is_rounded_once_and_down(self) -> None:
        shop = rules(SPEND, rule("tier", VIP_HALF_MORE))

        assert [points(shop, order(paid), XIAOLU) for paid in ("1", "2", "3")] == [1, 3, 4]

    def test_base_rules_without_a_group_add_up(self) -> None:
        shop = rules(SPEND, rule("tea", Spend(per=1000, points=3), categories=("tea",)))
        goods = basket(line("a", "50", category="tea"), line("b", "50"))

        assert by_rule(evaluate(shop, goods)) == {"spend": 100, "tea": 15}

    def test_a_factor_sees_what_its_lines_would_have_earned_by_themselves(self) -> None:
        """Ten points for each full hundred yuan; double for tea, of which there are 150 yuan in 290."""
        shop = rules(
            rule("spend", Spend(per=10000, points=10)),
            rule("tea", Festival(window=TODAY, factor=Decimal(2)), categories=("tea",)),
        )
        award = evaluate(shop, basket(line("a", "150", category="tea"), line("b", "140")))

        assert by_rule(award) == {"spend": 20, "tea": 10}
        assert award.points_by_line == {"a": 10 + 10, "b": 10}

    def test_factors_of_different_lines_meet_only_where_both_see_the_line(self) -> None:
        shop = rules(
            SPEND,
            rule("tea", Festival(window=TODAY, factor=Decimal(2)), categories=("tea",)),
            rule("new", Festival(window=TODAY, factor=Decimal(3)), product_tags=("new",)),
        )
        goods = basket(
            line("old tea", "10", category="tea"),
            line("new tea", "10", category="tea", tags=frozenset({"new"})),
            line("new cup", "10", tags=frozenset({"new"})),
        )
        award = evaluate(shop, goods)

        assert award.points_by_line == {"old tea": 20, "new tea": 60, "new cup": 30}
        assert by_rule(award) == {"spend": 30, "tea": 20, "new": 60}

    def test_where_there_is_nothing_to_multiply_the_factor_says_so(self) -> None:
        shop = rules(SPEND, rule("today", DOUBLE))

        assert misses(evaluate(shop, order("0.50"))) == {"spend": "amount_short", "today": "nothing_to_multiply"}


class TestGroups:
    def test_each_line_goes_to_the_first_base_rule_that_sees_it(self) -> None:
        shop = rules(
            rule("special", Spend(per=200, points=1), group="base", product_policies=("special",)),
            rule("tea", Spend(per=100, points=3), group="base", categories=("tea",)),
            rule("spend", A_YUAN_A_POINT, group="base"),
        )
        goods = basket(line("a", "10", "special", category="tea"), line("b", "10", category="tea"), line("c", "10"))

        assert evaluate(shop, goods).points_by_line == {"a": 5, "b": 30, "c": 10}

    def test_the_loser_of_every_line_is_told(self) -> None:
        shop = rules(rule("tea", A_YUAN_A_POINT, group="base"), rule("spend", A_YUAN_A_POINT, group="base"))

        assert misses(evaluate(shop, order())) == {"spend": "displaced"}

    def test_of_factors_in_a_group_the_largest_counts_for_each_line(self) -> None:
        shop = rules(
            SPEND,
            rule("tier", VIP_HALF_MORE, group="more"),
            rule("tea", DOUBLE, group="more", categories=("tea",)),
        )
        award = evaluate(shop, basket(line("a", "10", category="tea"), line("b", "10")), XIAOLU)

        assert by_rule(award) == {"spend": 20, "tea": 10, "tier": 5}
        assert award.points_by_line == {"a": 20, "b": 15}

    def test_of_factors_for_whole_orders_the_one_that_gives_most_counts(self) -> None:
        shop = rules(SPEND, rule("tier", VIP_HALF_MORE, group="more"), rule("today", DOUBLE, group="more"))
        award = evaluate(shop, order("100"), XIAOLU)

        assert by_rule(award) == {"spend": 100, "today": 100}
        assert award.misses[0] == ("tier", "outdone", {"by": "today"})

    def test_a_factor_whose_budget_is_nearly_used_up_leaves_the_order_to_the_next(self) -> None:
        shop = rules(
            SPEND, rule("tier", VIP_HALF_MORE, group="more"), rule("today", DOUBLE, group="more", caps=Caps(budget=120))
        )
        usage = Usage()

        awards = [by_rule(evaluate(shop, order("100"), XIAOLU, usage)) for _ in range(2)]

        assert awards == [{"spend": 100, "today": 100}, {"spend": 100, "tier": 50}]

    def test_of_gifts_in_a_group_the_largest_counts(self) -> None:
        shop = rules(
            rule("welcome", FirstOrder(points=30), group="gift"),
            rule("steps", Steps(steps=((100_00, 20), (500_00, 80))), group="gift"),
        )

        assert [points(shop, order(paid), DAYONG) for paid in ("10", "100", "500")] == [30, 30, 80]
        assert misses(evaluate(shop, order("100"), DAYONG)) == {"steps": "outdone"}
        assert misses(evaluate(shop, order("500"), DAYONG)) == {"welcome": "outdone"}


class TestCaps:
    def test_a_cap_of_the_order_cuts_and_tells_how_much(self) -> None:
        shop = rules(rule("spend", A_YUAN_A_POINT, caps=Caps(per_order=60)))
        [given] = evaluate(shop, order("100")).lines

        assert (given.points, given.cut, given.cut_by) == (60, 40, "order")

    def test_factors_multiply_what_a_cap_has_left(self) -> None:
        shop = rules(rule("spend", A_YUAN_A_POINT, caps=Caps(per_order=60)), rule("today", DOUBLE))

        assert by_rule(evaluate(shop, order("100"))) == {"spend": 60, "today": 60}

    @pytest.mark.parametrize(
        ("caps", "expected", "cap"),
        [
            (Caps(per_order=60), [60, 60, 60], ""),
            (Caps(per_member_day=150), [100, 50, 0], "member_day"),
            (Caps(per_member=150), [100, 50, 0], "member"),
            (Caps(per_rule_day=150), [100, 50, 0], "rule_day"),
            (Caps(budget=150), [100, 50, 0], "budget"),
            (Caps(budget=200), [100, 100, 0], "budget"),
            (Caps(per_order=80, per_member=150, budget=1000), [80, 70, 0], "member"),
        ],
    )
    def test_a_cap_stops_exactly_at_its_edge(self, caps: Caps, expected: list[int], cap: str) -> None:
        shop = rules(rule("spend", A_YUAN_A_POINT, caps=caps))
        usage = Usage()
        awards = [evaluate(shop, order("100"), XIAOLU, usage) for _ in range(3)]

        assert [award.points for award in awards] == expected
        if cap:
            assert awards[2].misses[0].code == "cap_reached"
            assert awards[2].misses[0].params["cap"] == cap

    def test_the_next_day_and_the_next_member_have_caps_of_their_own(self) -> None:
        shop = rules(rule("spend", A_YUAN_A_POINT, caps=Caps(per_member_day=100)))
        usage = Usage()
        tomorrow = order("80", at=NOON + timedelta(days=1))

        earned = [points(shop, each, XIAOLU, usage) for each in (order("80"), order("80"), tomorrow)]

        assert earned == [80, 20, 80]
        assert points(shop, order("80"), DAYONG, usage) == 80

    def test_what_was_counted_can_be_written_and_read_back(self) -> None:
        shop = rules(rule("spend", A_YUAN_A_POINT, caps=Caps(per_member_day=150, budget=1000)))
        usage = Usage({UsageKey("spend", "budget"): 950})
        evaluate(shop, order("100"), XIAOLU, usage)

        day = UsageKey("spend", "member_day", XIAOLU.member_id, NOON.date())
        assert usage.taken == {day: 50, UsageKey("spend", "budget"): 50}
        assert set(shop.usage_keys(XIAOLU.member_id, NOON.date())) == set(usage.taken)
        assert Usage(usage.taken).given(day) == 50

    def test_counters_loaded_late_keep_what_was_taken_since(self) -> None:
        usage = Usage()
        usage.take(UsageKey("spend", "budget"), 30)
        usage.load({UsageKey("spend", "budget"): 100})

        assert usage.given(UsageKey("spend", "budget")) == 130

    def test_counting_needs_the_caller_to_know_who_and_when(self) -> None:
        assert "usage" in rules(rule("spend", A_YUAN_A_POINT, caps=Caps(budget=5))).needs
        assert "usage" not in rules(rule("spend", A_YUAN_A_POINT, caps=Caps(per_order=5))).needs


class TestLines:
    def test_points_that_do_not_divide_go_to_the_largest_remainders(self) -> None:
        award = evaluate(rules(SPEND), basket(line("a", "0.50"), line("b", "0.30"), line("c", "1.20")))

        assert (award.points, award.points_by_line) == (2, {"a": 1, "b": 0, "c": 1})

    def test_a_gift_is_shared_out_over_what_was_paid(self) -> None:
        award = evaluate(rules(rule("welcome", FirstOrder(points=10))), basket(line("a", "75"), line("b", "25")))

        assert award.points_by_line == {"a": 8, "b": 2}

    def test_a_gift_for_goods_that_cost_nothing_is_shared_out_evenly(self) -> None:
        award = evaluate(rules(rule("welcome", FirstOrder(points=10))), basket(line("a", "0"), line("b", "0")))

        assert award.points_by_line == {"a": 5, "b": 5}

    def test_an_award_without_points_has_none_on_any_line(self) -> None:
        award = evaluate(rules(rule("welcome", FirstOrder(points=10))), basket(line("a", "1"), line("b", "1")), XIAOLU)

        assert award.points_by_line == {"a": 0, "b": 0}


class TestCompletion:
    shop = rules(
        rule("products", ProductPolicy(bonus_points=10)),
        rule("spend", A_YUAN_A_POINT, caps=Caps(budget=10_000)),
        rule("tier", VIP_HALF_MORE),
        rule("welcome", EarlyPayment(minutes=10, points=5)),
        rule("confirmed", EarlyConfirmation(days=3, factor=Decimal("1.1"))),
        rule("thanks", EarlyConfirmation(days=3, points=7), caps=Caps(per_member=100)),
    )
    paid = basket(line("a", "60", "bonus"), line("b", "41", "special"), shipped_at=NOON)
    done = paid._replace(completed_at=NOON + timedelta(days=1))

    def test_an_award_frozen_at_payment_and_completed_later_is_that_of_the_completed_order(self) -> None:
        frozen = evaluate(self.shop, self.paid, XIAOLU, Usage())
        kept = award_from_trace(as_trace(frozen))

        later = complete(self.shop, kept, self.done, XIAOLU, Usage())

        at_once = evaluate(self.shop, self.done, XIAOLU, Usage())
        assert later.lines == at_once.lines
        assert by_rule(at_once) == {"products": 10, "spend": 80, "tier": 40, "welcome": 5, "confirmed": 12, "thanks": 7}

    def test_completing_twice_adds_nothing(self) -> None:
        award = evaluate(self.shop, self.done, XIAOLU, Usage())

        assert complete(self.shop, award, self.done, XIAOLU, Usage()) is award

    def test_an_award_cannot_be_completed_for_other_goods(self) -> None:
        frozen = evaluate(self.shop, self.paid, XIAOLU)

        with pytest.raises(ValueError, match="other lines"):
            complete(self.shop, frozen, order("101", completed_at=NOON), XIAOLU)

    def test_the_set_says_that_it_has_such_rules(self) -> None:
        assert self.shop.on_completion
        assert not rules(SPEND).on_completion


class TestTrace:
    def test_a_plain_award_has_a_small_trace(self) -> None:
        trace = as_trace(evaluate(rules(SPEND, version=3), order("100.80")))

        assert trace == {"set": 3, "rules": [["spend", "spend", 10080, "1/1", 100, "down"]]}

    def test_everything_but_the_misses_comes_back(self) -> None:
        shop = rules(
            rule("products", ProductPolicy(bonus_points=10)),
            rule("spend", A_YUAN_A_POINT, caps=Caps(per_order=40)),
            rule("tier", VIP_HALF_MORE),
            rule("welcome", FirstOrder(points=3)),
        )
        award = evaluate(shop, basket(line("a", "60", "special"), line("b", "41", "bonus")), XIAOLU)

        assert award.misses
        assert award_from_trace(as_trace(award)) == award._replace(misses=())

    def test_an_award_of_nothing_comes_back_too(self) -> None:
        assert award_from_trace(as_trace(Award(5, 0))) == Award(5, 0)


def test_what_plain_rules_give_for_an_amount_of_which_nothing_else_is_known() -> None:
    shop = rules(
        rule("special", Spend(per=200, points=1), group="base", product_policies=("special",)),
        rule("spend", Spend(per=100, points=2), group="base"),
        rule("other", Spend(per=100, points=9), group="base"),
        rule("extra", Spend(per=1000, points=1)),
        rule("today", DOUBLE),
    )

    assert [shop.base_for(amount) for amount in (-5, 0, 99, 10_50)] == [0, 0, 0, 21]
