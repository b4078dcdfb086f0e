"""Every kind of rule about orders, as a seller would try it at the counter."""

from datetime import date, datetime, timedelta
from decimal import Decimal

import pytest

from loyalty.earning.calendar import FESTIVALS
from loyalty.earning.evaluate import evaluate
from loyalty.earning.kinds import (
    BirthdayOrder,
    EarlyConfirmation,
    EarlyPayment,
    Festival,
    FirstOrder,
    PaymentKind,
    ProductPolicy,
    Spend,
    Steps,
    TierMultiplier,
)
from loyalty.earning.ruleset import Caps
from loyalty.earning.usage import Usage
from tests.cast import NOON, SHANGHAI
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
    table,
)

SPEND = rule("spend", A_YUAN_A_POINT)
DOUBLE_11 = datetime(2026, 11, 11, 20, 0, tzinfo=SHANGHAI)


@pytest.mark.parametrize(
    ("rounding", "expected"),
    [("down", [0, 0, 0, 5, 5, 10]), ("half_up", [0, 0, 5, 5, 10, 10]), ("up", [0, 5, 5, 10, 10, 10])],
)
def test_every_ten_yuan_are_five_points_rounded_as_its_name_says(rounding: str, expected: list[int]) -> None:
    shop = rules(rule("spend", Spend(per=1000, points=5, rounding=rounding)))

    assert table(shop, ["0", "4.99", "5.00", "14.99", "15.00", "20.00"]) == expected


def test_an_order_too_small_for_a_point_is_told_how_much_is_missing() -> None:
    award = evaluate(rules(rule("spend", Spend(per=1000, points=5))), order("7"))

    assert (award.points, award.misses[0].code, award.misses[0].params) == (0, "amount_short", {"short": 300})


def test_a_gift_card_has_a_rate_of_its_own_in_the_place_of_the_usual_one() -> None:
    by_card = rule("card", PaymentKind(kinds=("gift_card",), per=200, points=1), group="base")
    shop = rules(by_card, rule("spend", A_YUAN_A_POINT, group="base"))

    assert by_rule(evaluate(shop, order("100", payment_kind="gift_card"))) == {"card": 50}
    assert by_rule(evaluate(shop, order("100", payment_kind="cash"))) == {"spend": 100}


class TestProducts:
    shop = rules(rule("products", ProductPolicy(bonus_points=10)), SPEND)

    def test_a_zero_point_order_earns_nothing_from_any_rule(self) -> None:
        shop = rules(
            rule("products", ProductPolicy()),
            SPEND,
            rule("tier", TierMultiplier(factors=(("vip", Decimal(2)),))),
            rule("steps", Steps(steps=((100, 9),))),
        )
        award = evaluate(shop, basket(line("kettle", "100", "zero")), XIAOLU)

        assert award.points == 0
        assert misses(award) == {"spend": "no_line", "tier": "no_line", "steps": "no_line"}

    def test_pieces_of_a_bonus_product_earn_points_besides(self) -> None:
        award = evaluate(self.shop, basket(line("tea", "50", "bonus", quantity=3), line("cup", "20")))

        assert by_rule(award) == {"products": 30, "spend": 70}
        assert award.points_by_line == {"tea": 80, "cup": 20}

    def test_a_product_may_name_its_own_points_a_piece(self) -> None:
        assert points(self.shop, basket(line("tea", "50", "bonus", quantity=2, bonus_points=25))) == 100

    def test_the_award_tells_which_goods_count_in_part(self) -> None:
        award = evaluate(self.shop, basket(line("tea", "80", "special"), line("cup", "20", "zero"), line("pot", "5")))

        told = [(each.base, each.factor, each.points) for each in award.lines if each.rule == "products"]
        assert told == [(8000, "0.5", 0), (2000, "0", 0)]
        assert by_rule(award) == {"spend": 45}

    def test_the_first_rule_that_sees_a_product_counts(self) -> None:
        sale = rule("sale", ProductPolicy(shares=(("special", Decimal("0.8")),)), channels=("outlet",))
        shop = rules(sale, rule("products", ProductPolicy()), SPEND)

        assert points(shop, basket(line("tea", "100", "special"), channel="outlet")) == 80
        assert points(shop, basket(line("tea", "100", "special"), channel="tea")) == 50

    def test_when_the_budget_of_the_pieces_is_used_up_shares_still_count(self) -> None:
        shop = rules(rule("products", ProductPolicy(bonus_points=10), caps=Caps(budget=15)), SPEND)
        usage = Usage()
        goods = basket(line("tea", "10", "bonus"), line("cup", "10", "special"))

        assert [points(shop, goods, XIAOLU, usage) for _ in range(3)] == [10 + 15, 5 + 15, 15]


class TestSteps:
    shop = rules(rule("steps", Steps(steps=((100_00, 10), (300_00, 40)))))

    def test_the_highest_step_that_is_reached_counts(self) -> None:
        assert table(self.shop, ["99.99", "100", "299.99", "300", "5000"]) == [0, 10, 10, 40, 40]

    def test_below_the_first_step_the_buyer_is_told_what_is_missing(self) -> None:
        assert evaluate(self.shop, order("97")).misses[0].params == {"short": 300}

    def test_only_goods_that_count_at_all_are_added_up(self) -> None:
        shop = rules(rule("products", ProductPolicy()), rule("steps", Steps(steps=((100_00, 10),))))

        assert points(shop, basket(line("kettle", "90", "zero"), line("tea", "60"))) == 0
        assert points(shop, basket(line("kettle", "90", "zero"), line("tea", "100", "special"))) == 10


