"""Every kind of rule about what is no order."""

from datetime import date
from decimal import Decimal

import pytest

from loyalty.earning.evaluate import evaluate_act
from loyalty.earning.facts import MemberFacts
from loyalty.earning.kinds import Birthday, Campaign, Profile, Referral, ReferralShare, SignIn
from loyalty.earning.ruleset import Caps
from loyalty.earning.usage import Usage
from tests.loyalty.earning.counter import DAYONG, XIAOLU, act, misses, points_for, rule, rules


def test_a_week_of_sign_ins_brings_a_bonus_and_begins_anew() -> None:
    shop = rules(rule("signin", SignIn(points=2, streak=((3, 5), (7, 20)), starts_over_after=7)))

    earned = [points_for(shop, act("signin", streak=day)) for day in range(1, 11)]

    assert earned == [2, 2, 7, 2, 2, 2, 22, 2, 2, 7]


def test_a_streak_that_does_not_start_over_brings_each_bonus_once() -> None:
    shop = rules(rule("signin", SignIn(points=1, streak=((3, 5),))))

    assert [points_for(shop, act("signin", streak=day)) for day in (2, 3, 4, 6, 300)] == [1, 6, 1, 1, 1]


def test_an_act_that_no_rule_rewards_earns_nothing() -> None:
    award = evaluate_act(rules(rule("signin", SignIn())), act("profile"), XIAOLU)

    assert (award.points, award.lines, award.misses) == (0, (), ())


def test_the_birthday_gift_comes_on_the_day_only() -> None:
    shop = rules(rule("birthday", Birthday(points=66)))

    assert points_for(shop, act("birthday"), XIAOLU._replace(birthday=date(1990, 3, 10))) == 66
    assert points_for(shop, act("birthday"), XIAOLU._replace(birthday=date(1990, 3, 11))) == 0


def test_a_profile_earns_its_points_when_nothing_is_missing_in_it() -> None:
    shop = rules(rule("profile", Profile(points=20)))

    assert points_for(shop, act("profile"), XIAOLU._replace(profile_complete=True)) == 20
    assert misses(evaluate_act(shop, act("profile"), XIAOLU)) == {"profile": "profile_incomplete"}


def test_a_campaign_code_is_the_same_in_capitals_and_with_blanks_around_it() -> None:
    shop = rules(rule("live", Campaign(word="Tea2026", points=30)))

    assert points_for(shop, act("campaign", code=" tea2026 ")) == 30
    assert misses(evaluate_act(shop, act("campaign", code="tea"), XIAOLU)) == {"live": "other_code"}


class TestReferral:
    @pytest.mark.parametrize(("amount", "expected"), [(100_00, 500), (99_99, 499), (19, 0), (20, 1)])
    def test_the_promoter_gets_a_percentage_in_points_worth_so_much(self, amount: int, expected: int) -> None:
        shop = rules(rule("referral", Referral(percent=Decimal(5), points_per_yuan=100)))

        assert points_for(shop, act("referral", amount=amount)) == expected

    def test_he_may_get_fixed_points_instead(self) -> None:
        assert points_for(rules(rule("referral", Referral(points=40))), act("referral", amount=1)) == 40

    def test_products_may_have_shares_of_their_own(self) -> None:
        own = (ReferralShare(1, percent=Decimal(20)), ReferralShare(2, points=7), ReferralShare(3))
        shop = rules(rule("referral", Referral(percent=Decimal(5), products=own)))

        sold = [act("referral", amount=100_00, product_id=product) for product in (1, 2, 3, 4)]

        assert [points_for(shop, each) for each in sold] == [20, 7, 0, 5]

    def test_a_promoter_is_capped_for_the_day(self) -> None:
        shop = rules(rule("referral", Referral(points=40), caps=Caps(per_member_day=100)))
        usage = Usage()

        assert [points_for(shop, act("referral", amount=1), XIAOLU, usage) for _ in range(4)] == [40, 40, 20, 0]
        assert points_for(shop, act("referral", amount=1), DAYONG, usage) == 40


def test_acts_have_conditions_on_the_member_and_the_time() -> None:
    shop = rules(
        rule("vip", SignIn(points=5), tiers=("vip",), group="signin"),
        rule("all", SignIn(points=2), group="signin"),
        rule("tuesday", SignIn(points=1), weekdays=(2,)),
        rule("sunday", SignIn(points=9), weekdays=(7,)),
    )

    assert points_for(shop, act("signin", streak=1), XIAOLU) == 5 + 1
    assert points_for(shop, act("signin", streak=1), MemberFacts(member_id=9)) == 2 + 1
