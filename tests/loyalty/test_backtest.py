"""Rules tried on past orders: the figures, and that nothing but figures comes of it."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any

import pytest

from crm.choices import OrderStatus, PaymentKind, ProductPolicy, RefundStatus
from crm.feeds.records import BuyerRecord, LineRecord, OrderRecord, RefundRecord
from crm.models import Channel, Member
from crm.orders import record
from crm.tiers.granting import grant_tier
from loyalty.backtest.run import Period, backtest
from loyalty.earning.ruleset import BUILT_IN, RuleSet
from loyalty.liability import publish_cost
from loyalty.models import Entry, RuleUsage
from tests.factories import OrderFactory, ProductFactory, TierFactory
from tests.loyalty.rulesets import SPEND, publish_rules, rule
from tests.scenarios import state

pytestmark = pytest.mark.usefixtures("books_add_up")

DAY = timedelta(days=1)
XIAOLU = BuyerRecord("小鹿爱喝茶", "林小鹿")
DAYONG = BuyerRecord("dayong_w", "王大勇")
MARCH = Period(date(2026, 3, 1), date(2026, 3, 31))
DOUBLE = rule("spend", {"per": "1", "points": 2})


def rules(*given: Mapping[str, Any]) -> RuleSet:
    """A draft with these rules."""
    return RuleSet.from_json({"version": 0, "rules": list(given)})


def tried(candidate: RuleSet, at: datetime, period: Period = MARCH, percent: str = "10") -> dict[str, Any]:
    return backtest(candidate, period, percent=Decimal(percent), at=at)


def order(number: str, paid_at: datetime, paid: str = "100", buyer: BuyerRecord = XIAOLU, **rest: Any) -> OrderRecord:
    """An order, paid an hour after it was placed and not yet confirmed."""
    return OrderRecord(
        number, 2, status=OrderStatus.PAID, buyer=buyer, paid=Decimal(paid), placed_at=paid_at - timedelta(hours=1),
        paid_at=paid_at, **rest,
    )  # fmt: skip


def line(key: str, amount: str, quantity: int = 1) -> LineRecord:
    return LineRecord(key, f"P-{key}", key, quantity, None, Decimal(amount))


class TestBesideTheRulesOfThatTime:
    def test_double_points_cost_twice_as_much(self, shop: Channel, at: datetime) -> None:
        record(shop, [order("1", at), order("2", at + DAY, "50.60", DAYONG)], at=at + DAY)

        found = tried(rules(DOUBLE), at)

        assert (found["orders"], found["paid"], found["cost"]) == (2, 15_060, "0.10")
        assert found["gross"] == found["kept"] == {"live": 150, "candidate": 300}
        assert found["journal"] == {"given": 150, "taken_back": 0, "differing": 0}

    def test_each_order_is_paid_by_the_version_of_its_day(self, shop: Channel, at: datetime) -> None:
        record(shop, [order("1", at), order("2", at + 2 * DAY)], at=at)
        publish_rules(DOUBLE, since=at + DAY)

        assert tried(BUILT_IN, at)["gross"] == {"live": 100 + 200, "candidate": 200}

    def test_only_orders_paid_on_the_days_of_the_period_count(self, shop: Channel, at: datetime) -> None:
        midnight = at.replace(hour=0)
        record(
            shop,
            [order("1", midnight - timedelta(seconds=1)), order("2", midnight), order("3", midnight + DAY)],
            at=at + DAY,
        )

        found = tried(BUILT_IN, at, Period(midnight.date(), midnight.date()))

        assert (found["orders"], found["gross"]["live"]) == (1, 100)

    def test_a_period_without_orders_gives_zeros(self, shop: Channel, at: datetime) -> None:
        found = tried(BUILT_IN, at)

        assert (found["orders"], found["kept"], found["months"]) == (0, {"live": 0, "candidate": 0}, [])

    def test_what_came_back_is_taken_back_line_by_line(self, shop: Channel, xiaolu: Member, at: datetime) -> None:
        ProductFactory(channel=shop, code="P-tea")
        ProductFactory(channel=shop, code="P-sale", policy=ProductPolicy.SPECIAL)
        publish_rules(SPEND, rule("product_policy"), since=at - DAY)
        record(shop, [order("1", at, lines=(line("tea", "60"), line("sale", "40")))], at=at)
        came_back = RefundRecord("R1", RefundStatus.SUCCESS, Decimal(40), at + DAY, line_key="sale")
        record(shop, [order("1", at, lines=(line("tea", "60"), line("sale", "40")), refunds=(came_back,))], at=at)

        found = tried(rules(DOUBLE), at)

        assert found["gross"] == {"live": 80, "candidate": 200}
        assert found["kept"] == {"live": 60, "candidate": 120}
        assert found["journal"] == {"given": 80, "taken_back": 20, "differing": 0}

    def test_a_closed_order_keeps_nothing(self, shop: Channel, at: datetime) -> None:
        record(shop, [order("1", at)], at=at)
        record(shop, [replace(order("1", at), status=OrderStatus.CLOSED, closed_at=at + DAY)], at=at + DAY)
        OrderFactory(channel=shop, status=OrderStatus.CLOSED, placed_at=at, paid_at=None)

        found = tried(rules(DOUBLE), at)

        assert (found["orders"], found["gross"], found["kept"]) == (
            1, {"live": 100, "candidate": 200}, {"live": 0, "candidate": 0},
        )  # fmt: skip
        assert found["journal"] == {"given": 100, "taken_back": 100, "differing": 0}


class TestTheFigures:
    def test_by_month_tier_and_rule(self, shop: Channel, xiaolu: Member, at: datetime) -> None:
        for rank, code in enumerate(("base", "vip")):
            TierFactory(rank=rank, code=code)
        grant_tier(xiaolu.pk, "vip", at=at - DAY, until=None, actor_id=None, reason="A good customer")
        record(shop, [order("1", at), order("2", at - 30 * DAY, "50"), order("3", at, "10", DAYONG)], at=at)

        found = tried(
            rules(SPEND, rule("tier_multiplier", {"factors": {"vip": "2"}}, name="Tiers")),
            at,
            Period(date(2026, 1, 1), date(2026, 3, 31)),
        )

        assert [(row["month"], row["orders"], row["live"], row["candidate"]) for row in found["months"]] == [
            ("2026-02", 1, 50, 50), ("2026-03", 2, 110, 210),
        ]  # fmt: skip
        assert {row["tier"]: (row["orders"], row["candidate"]) for row in found["tiers"]} == {
            "base": (2, 60), "vip": (1, 200),
        }  # fmt: skip
        assert {row["rule"]: (row["live"], row["candidate"]) for row in found["rules"]} == {
            "spend": (160, 160), "tier-multiplier": (0, 100),
        }  # fmt: skip

    def test_who_gains_and_who_loses(self, shop: Channel, xiaolu: Member, dayong: Member, at: datetime) -> None:
        record(shop, [order("1", at), order("2", at, "30"), order("3", at, "9", DAYONG)], at=at)

        found = tried(rules(rule("spend", {"per": "10", "points": 20})), at)["members"]

        assert (found["all"], found["gain"], found["lose"]) == (2, 1, 1)
        assert found["gainers"] == [{"member": xiaolu.pk, "live": 130, "candidate": 260}]
        assert found["losers"] == [{"member": dayong.pk, "live": 9, "candidate": 0}]

    def test_orders_whose_points_cost_more_than_the_margin(self, shop: Channel, at: datetime) -> None:
        publish_cost(Decimal("0.02"), effective_from=at - DAY, at=at - DAY, actor_id=None, reason="Dear points")
        record(shop, [order("1", at), order("2", at, "99")], at=at)

        # 400 points for 100 yuan cost 8 yuan: that is not more than 8 percent. 16 more are.
        found = tried(
            rules(rule("spend", {"per": "1", "points": 4}), rule("first_order", {"points": 16})), at, MARCH, "8"
        )

        assert (found["margin"]["live"], found["margin"]["candidate"]) == (0, 1)
        [example] = found["margin"]["examples"]
        assert (example["paid"], example["live"], example["candidate"]) == (10_000, 100, 416)


class TestCaps:
    BUDGET = rule("steps", {"steps": [["50", 30]]}, caps={"budget": 100})

    def test_whoever_paid_first_has_what_is_left_of_a_budget(
        self, shop: Channel, xiaolu: Member, dayong: Member, at: datetime
    ) -> None:
        record(shop, [order(str(n), at + n * DAY, buyer=XIAOLU if n < 3 else DAYONG) for n in range(5)], at=at)

        found = tried(rules(SPEND, self.BUDGET), at)

        [budgeted] = [row for row in found["rules"] if row["rule"] == "steps"]
        assert (budgeted["candidate"], budgeted["orders"]["candidate"], budgeted["cut"]["candidate"]) == (100, 4, 20)
        assert {row["member"]: row["candidate"] - row["live"] for row in found["members"]["gainers"]} == {
            xiaolu.pk: 90, dayong.pk: 10,
        }  # fmt: skip

    def test_a_budget_goes_on_from_where_it_stood_before_the_period(self, shop: Channel, at: datetime) -> None:
        publish_rules(SPEND, self.BUDGET, since=at - 100 * DAY)
        record(shop, [order("1", at - 40 * DAY), order("2", at - 39 * DAY)], at=at)
        record(shop, [order(str(n), at + n * DAY) for n in range(3, 6)], at=at)

        found = tried(rules(SPEND, self.BUDGET), at)

        [budgeted] = [row for row in found["rules"] if row["rule"] == "steps"]
        assert budgeted["live"] == budgeted["candidate"] == 40
        assert found["journal"]["differing"] == 0

    def test_a_cap_of_a_day_begins_anew_with_the_day(self, shop: Channel, at: datetime) -> None:
        record(shop, [order(str(n), at + n * timedelta(hours=8)) for n in range(6)], at=at)

        found = tried(rules(rule("spend", {"per": "1", "points": 1}, caps={"per_member_day": 150})), at)

        # At noon and at eight on the 10th; at four, noon and eight on the 11th; at four on the 12th.
        assert found["gross"]["candidate"] == 150 + 150 + 100


class TestReproducingTheJournal:
    """Backtesting the live version gives what the journal gave."""

    RICH = (
        rule("product_policy", position=1),
        rule("spend", {"per": "2", "points": 3, "rounding": "half_up"}, position=2, group="base"),
        rule("payment_kind", {"kinds": ["gift_card"]}, position=1, group="base"),
        rule("tier_multiplier", {"factors": {"vip": "1.5"}}, position=5, caps={"per_member": 900}),
        rule("early_payment", {"minutes": 60, "points": 5}, position=6, caps={"per_member_day": 10}),
        rule("steps", {"steps": [["199", 20]]}, position=7, caps={"budget": 500, "per_rule_day": 60}),
        rule("first_order", {"points": 30}, position=8),
        rule("early_confirmation", {"days": 3, "points": 5}, position=9),
    )

    def test_rich_rules_with_caps_and_a_budget(self, shop: Channel, at: datetime) -> None:
        chance = Random(20_260_310)
        people = [BuyerRecord(f"buyer-{n}", f"Buyer {n}") for n in range(12)]
        for policy in ("normal", "special", "zero"):
            ProductFactory(channel=shop, code=f"P-{policy}", policy=policy)
        publish_rules(*self.RICH, since=at - 60 * DAY)
        orders = [self.any_order(chance, number, people, at) for number in range(400)]
        orders.sort(key=lambda found: (found.paid_at, found.external_no))
        record(shop, orders[:120], at=at)
        TierFactory(rank=0, code="base")
        TierFactory(rank=1, code="vip")
        for member in Member.objects.all()[::2]:
            grant_tier(member.pk, "vip", at=orders[120].paid_at or at, until=None, actor_id=None, reason="Often here")
        for since in range(120, 400, 70):
            record(shop, orders[since : since + 70], at=at + DAY)
        begun = (orders[150].paid_at or at).date() + DAY

        found = tried(rules(*self.RICH), at, Period(begun, at.date()))

        assert found["orders"] > 200
        assert found["journal"]["differing"] == 0
        assert found["journal"]["given"] == found["gross"]["live"] == found["gross"]["candidate"]
        assert found["journal"]["given"] - found["journal"]["taken_back"] == found["kept"]["live"]
        assert all(row["cut"]["live"] for row in found["rules"] if row["rule"] in ("steps", "tier-multiplier"))
        assert RuleUsage.objects.get(rule="steps", member=None, day=None).points == 500

    def any_order(self, chance: Random, number: int, people: list[BuyerRecord], at: datetime) -> OrderRecord:
        paid_at = at - timedelta(minutes=chance.randint(0, 59 * 24 * 60))
        lines = tuple(
            line(policy, str(Decimal(chance.randint(9_90, 180_00)) / 100), chance.randint(1, 3))
            for policy in chance.sample(("normal", "special", "zero"), chance.randint(1, 3))
        )
        paid = sum((one.amount or Decimal(0) for one in lines), Decimal(0))
        came_back = chance.random() < 0.2
        return OrderRecord(
            f"{number:06}", 2, status=OrderStatus.COMPLETED, buyer=chance.choice(people), paid=paid, lines=lines,
            placed_at=paid_at - timedelta(minutes=chance.choice((5, 120))), paid_at=paid_at, shipped_at=paid_at + DAY,
            completed_at=paid_at + chance.randint(2, 6) * DAY,
            payment_kind=chance.choice((PaymentKind.CASH, PaymentKind.GIFT_CARD)),
            refunds=(RefundRecord(f"R{number}", RefundStatus.SUCCESS, Decimal("7.77"), at),) if came_back else (),
        )  # fmt: skip

    def test_where_goods_have_changed_since_the_difference_is_told(self, shop: Channel, at: datetime) -> None:
        tea = ProductFactory(channel=shop, code="P-tea")
        publish_rules(SPEND, rule("product_policy"), since=at - DAY)
        record(shop, [order("1", at, lines=(line("tea", "100"),))], at=at)
        tea.policy = ProductPolicy.ZERO
        tea.save()

        found = tried(rules(SPEND), at)

        assert found["journal"] == {"given": 100, "taken_back": 0, "differing": 1}
        assert found["gross"] == {"live": 0, "candidate": 100}


def test_a_backtest_leaves_the_ledger_as_it_was(shop: Channel, at: datetime) -> None:
    publish_rules(SPEND, TestCaps.BUDGET, since=at - DAY)
    record(shop, [order(str(n), at + n * DAY) for n in range(5)], at=at)
    before = state.digest(), list(Entry.objects.order_by("pk").values()), list(RuleUsage.objects.values())

    tried(rules(DOUBLE, TestCaps.BUDGET), at)

    assert (state.digest(), list(Entry.objects.order_by("pk").values()), list(RuleUsage.objects.values())) == before
