"""Why an order brought nothing, on the buyer's page."""

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from crm.choices import OrderStatus, ProductPolicy
from crm.feeds.records import BuyerRecord, LineRecord, OrderRecord
from crm.models import Channel, Member, Order
from crm.orders import record
from loyalty.models import Entry
from tests.factories import OrderFactory, ProductFactory
from tests.loyalty.rulesets import SPEND, publish_rules, rule
from tests.redemption.conftest import SignIn

PAGE = "/history/without-points/"
XIAOLU = BuyerRecord("小鹿爱喝茶", "林小鹿")
EVERY_TEN = rule("spend", {"per": "10", "points": 1}, name="A point for ten yuan")


def buys(shop: Channel, at: datetime, number: int = 1, **said: Any) -> None:
    """林小鹿 buys something, and the shop's file says so."""
    order = OrderRecord(
        f"3515{number}", 2, status=OrderStatus.COMPLETED, buyer=XIAOLU, paid=Decimal(100), placed_at=at, paid_at=at,
        completed_at=at, title="Spring tea",
    )  # fmt: skip
    record(shop, [replace(order, **said)], at=at)


def told(client: Client, query: str = "") -> dict[str, list[str]]:
    """The reasons, by order number."""
    return {shown.found.order.external_no: shown.reasons for shown in client.get(PAGE + query).context["orders"]}


def test_an_order_that_earned_something_is_not_there(
    shop: Channel, xiaolu: Member, at: datetime, sign_in: SignIn
) -> None:
    buys(shop, at)

    answer = sign_in(xiaolu).get(PAGE)

    assert Entry.objects.exists()
    assert "each of yours has brought points" in answer.content.decode()


def test_the_first_step_was_not_reached(shop: Channel, xiaolu: Member, at: datetime, sign_in: SignIn) -> None:
    publish_rules(EVERY_TEN, since=at)
    buys(shop, at, paid=Decimal("7.50"))

    client = sign_in(xiaolu)

    assert told(client) == {"35151": ["A point for ten yuan: 2.50 yuan short of it."]}
    page = client.get(PAGE).content.decode()
    assert "Why it brought nothing" in page
    assert "Spring tea" in page
    assert f"at {shop.name}" in page


def test_goods_that_earn_nothing_say_so(shop: Channel, xiaolu: Member, at: datetime, sign_in: SignIn) -> None:
    publish_rules(rule("product_policy", name="Goods by their policy"), SPEND, since=at)
    ProductFactory(channel=shop, code="kettle", policy=ProductPolicy.ZERO)
    buys(shop, at, lines=(LineRecord("1", "kettle", "Kettle", 1, None, Decimal(100)),))

    assert told(sign_in(xiaolu)) == {"35151": ["Goods by their policy: goods for 100.00 yuan earn no points."]}


def test_the_nearest_reason_comes_first_and_what_follows_from_others_is_not_told(
    shop: Channel, xiaolu: Member, at: datetime, sign_in: SignIn
) -> None:
    publish_rules(
        rule("festival", {"window": {"kind": "dates", "first": "2026-01-01", "last": "2026-01-02"}, "points": 5}),
        rule("tier_multiplier", {"factors": {"vip": "1.5"}}),
        rule("spend", {"per": "1", "points": 1}, conditions={"amount_at_least": "199"}, name="From 199 yuan on"),
        since=at,
    )
    buys(shop, at)

    [reasons] = told(sign_in(xiaolu)).values()

    assert reasons[0] == "From 199 yuan on: 99.00 yuan short of it."
    assert not [reason for reason in reasons if "multiply" in reason]


def test_a_limit_that_was_reached_is_told(shop: Channel, xiaolu: Member, at: datetime, sign_in: SignIn) -> None:
    publish_rules(rule("spend", {"per": "1", "points": 1}, caps={"per_member": 100}, name="A point a yuan"), since=at)
    buys(shop, at)
    buys(shop, at, 2)

    assert told(sign_in(xiaolu)) == {"35152": ["A point a yuan: the limit of 100 points has been reached."]}


