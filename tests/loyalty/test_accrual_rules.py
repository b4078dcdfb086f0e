"""Orders under rules that look at more than the amount: what they earn, and that it stays what it was."""

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import permutations
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import translation

from crm.api import OrderChange, OrderChanges
from crm.choices import OrderStatus, ProductPolicy, RefundStatus
from crm.feeds.records import BuyerRecord, LineRecord, OrderRecord, RefundRecord
from crm.models import Channel, Member, Order, Product
from crm.orders import record
from crm.tiers.granting import grant_tier
from loyalty.accrual import on_orders
from loyalty.api import explain, history, run_nightly, summary
from loyalty.models import Entry, RuleUsage
from loyalty.rulebook import publish_rate
from tests.factories import ProductFactory, RefundFactory, TierFactory
from tests.loyalty.rulesets import SPEND, publish_rules, rule

pytestmark = pytest.mark.usefixtures("books_add_up")

DAY = timedelta(days=1)
XIAOLU = BuyerRecord("小鹿爱喝茶", "林小鹿")
DAYONG = BuyerRecord("dayong_w", "王大勇")
MARCH = {"kind": "dates", "first": "2026-03-01", "last": "2026-03-31"}
POLICY = rule("product_policy", name="Goods by their policy")


def points(member: Member, at: datetime) -> tuple[int, int]:
    """What a member has, and what waits."""
    found = summary(member.pk, at)
    return found.balance, found.pending


def line(key: str, amount: str, quantity: int = 1) -> LineRecord:
    return LineRecord(key, f"P-{key}", key, quantity, None, Decimal(amount))


@pytest.fixture
def tea(at: datetime) -> OrderRecord:
    """Tea for 100 yuan, paid and not yet sent."""
    return OrderRecord(
        "35153131", 2, status=OrderStatus.PAID, buyer=XIAOLU, paid=Decimal(100), placed_at=at - DAY, paid_at=at
    )


@pytest.fixture
def goods(shop: Channel) -> dict[str, Product]:
    """Goods that count in different ways, by the keys of their lines."""
    return {
        key: ProductFactory(channel=shop, code=f"P-{key}", policy=policy)
        for key, policy in (("tea", "normal"), ("zero", "zero"), ("sale", "special"))
    }


def done(order: OrderRecord, at: datetime, **rest: Any) -> OrderRecord:
    return replace(order, status=OrderStatus.COMPLETED, completed_at=at, **rest)


def refunded(order: OrderRecord, amount: str, at: datetime) -> OrderRecord:
    return replace(order, refunds=(RefundRecord("R1", RefundStatus.SUCCESS, Decimal(amount), at),))


def line_came_back(number: str, key: str, amount: str, at: datetime) -> None:
    """One line of an order is returned: the platform says which."""
    order = Order.objects.select_related("channel").get(external_no=number)
    RefundFactory(order=order, line_key=key, amount=Decimal(amount), at=at)
    order.refunded += Decimal(amount)
    order.save()
    change = OrderChange(
        order.pk, order.channel.code, number, order.member_id, OrderStatus(order.status), order.paid, order.refunded,
        order.placed_at, order.paid_at, order.shipped_at, order.completed_at, order.closed_at,
    )  # fmt: skip
    on_orders(OrderChanges((change,)), at)


