"""What rules are told about orders and members."""

from datetime import date, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from crm.api import BuyerDetails, LineDetails, OrderDetails, member_facts, order_facts
from crm.choices import OrderStatus, PaymentKind, ProductPolicy, RefundStatus
from crm.member_profile import profile_complete
from crm.models import Channel, Member, Order, Tier
from crm.tiers.granting import grant_tier
from tests.factories import (
    MemberFactory,
    MemberTagFactory,
    OrderFactory,
    OrderLineFactory,
    ProductFactory,
    RefundFactory,
    TagFactory,
    TierFactory,
)

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)
ALL = frozenset({"lines", "products", "tier", "tags", "birthday", "earlier_orders", "usage"})


@pytest.fixture
def rungs(db: None) -> list[Tier]:
    return [TierFactory(rank=0, code="base"), TierFactory(rank=1, code="vip"), TierFactory(rank=2, code="svip")]


@pytest.fixture
def order(shop: Channel, xiaolu: Member, at: datetime) -> Order:
    """林小鹿's order of today."""
    return OrderFactory(channel=shop, member=xiaolu, placed_at=at, paid_at=at)


def told(order: Order, *needs: str, at: datetime) -> OrderDetails:
    return order_facts([order.pk], needs, at)[order.pk]


def buyer(order: Order, *needs: str, at: datetime) -> BuyerDetails:
    found = told(order, *needs, at=at).buyer
    assert found is not None
    return found


class TestLines:
    def test_a_line_tells_its_product_and_what_the_seller_says_of_it(
        self, order: Order, shop: Channel, at: datetime
    ) -> None:
        product = ProductFactory(channel=shop, code="T-1", policy=ProductPolicy.BONUS, bonus_points=5, category="绿茶")
        OrderLineFactory(order=order, key="a", product=product, quantity=2, amount=Decimal("60.00"))
        assert told(order, "products", at=at).lines == (
            LineDetails("a", product.pk, "T-1", 2, Decimal("60.00"), Decimal(0), "bonus", "绿茶", 5),
        )

    def test_lines_come_in_the_order_they_were_recorded(self, order: Order, at: datetime) -> None:
        for key in ("b", "a", "c"):
            OrderLineFactory(order=order, key=key)
        assert [line.key for line in told(order, "lines", at=at).lines] == ["b", "a", "c"]

    def test_a_line_without_an_amount_weighs_pieces_times_price(self, order: Order, at: datetime) -> None:
        OrderLineFactory(order=order, key="a", quantity=3, unit_price=Decimal("3.3350"))
        OrderLineFactory(order=order, key="b")
        assert [line.amount for line in told(order, "lines", at=at).lines] == [Decimal("10.01"), Decimal(0)]

    def test_only_successful_refunds_that_name_the_line_count_for_it(self, order: Order, at: datetime) -> None:
        OrderLineFactory(order=order, key="a")
        OrderLineFactory(order=order, key="b")
        RefundFactory(order=order, line_key="a", amount=Decimal("4.00"))
        RefundFactory(order=order, line_key="a", amount=Decimal("2.50"))
        RefundFactory(order=order, line_key="a", amount=Decimal("9.00"), status=RefundStatus.OPEN)
        RefundFactory(order=order, amount=Decimal("7.00"))
        RefundFactory(order=OrderFactory(channel=order.channel), line_key="b", amount=Decimal("1.00"))
        refunded = {line.key: line.refunded for line in told(order, "lines", at=at).lines}
        assert refunded == {"a": Decimal("6.50"), "b": Decimal(0)}


class TestTier:
    def test_the_tier_is_the_one_held_when_the_order_was_paid(
        self, order: Order, rungs: list[Tier], xiaolu: Member, at: datetime
    ) -> None:
        for days, code in ((-30, "vip"), (1, "svip")):
            grant_tier(xiaolu.pk, code, at=at + days * DAY, until=None, actor_id=None, reason="")
        known = buyer(order, "tier", at=at + 5 * DAY)
        assert (known.tier, known.tier_rank) == ("vip", 1)

    def test_an_order_without_a_payment_counts_from_its_placing_and_else_from_now(
        self, shop: Channel, rungs: list[Tier], xiaolu: Member, at: datetime
    ) -> None:
        grant_tier(xiaolu.pk, "vip", at=at, until=None, actor_id=None, reason="")
        placed = OrderFactory(channel=shop, member=xiaolu, paid_at=None, placed_at=at - DAY)
        timeless = OrderFactory(channel=shop, member=xiaolu, paid_at=None, placed_at=None)
        assert buyer(placed, "tier", at=at).tier == "base"
        assert buyer(timeless, "tier", at=at).tier == "vip"

    def test_a_shop_without_tiers_has_none_to_tell(self, order: Order, at: datetime) -> None:
        assert buyer(order, "tier", at=at) == BuyerDetails(order.member_id or 0)


