"""Orders of a period one after the other, as they were paid."""

from datetime import UTC, datetime, timedelta

import pytest

from crm.api import count_paid_orders, first_and_last_paid, ids_of_orders_since, order_facts, paid_orders
from crm.choices import OrderStatus
from crm.models import Channel, Member, Order
from tests.factories import OrderFactory

HOUR = timedelta(hours=1)
EVER = (datetime(2020, 1, 1, tzinfo=UTC), datetime(2030, 1, 1, tzinfo=UTC))


def numbers(batch: int = 100) -> list[list[str]]:
    return [[order.change.external_no for order in orders] for orders in paid_orders(*EVER, batch=batch)]


def test_they_come_in_the_order_of_payment_some_at_a_time(shop: Channel, xiaolu: Member, at: datetime) -> None:
    OrderFactory(channel=shop, member=xiaolu, external_no="late", placed_at=at - 9 * HOUR, paid_at=at + HOUR)
    OrderFactory(channel=shop, member=xiaolu, external_no="b", placed_at=at, paid_at=None)
    OrderFactory(channel=shop, member=xiaolu, external_no="a", placed_at=at - HOUR, paid_at=at)

    assert numbers(batch=2) == [["a", "b"], ["late"]]


def test_orders_nobody_paid_or_nobody_is_known_to_have_paid_are_left_out(
    shop: Channel, xiaolu: Member, at: datetime
) -> None:
    OrderFactory(channel=shop, member=xiaolu, status=OrderStatus.PLACED, placed_at=at)
    OrderFactory(channel=shop, member=None, placed_at=at)
    OrderFactory(channel=shop, member=xiaolu, placed_at=None, paid_at=None)
    closed = OrderFactory(channel=shop, member=xiaolu, status=OrderStatus.CLOSED, placed_at=at, paid_at=at)

    assert numbers() == [[closed.external_no]]
    assert count_paid_orders(*EVER) == 1
    assert list(ids_of_orders_since(EVER[0], batch=5)) == [[closed.pk]]


def test_a_period_takes_its_first_instant_in_and_not_its_last(shop: Channel, xiaolu: Member, at: datetime) -> None:
    for hour in range(3):
        OrderFactory(channel=shop, member=xiaolu, external_no=str(hour), paid_at=at + hour * HOUR)

    [orders] = paid_orders(at, at + 2 * HOUR, batch=10)

    assert [order.change.external_no for order in orders] == ["0", "1"]
    assert count_paid_orders(at, at + 2 * HOUR) == 2
    assert first_and_last_paid() == (at, at + 2 * HOUR)


def test_without_orders_there_is_nothing(db: None) -> None:
    assert numbers() == []
    assert first_and_last_paid() is None


@pytest.mark.parametrize("batch", [1, 100])
def test_each_knows_how_many_its_member_had_paid_before(
    shop: Channel, xiaolu: Member, dayong: Member, at: datetime, batch: int
) -> None:
    statuses = [OrderStatus.PAID, OrderStatus.PLACED, OrderStatus.CLOSED, OrderStatus.SHIPPED, OrderStatus.COMPLETED]
    for hour in (5, 1, 1, 4, 0, 2, 7):
        for member, status in ((xiaolu, statuses[hour % 5]), (dayong, statuses[(hour + 2) % 5])):
            OrderFactory(channel=shop, member=member, status=status, placed_at=at + hour * HOUR, paid_at=None)

    told = {
        order.change.order_id: order.earlier_orders
        for orders in paid_orders(at + HOUR, at + 9 * HOUR, batch=batch, numbered=True)
        for order in orders
    }

    facts = order_facts(list(Order.objects.values_list("pk", flat=True)), {"earlier_orders"}, at)
    assert told
    assert told == {pk: facts[pk].buyer.earlier_orders for pk in told}  # type: ignore[union-attr]