class TestWhatWasPromisedHolds:
    def test_a_refund_is_reckoned_by_the_rules_of_the_day_of_payment(
        self, shop: Channel, xiaolu: Member, tea: OrderRecord, at: datetime
    ) -> None:
        publish_rate(Decimal(1), 2, effective_from=at - DAY, at=at - DAY, actor_id=None, reason="Festival")
        record(shop, [done(tea, at)], at=at)
        publish_rate(Decimal(10), 1, effective_from=at - DAY, at=at, actor_id=None, reason="Over")

        record(shop, [refunded(done(tea, at), "25", at)], at=at + DAY)

        assert points(xiaolu, at) == (150, 0)

    def test_a_corrected_amount_is_worked_out_again_under_the_same_version(
        self, shop: Channel, xiaolu: Member, tea: OrderRecord, at: datetime
    ) -> None:
        publish_rate(Decimal(1), 2, effective_from=at - DAY, at=at - DAY, actor_id=None, reason="Festival")
        record(shop, [tea], at=at)
        publish_rate(Decimal(10), 1, effective_from=at - DAY, at=at, actor_id=None, reason="Over")

        record(shop, [replace(tea, status=OrderStatus.SHIPPED, paid=Decimal(130))], at=at)

        assert points(xiaolu, at) == (0, 260)
        assert set(Entry.objects.values_list("trace__set", flat=True)) == {1}

    def test_a_product_that_becomes_a_zero_point_product_later_changes_nothing(
        self, shop: Channel, xiaolu: Member, tea: OrderRecord, goods: dict[str, Product], at: datetime
    ) -> None:
        publish_rules(SPEND, POLICY, since=at - DAY)
        order = replace(tea, lines=(line("tea", "60"), line("sale", "40")))
        record(shop, [order], at=at)
        Product.objects.update(policy=ProductPolicy.ZERO)

        record(shop, [refunded(done(order, at), "20", at)], at=at + DAY)

        assert points(xiaolu, at) == (64, 0)  # 60 + 20, less a fifth of each.

        record(shop, [done(order, at, paid=Decimal(200), updated_at=at + DAY)], at=at + DAY)

        assert points(xiaolu, at) == (144, 0)  # 120 + 40, less a tenth.

    def test_a_tier_that_is_lost_later_changes_nothing(
        self, shop: Channel, xiaolu: Member, tea: OrderRecord, at: datetime
    ) -> None:
        for rank, code in enumerate(("base", "vip")):
            TierFactory(rank=rank, code=code)
        publish_rules(SPEND, rule("tier_multiplier", {"factors": {"vip": "2"}}), since=at - DAY)
        grant = grant_tier(xiaolu.pk, "vip", at=at - DAY, until=None, actor_id=None, reason="A good customer")
        record(shop, [tea], at=at)
        type(grant).objects.update(ended_at=at - timedelta(hours=1))

        record(shop, [done(tea, at, paid=Decimal(150))], at=at)

        assert points(xiaolu, at) == (300, 0)

    def test_every_line_names_the_version(self, shop: Channel, xiaolu: Member, tea: OrderRecord, at: datetime) -> None:
        publish_rules(SPEND, POLICY, since=at - DAY)
        record(shop, [replace(tea, status=OrderStatus.SHIPPED, shipped_at=at)], at=at)
        run_nightly(at + 31 * DAY, at=at + 31 * DAY)
        record(shop, [refunded(tea, "10", at)], at=at + 40 * DAY)

        kinds = dict(Entry.objects.values_list("kind", "trace__set"))

        assert kinds == {"accrual": 1, "maturation": 1, "reversal": 1}