class TestBuyer:
    def test_tags_are_told_by_name(self, order: Order, xiaolu: Member, at: datetime) -> None:
        for name in ("茶友", "批发"):
            MemberTagFactory(member=xiaolu, tag=TagFactory(name=name))
        assert buyer(order, "tags", at=at).tags == {"茶友", "批发"}

    def test_birthday_and_joining(self, order: Order, xiaolu: Member, at: datetime) -> None:
        Member.objects.filter(pk=xiaolu.pk).update(birthday=date(1990, 5, 1))
        known = buyer(order, "birthday", at=at)
        assert (known.birthday, known.joined_at, known.profile_complete) == (date(1990, 5, 1), xiaolu.joined_at, True)

    @pytest.mark.parametrize("name", ["", "Lin"])
    @pytest.mark.parametrize("email", ["", "lin@example.com"])
    @pytest.mark.parametrize("phone", ["", "13800000001"])
    @pytest.mark.parametrize("birthday", [None, date(1990, 5, 1)])
    def test_a_complete_profile_is_the_same_in_the_database_and_here(
        self, name: str, email: str, phone: str, birthday: date | None, at: datetime
    ) -> None:
        member = MemberFactory(name=name, email=email, phone=phone, birthday=birthday)
        complete = bool(name and birthday and (email or phone))
        assert profile_complete(member) is complete
        [told_of_him] = member_facts([(member.pk, at)], {"birthday"})
        assert told_of_him is not None
        assert told_of_him.profile_complete is complete

    def test_an_order_of_nobody_we_know_has_no_buyer(self, shop: Channel, at: datetime) -> None:
        assert told(OrderFactory(channel=shop, member=None), *ALL, at=at).buyer is None


class TestEarlierOrders:
    def test_paid_orders_before_this_one_count(self, order: Order, shop: Channel, xiaolu: Member, at: datetime) -> None:
        for status in OrderStatus:
            OrderFactory(channel=shop, member=xiaolu, status=status, paid_at=at - DAY)
        OrderFactory(channel=shop, member=xiaolu, paid_at=at + DAY)
        OrderFactory(channel=shop, paid_at=at - DAY)
        # Paid, shipped and completed; not placed and not closed.
        assert buyer(order, "earlier_orders", at=at).earlier_orders == 3

    def test_of_two_orders_paid_at_once_the_one_recorded_first_is_the_earlier(
        self, order: Order, shop: Channel, xiaolu: Member, at: datetime
    ) -> None:
        second = OrderFactory(channel=shop, member=xiaolu, placed_at=at, paid_at=at)
        facts = order_facts([second.pk, order.pk], {"earlier_orders"}, at)
        assert [facts[pk].buyer.earlier_orders for pk in (order.pk, second.pk)] == [0, 1]  # type: ignore[union-attr]

    def test_for_an_act_all_orders_before_it_count(self, order: Order, xiaolu: Member, at: datetime) -> None:
        moments = [(xiaolu.pk, at + DAY), (xiaolu.pk, at)]
        assert [facts and facts.earlier_orders for facts in member_facts(moments, {"earlier_orders"})] == [1, 0]


def test_the_payment_kind_is_always_told(shop: Channel, at: datetime) -> None:
    assert told(OrderFactory(channel=shop), at=at).payment_kind == ""
    assert told(OrderFactory(channel=shop, payment_kind=PaymentKind.GIFT_CARD), at=at).payment_kind == "gift_card"


def test_what_is_not_needed_is_not_told(order: Order, rungs: list[Tier], xiaolu: Member, at: datetime) -> None:
    OrderLineFactory(order=order)
    MemberTagFactory(member=xiaolu)
    assert told(order, "usage", at=at) == OrderDetails(order.pk, buyer=BuyerDetails(xiaolu.pk))


def test_orders_that_do_not_exist_are_left_out(order: Order, at: datetime) -> None:
    assert list(order_facts([order.pk, order.pk + 1000], ALL, at)) == [order.pk]


def test_members_are_told_without_an_order(rungs: list[Tier], xiaolu: Member, dayong: Member, at: datetime) -> None:
    grant_tier(xiaolu.pk, "vip", at=at, until=None, actor_id=None, reason="")
    MemberTagFactory(member=xiaolu, tag=TagFactory(name="茶友"))
    moments = [(xiaolu.pk, at), (dayong.pk + 1000, at), (dayong.pk, at), (xiaolu.pk, at - DAY)]
    assert member_facts(moments, {"tier", "tags"}) == [
        BuyerDetails(xiaolu.pk, "vip", 1, frozenset({"茶友"})),
        None,
        BuyerDetails(dayong.pk, "base", 0),
        BuyerDetails(xiaolu.pk, "base", 0, frozenset({"茶友"})),
    ]


def test_the_number_of_queries_does_not_grow_with_the_orders(
    shop: Channel, rungs: list[Tier], xiaolu: Member, at: datetime
) -> None:
    orders = []
    for _number in range(30):
        orders.append(OrderFactory(channel=shop, member=MemberFactory()).pk)
        OrderLineFactory.create_batch(
            2, order_id=orders[-1], order=None, product=ProductFactory(channel=shop), title=""
        )
    with CaptureQueriesContext(connection) as queries:
        assert len(order_facts(orders, ALL, at)) == 30
    assert len(queries) == 4
    with CaptureQueriesContext(connection) as queries:
        order_facts(orders, {"usage"}, at)
    assert len(queries) == 1