class TestTiming:
    @pytest.mark.parametrize(("minutes", "expected"), [(0, 8), (30, 8), (30.02, 0), (600, 0)])
    def test_paying_within_half_an_hour(self, minutes: float, expected: int) -> None:
        shop = rules(rule("early", EarlyPayment(minutes=30, points=8)))

        assert points(shop, order(placed_at=NOON - timedelta(minutes=minutes))) == expected

    def test_paying_late_says_by_how_much(self) -> None:
        shop = rules(rule("early", EarlyPayment(minutes=30, points=8)))
        award = evaluate(shop, order(placed_at=NOON - timedelta(minutes=33)))

        assert award.misses[0][1:] == ("paid_late", {"minutes": 30, "late": 3})

    def test_an_order_whose_instants_are_unknown_meets_no_rule_about_time(self) -> None:
        shop = rules(
            rule("early", EarlyPayment(minutes=30, points=8)),
            rule("festival", Festival(window=FESTIVALS["double_11"][1], points=8)),
            rule("night", Spend(per=100, points=1), time_of_day=(20 * 60, 24 * 60)),
        )
        award = evaluate(shop, order(placed_at=None, paid_at=None))

        assert set(misses(award).values()) == {"no_instant"}

    def test_a_festival_doubles_the_points_of_its_day_wherever_the_server_stands(self) -> None:
        shop = rules(SPEND, rule("festival", Festival(window=FESTIVALS["double_11"][1], factor=Decimal(2))))

        assert points(shop, order("100", at=DOUBLE_11)) == 200
        assert points(shop, order("100", at=DOUBLE_11.replace(hour=0))) == 200
        assert points(shop, order("100", at=DOUBLE_11 + timedelta(hours=4))) == 100

    def test_a_festival_may_give_points_instead(self) -> None:
        shop = rules(SPEND, rule("festival", Festival(window=FESTIVALS["mid_autumn"][1], points=15)))

        assert points(shop, order("100", at=datetime(2026, 9, 25, 9, 0, tzinfo=SHANGHAI))) == 115


class TestEarlyConfirmation:
    shop = rules(
        SPEND,
        rule("double", EarlyConfirmation(days=3, factor=Decimal(2)), group="confirmed"),
        rule("more", EarlyConfirmation(days=7, factor=Decimal("1.5")), group="confirmed"),
        rule("thanks", EarlyConfirmation(days=7, points=5)),
    )

    def shipped(self, days: float | None) -> int:
        """The points of 100 yuan when the receipt is confirmed so many days after shipping."""
        done = None if days is None else NOON + timedelta(days=days)
        return points(self.shop, order("100", shipped_at=NOON, completed_at=done))

    def test_who_confirms_sooner_gets_more(self) -> None:
        assert [self.shipped(days) for days in (None, 1, 3, 3.01, 7, 8)] == [100, 205, 205, 155, 155, 100]

    def test_before_the_order_completes_the_award_says_that_it_waits(self) -> None:
        assert misses(evaluate(self.shop, order("100")))["double"] == "not_yet"

    def test_an_order_that_was_never_shipped_cannot_be_confirmed_early(self) -> None:
        assert misses(evaluate(self.shop, order("100", completed_at=NOON)))["thanks"] == "no_instant"


class TestPeople:
    def test_each_tier_has_its_factor_and_the_others_earn_as_usual(self) -> None:
        shop = rules(SPEND, rule("tier", TierMultiplier(factors=(("vip", Decimal("1.5")), ("gold", Decimal("1.05"))))))

        assert points(shop, order("99"), XIAOLU) == 99 + 49
        assert points(shop, order("99"), XIAOLU._replace(tier="gold")) == 99 + 4
        assert points(shop, order("99"), DAYONG) == 99

    def test_only_the_first_order_of_a_buyer_is_welcomed(self) -> None:
        shop = rules(rule("welcome", FirstOrder(points=50)))

        assert (points(shop, order(), DAYONG), points(shop, order(), XIAOLU)) == (50, 0)

    @pytest.mark.parametrize(
        ("window", "birthday", "expected"),
        [
            ("day", date(1990, 3, 10), 2), ("day", date(1990, 3, 11), 1),
            ("week", date(1990, 3, 9), 2), ("week", date(1990, 3, 15), 2), ("week", date(1990, 3, 8), 1),
            ("week", date(1990, 3, 16), 1), ("month", date(1990, 3, 31), 2), ("month", date(1990, 4, 1), 1),
        ],
    )  # fmt: skip
    def test_orders_around_the_birthday_count_double(self, window: str, birthday: date, expected: int) -> None:
        """The story's day is Tuesday, 10 March."""
        shop = rules(SPEND, rule("birthday", BirthdayOrder(window=window, factor=Decimal(2))))

        assert points(shop, order("100"), XIAOLU._replace(birthday=birthday)) == 100 * expected

    def test_whoever_tells_no_birthday_has_none(self) -> None:
        shop = rules(rule("birthday", BirthdayOrder(window="month", points=5)))

        assert misses(evaluate(shop, order(), DAYONG)) == {"birthday": "no_birthday"}

    def test_a_birthday_on_29_february_is_kept_on_the_28th_of_other_years(self) -> None:
        shop = rules(rule("birthday", BirthdayOrder(window="day", points=5)))
        leapling = XIAOLU._replace(birthday=date(1992, 2, 29))
        days = [datetime(2026, 2, 28, tzinfo=SHANGHAI), datetime(2028, 2, 28, tzinfo=SHANGHAI)]

        assert [points(shop, order(at=day), leapling) for day in days] == [5, 0]
        assert points(shop, order(at=datetime(2028, 2, 29, tzinfo=SHANGHAI)), leapling) == 5