class TestWhatIsReturned:
    @pytest.fixture
    def mixed(
        self, shop: Channel, xiaolu: Member, goods: dict[str, Product], tea: OrderRecord, at: datetime
    ) -> OrderRecord:
        """50 yuan of tea, 100 of a zero-point product, 30 on sale: worth 50 + 0 + 15 points."""
        publish_rules(SPEND, POLICY, since=at - DAY)
        order = done(
            replace(tea, paid=Decimal(180), lines=(line("zero", "100"), line("tea", "50"), line("sale", "30"))), at
        )
        record(shop, [order], at=at)
        return order

    @pytest.mark.parametrize(
        ("key", "amount", "left"),
        [("zero", "100", 65), ("tea", "50", 15), ("sale", "30", 50), ("tea", "25", 40), ("sale", "10", 60)],
    )
    def test_a_line_takes_back_what_that_line_earned(
        self, mixed: OrderRecord, xiaolu: Member, at: datetime, *, key: str, amount: str, left: int
    ) -> None:
        line_came_back("35153131", key, amount, at)

        assert points(xiaolu, at) == (left, 0)

    @pytest.mark.parametrize("keys", list(permutations(["zero", "tea", "sale"])))
    def test_all_lines_in_any_sequence_leave_nothing(
        self, mixed: OrderRecord, xiaolu: Member, keys: tuple[str, ...], at: datetime
    ) -> None:
        amounts = {"zero": "100", "tea": "50", "sale": "30"}

        for key in keys:
            line_came_back("35153131", key, amounts[key], at)

        assert points(xiaolu, at) == (0, 0)

    def test_a_refund_that_names_no_line_is_shared_by_all(
        self, mixed: OrderRecord, shop: Channel, xiaolu: Member, at: datetime
    ) -> None:
        record(shop, [refunded(mixed, "90", at)], at=at)

        assert points(xiaolu, at) == (33, 0)  # Half of 50, and half of 15 in the buyer's favour.

    def test_returns_without_an_order_count_for_the_plain_rate(
        self, shop: Channel, xiaolu: Member, tea: OrderRecord, at: datetime
    ) -> None:
        publish_rules(SPEND, rule("festival", {"window": MARCH, "factor": "3"}), since=at - DAY)
        record(shop, [done(tea, at)], at=at)
        back = RefundRecord("C1", RefundStatus.SUCCESS, Decimal(40), at)

        record(shop, [OrderRecord("C1", 2, buyer=XIAOLU, unlinked_refund=back)], at=at)

        assert points(xiaolu, at) == (260, 0)


class TestWhatComesLater:
    def test_lines_that_come_after_the_order_end_like_lines_that_come_before(
        self, shop: Channel, xiaolu: Member, tea: OrderRecord, goods: dict[str, Product], at: datetime
    ) -> None:
        publish_rules(SPEND, POLICY, since=at - DAY)
        facts = [
            tea, OrderRecord("35153131", 2, lines=(line("zero", "60"), line("sale", "40"))), done(tea, at),
            refunded(tea, "50", at),
        ]  # fmt: skip
        ends = set()
        for sequence in permutations(facts):
            with transaction.atomic():
                for fact in sequence:
                    record(shop, [fact], at=at)
                ends.add(points(xiaolu, at))
                transaction.set_rollback(True)

        assert ends == {(10, 0)}

    def test_an_early_confirmation_adds_its_points_when_it_comes(
        self, shop: Channel, xiaolu: Member, tea: OrderRecord, at: datetime
    ) -> None:
        publish_rules(SPEND, rule("early_confirmation", {"days": 3, "points": 5}, name="Quick"), since=at - DAY)
        sent = replace(tea, status=OrderStatus.SHIPPED, shipped_at=at)
        record(shop, [sent], at=at)
        assert points(xiaolu, at) == (0, 100)

        record(shop, [done(sent, at + 2 * DAY)], at=at + 2 * DAY)
        record(shop, [refunded(done(sent, at + 2 * DAY), "50", at)], at=at + 9 * DAY)

        assert points(xiaolu, at) == (53, 0)  # 105, less 50 and 2 of the 5.

    def test_of_an_order_seen_completed_at_once_too(
        self, shop: Channel, xiaolu: Member, tea: OrderRecord, at: datetime
    ) -> None:
        publish_rules(SPEND, rule("early_confirmation", {"days": 3, "points": 5}), since=at - DAY)

        record(shop, [done(replace(tea, shipped_at=at), at + 2 * DAY)], at=at + 2 * DAY)

        assert points(xiaolu, at) == (105, 0)


def test_the_table_of_the_ledger_s_page(
    shop: Channel, xiaolu: Member, tea: OrderRecord, goods: dict[str, Product], at: datetime
) -> None:
    publish_rules(SPEND, POLICY, rule("early_confirmation", {"days": 3, "points": 5}), since=at - DAY)
    order = replace(
        tea, status=OrderStatus.SHIPPED, shipped_at=at, paid=Decimal(180),
        lines=(line("tea", "50"), line("sale", "30"), line("zero", "100")),
    )  # fmt: skip
    have = []

    record(shop, [order], at=at)
    have.append(points(xiaolu, at))
    Product.objects.filter(code="P-tea").update(policy=ProductPolicy.ZERO)
    record(shop, [done(order, at + 2 * DAY)], at=at + 2 * DAY)
    have.append(points(xiaolu, at))
    for key, amount in (("zero", "100"), ("sale", "30")):
        line_came_back("35153131", key, amount, at)
        have.append(points(xiaolu, at))

    assert have == [(0, 65), (70, 0), (70, 0), (53, 0)]