def test_an_order_on_its_way_hears_that_the_receipt_counts(
    shop: Channel, xiaolu: Member, at: datetime, sign_in: SignIn
) -> None:
    publish_rules(rule("early_confirmation", {"days": 5, "points": 20}, name="Quick receipt"), since=at)
    buys(shop, at, status=OrderStatus.SHIPPED, completed_at=None, shipped_at=at)

    assert told(sign_in(xiaolu)) == {
        "35151": [
            "Quick receipt: confirm the receipt within 5 days of shipping.",
            "It has not been received yet; some rules count only then.",
        ]
    }


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ({"status": OrderStatus.PLACED, "paid_at": None}, "It is not paid yet."),
        ({"status": OrderStatus.CLOSED}, "The order was closed"),
        ({"status": OrderStatus.COMPLETED, "paid": 0}, "Nothing was paid for it"),
        ({"status": OrderStatus.COMPLETED, "refunded": 100}, "All the money went back"),
    ],
)
def test_orders_that_no_rule_is_asked_about_say_why(
    said: dict[str, Any], reason: str, shop: Channel, xiaolu: Member, sign_in: SignIn
) -> None:
    OrderFactory(channel=shop, member=xiaolu, **said)

    [reasons] = told(sign_in(xiaolu)).values()

    assert len(reasons) == 1
    assert reasons[0].startswith(reason)


def test_what_would_be_worth_something_today_was_worth_nothing_then(
    shop: Channel, xiaolu: Member, sign_in: SignIn
) -> None:
    OrderFactory(channel=shop, member=xiaolu, status=OrderStatus.COMPLETED)

    [reasons] = told(sign_in(xiaolu)).values()

    assert reasons == ["It brought nothing under the rules of the day it was paid."]


def test_pages_have_no_gap_and_no_repeat_with_orders_of_one_moment_or_none(
    shop: Channel, xiaolu: Member, at: datetime, sign_in: SignIn
) -> None:
    for number in range(50):
        moment = None if number % 10 == 0 else at - timedelta(days=number // 4)
        OrderFactory(channel=shop, member=xiaolu, status=OrderStatus.CLOSED, placed_at=moment)
    client = sign_in(xiaolu)

    seen: list[int] = []
    query: str | None = ""
    while query is not None:
        context = client.get(PAGE + query).context
        seen += [shown.found.order.order_id for shown in context["orders"]]
        query = f"?before={context['older']}" if context["older"] else None

    assert len(seen) == len(set(seen)) == 50
    moments = [Order.objects.get(pk=pk).placed_at for pk in seen]
    known = [moment for moment in moments if moment]
    assert known == sorted(known, reverse=True)
    assert moments[-5:] == [None] * 5


def test_htmx_gets_only_the_further_lines(shop: Channel, xiaolu: Member, sign_in: SignIn) -> None:
    OrderFactory.create_batch(25, channel=shop, member=xiaolu, status=OrderStatus.CLOSED)
    client = sign_in(xiaolu)
    older = client.get(PAGE).context["older"]

    more = client.get(f"{PAGE}?before={older}", headers={"hx-request": "true"}).content.decode()

    assert more.count('<li class="line">') == 5
    assert "<html" not in more


def test_nobody_sees_the_orders_of_another(shop: Channel, xiaolu: Member, dayong: Member, sign_in: SignIn) -> None:
    mine = OrderFactory(channel=shop, member=xiaolu, status=OrderStatus.CLOSED)

    assert told(sign_in(dayong)) == {}
    assert told(sign_in(dayong), f"?before={mine.pk}") == {}


def test_the_page_costs_the_same_for_one_order_and_for_many(
    shop: Channel, xiaolu: Member, at: datetime, sign_in: SignIn, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    capped = rule("spend", {"per": "1", "points": 1}, caps={"budget": 1}, name="One point in all")
    publish_rules(rule("product_policy"), capped, since=at)
    client = sign_in(xiaolu)
    line = LineRecord("1", "tea", "Tea", 1, None, Decimal(100))

    for orders in (1, 20):
        for number in range(orders + 1):
            buys(shop, at, number, lines=(line,))
        # Session, login and member; the orders, the sets, lines and heads of the orders, the counters, the rule names.
        with django_assert_num_queries(8):
            assert len(told(client)) == orders