class TestCaps:
    def capped(self, at: datetime, **caps: int) -> None:
        publish_rules(SPEND | {"caps": caps}, since=at - 9 * DAY)

    def used(self) -> dict[str, int]:
        rows = RuleUsage.objects.values_list("member__name", "day", "points")
        return {f"{member or 'all'} {day or 'ever'}": given for member, day, given in rows}

    def test_a_member_s_cap_counts_over_all_his_orders(
        self, shop: Channel, xiaolu: Member, dayong: Member, tea: OrderRecord, at: datetime
    ) -> None:
        self.capped(at, per_member=150)

        record(shop, [replace(tea, external_no=number) for number in "123"], at=at)
        record(shop, [replace(tea, external_no="4", buyer=DAYONG)], at=at)

        assert (points(xiaolu, at), points(dayong, at)) == ((0, 150), (0, 100))
        assert self.used() == {"林小鹿 ever": 150, "王大勇 ever": 100}

    def test_a_cap_for_a_day_begins_anew_with_the_programme_s_day(
        self, shop: Channel, xiaolu: Member, tea: OrderRecord, at: datetime
    ) -> None:
        self.capped(at, per_member_day=120, per_rule_day=1000)
        midnight = at.replace(hour=0)
        moments = [midnight - timedelta(minutes=1), midnight, midnight + timedelta(hours=23, minutes=59)]

        record(shop, [replace(tea, external_no=str(n), paid_at=moment) for n, moment in enumerate(moments)], at=at)

        assert points(xiaolu, at) == (0, 220)
        assert self.used() == {
            "林小鹿 2026-03-09": 100, "林小鹿 2026-03-10": 120, "all 2026-03-09": 100, "all 2026-03-10": 120,
        }  # fmt: skip

    def test_a_budget_gives_its_last_points_and_then_none(
        self, shop: Channel, xiaolu: Member, dayong: Member, tea: OrderRecord, at: datetime
    ) -> None:
        self.capped(at, budget=130)

        record(shop, [tea], at=at)
        record(shop, [replace(tea, external_no="2", buyer=DAYONG), replace(tea, external_no="3")], at=at)

        assert (points(xiaolu, at), points(dayong, at)) == ((0, 100), (0, 30))
        assert self.used() == {"all ever": 130}

    def test_within_a_batch_those_who_paid_first_come_first(
        self, shop: Channel, xiaolu: Member, dayong: Member, tea: OrderRecord, at: datetime
    ) -> None:
        self.capped(at, budget=130)
        earlier = replace(tea, external_no="9", buyer=DAYONG, paid_at=at - timedelta(hours=1))

        record(shop, [tea, earlier], at=at)

        assert (points(xiaolu, at), points(dayong, at)) == ((0, 30), (0, 100))

    def test_the_same_report_again_counts_nothing(
        self, shop: Channel, xiaolu: Member, tea: OrderRecord, at: datetime
    ) -> None:
        self.capped(at, budget=130, per_member=130)

        for state in (tea, tea, done(tea, at), done(tea, at)):
            record(shop, [state], at=at)

        assert self.used() == {"林小鹿 ever": 100, "all ever": 100}

    def test_a_return_gives_the_budget_nothing_back(
        self, shop: Channel, xiaolu: Member, dayong: Member, tea: OrderRecord, at: datetime
    ) -> None:
        self.capped(at, budget=130)
        record(shop, [tea], at=at)

        record(shop, [replace(tea, status=OrderStatus.CLOSED, closed_at=at)], at=at)
        record(shop, [replace(tea, external_no="2", buyer=DAYONG)], at=at)

        assert points(dayong, at) == (0, 30)

    @pytest.mark.parametrize(("paid", "worth", "used"), [("120", 120, 120), ("500", 130, 130), ("80", 80, 100)])
    def test_a_corrected_order_goes_on_from_its_own_share_of_a_cap(
        self, shop: Channel, xiaolu: Member, tea: OrderRecord, at: datetime, *, paid: str, worth: int, used: int
    ) -> None:
        self.capped(at, budget=130)
        record(shop, [tea], at=at)

        record(shop, [replace(tea, status=OrderStatus.SHIPPED, paid=Decimal(paid))], at=at)

        assert points(xiaolu, at) == (0, worth)
        assert self.used() == {"all ever": used}

    def test_a_cap_goes_on_with_the_next_version_of_its_rule(
        self, shop: Channel, xiaolu: Member, tea: OrderRecord, at: datetime
    ) -> None:
        self.capped(at, budget=130)
        record(shop, [tea], at=at)
        publish_rules(SPEND | {"caps": {"budget": 150}}, since=at - DAY)

        record(shop, [replace(tea, external_no="2")], at=at)

        assert points(xiaolu, at) == (0, 150)

    def test_what_a_cap_cut_is_told(self, shop: Channel, xiaolu: Member, tea: OrderRecord, at: datetime) -> None:
        publish_rules(
            SPEND | {"name": "A point a yuan"},
            rule("steps", {"steps": [["80", 50]]}, name="Spring gift", caps={"budget": 20}),
            since=at - DAY,
        )
        record(shop, [done(tea, at)], at=at)

        with translation.override("en"):
            told = explain(history(xiaolu.pk)[0])

        assert told[:4] == [
            "A point a yuan: 100.00 yuan count, and every 1 yuan earns 1 point, whole steps only: 100 points.",
            "Spring gift: 50 points.",
            "The budget of the rule is used up, so 30 points less: 20 points.",
            "Together 120 points (rule version 1).",
        ]


class TestWhatItCosts:
    @pytest.mark.parametrize(
        "rules",
        [
            (),
            (SPEND | {"config": {"per": "2", "points": 3}},),
            (SPEND, rule("birthday", {"points": 50}, caps={"per_member": 500}), rule("profile", {"points": 5})),
        ],
        ids=["built in", "plain", "with rules about acts"],
    )
    def test_rules_that_look_at_the_amount_alone_read_nothing_else(
        self,
        shop: Channel,
        xiaolu: Member,
        tea: OrderRecord,
        at: datetime,
        *,
        rules: tuple[Any, ...],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        if rules:
            publish_rules(*rules, since=at - DAY)
        for fetch in ("order_facts", "load_usage"):
            monkeypatch.delattr(f"loyalty.order_worth.{fetch}")

        record(shop, [replace(tea, lines=(line("tea", "100"),))], at=at)

        assert points(xiaolu, at)[1] >= 100

    def test_a_batch_of_many_orders_asks_as_often_as_a_batch_of_one(
        self, shop: Channel, xiaolu: Member, tea: OrderRecord, at: datetime
    ) -> None:
        publish_rules(
            SPEND | {"caps": {"budget": 5000, "per_member_day": 900}}, POLICY,
            rule("first_order", {"points": 5}), rule("tier_multiplier", {"factors": {"vip": "2"}}), since=at - DAY,
        )  # fmt: skip
        record(shop, [replace(tea, external_no="0")], at=at)
        asked = []
        for batch in (["1"], ["2", "3", "4", "5", "6", "7"]):
            with CaptureQueriesContext(connection) as queries:
                record(shop, [replace(tea, external_no=n, lines=(line("tea", "100"),)) for n in batch], at=at)
            asked.append(len(queries))

        assert asked[0] == asked[1]


def test_what_was_nearly_reached_is_told_with_the_points(
    shop: Channel, xiaolu: Member, tea: OrderRecord, at: datetime
) -> None:
    publish_rules(SPEND, rule("steps", {"steps": [["103", 20]]}, name="Over 103 yuan"), since=at - DAY)

    record(shop, [tea], at=at)

    with translation.override("en"):
        assert "Over 103 yuan: 3.00 yuan short of it." in explain(history(xiaolu.pk)[0])
