"""What a buyer sees of his points."""

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from crm.choices import OrderStatus
from crm.feeds.records import BuyerRecord, OrderRecord
from crm.models import Channel, Member
from crm.orders import record
from loyalty import api as loyalty
from loyalty.models import Lot
from loyalty.posting import reversal
from redemption.models import CouponPlan
from tests.cast import NOON, SHANGHAI, GivePoints
from tests.factories import CouponPlanFactory, OrderFactory, StaffFactory
from tests.loyalty.rulesets import publish_rules, rule
from tests.redemption.conftest import SignIn

DAY = timedelta(days=1)


def earn(member: Member, channel: Channel, number: int, points: int, at: datetime, *, pending: bool = False) -> None:
    order = OrderFactory(channel=channel, member=member, external_no=f"35153131{number:09}", title="明前龙井 250g")
    posting = loyalty.accrual(
        member.pk,
        points,
        key=f"order:{number}",
        effective_at=at,
        order_id=order.pk,
        pending=pending,
        expires_at=None if pending else loyalty.validity_end(at),
        trace={
            "set": 1, "award": {"set": 1, "rules": [["spend", "spend", 100 * points, "1/1", points, "down"]]},
            "paid": f"{points}.00", "worth": points, "before": 0,
        },
    )  # fmt: skip
    loyalty.post([posting], at=at)


def test_a_stranger_is_invited(client: Client, plan: CouponPlan, clock: None) -> None:
    page = client.get("/", headers={"accept-language": "en"}).content.decode()

    assert "Send me a code" in page
    assert "¥10" in page
    assert "100 points" in page


def test_a_member_sees_what_he_has_and_what_it_is_worth(
    xiaolu: Member, plan: CouponPlan, give_points: GivePoints, sign_in: SignIn
) -> None:
    give_points(xiaolu, 1234)

    page = sign_in(xiaolu).get("/").content.decode()

    assert "林小鹿" in page
    assert "1,234" in page
    assert "worth ¥123.40 in coupons" in page


def test_points_that_wait_for_an_order_are_shown_apart(
    xiaolu: Member, shop: Channel, plan: CouponPlan, at: datetime, sign_in: SignIn
) -> None:
    earn(xiaolu, shop, 1, 88, at, pending=True)

    response = sign_in(xiaolu).get("/")

    assert (response.context["summary"].balance, response.context["summary"].pending) == (0, 88)
    page = response.content.decode()
    assert "From orders on their way" in page
    assert "88 points are on their way" in page
    assert "Your next order brings points" not in page


def test_points_that_wait_are_told_when_they_come_at_the_latest(
    xiaolu: Member, shop: Channel, at: datetime, sign_in: SignIn
) -> None:
    buyer = BuyerRecord("小鹿爱喝茶", "林小鹿")
    shipped = OrderRecord(
        "3515", 2, status=OrderStatus.SHIPPED, buyer=buyer, paid=Decimal(88), placed_at=at, paid_at=at, shipped_at=at
    )
    record(shop, [shipped], at=at)

    response = sign_in(xiaolu).get("/")

    ripens_at = response.context["summary"].ripens_at
    assert ripens_at == loyalty.summary(xiaolu.pk, at).ripens_at == Lot.objects.get().available_at
    assert "the first by April 9, 2026 at the latest" in response.content.decode()


class TestANewestOrderThatBroughtNothing:
    """Fifty yuan bring a point; the newest order, of 40 yuan, was short of it by little."""

    @pytest.fixture(autouse=True)
    def every_fifty(self, xiaolu: Member, at: datetime) -> None:
        publish_rules(rule("spend", {"per": "50", "points": 1}, name="A point for fifty yuan"), since=at - 60 * DAY)

    @staticmethod
    def buys(shop: Channel, paid: int, at: datetime, **said: Any) -> None:
        order = OrderRecord(
            f"3515{paid}", 2, status=OrderStatus.COMPLETED, buyer=BuyerRecord("小鹿爱喝茶", "林小鹿"),
            paid=Decimal(paid), placed_at=at, paid_at=at, completed_at=at,
        )  # fmt: skip
        record(shop, [replace(order, **said)], at=at)

    def test_is_told_with_the_way_to_the_reasons(
        self, xiaolu: Member, shop: Channel, at: datetime, sign_in: SignIn
    ) -> None:
        self.buys(shop, 40, at)

        page = sign_in(xiaolu).get("/").content.decode()

        assert "Your newest order brought no points." in page
        assert "A point for fifty yuan: 10.00 yuan short of it." in page
        assert 'href="/history/without-points/"' in page

    def test_is_not_told_where_it_was_far_from_it(
        self, xiaolu: Member, shop: Channel, at: datetime, sign_in: SignIn
    ) -> None:
        self.buys(shop, 20, at)

        assert "Your newest order brought no points." not in sign_in(xiaolu).get("/").content.decode()

    def test_is_not_told_once_another_one_has_brought_something(
        self, xiaolu: Member, shop: Channel, at: datetime, sign_in: SignIn
    ) -> None:
        self.buys(shop, 40, at - DAY)
        self.buys(shop, 60, at)

        assert "Your newest order brought no points." not in sign_in(xiaolu).get("/").content.decode()

    @pytest.mark.parametrize(
        "said", [{"status": OrderStatus.CLOSED}, {"placed_at": NOON - 31 * DAY}], ids=["closed", "long ago"]
    )
    def test_is_not_told_of_what_is_closed_or_long_ago(
        self, said: dict[str, Any], xiaolu: Member, shop: Channel, at: datetime, sign_in: SignIn
    ) -> None:
        self.buys(shop, 40, at, **said)

        assert "Your newest order brought no points." not in sign_in(xiaolu).get("/").content.decode()


def test_coupons_of_several_plans_are_told_apart_by_their_names(
    xiaolu: Member, plan: CouponPlan, give_points: GivePoints, sign_in: SignIn
) -> None:
    give_points(xiaolu, 1000)
    other = CouponPlanFactory(name="周年红包", denominations=(5,))

    page = sign_in(xiaolu).get("/").content.decode()

    assert plan.name in page
    assert other.name in page


def test_what_expires_next_is_named_with_its_last_day(
    xiaolu: Member, plan: CouponPlan, at: datetime, give_points: GivePoints, sign_in: SignIn
) -> None:
    give_points(xiaolu, 70, expires_at=datetime(2026, 4, 1, tzinfo=SHANGHAI))
    give_points(xiaolu, 500, expires_at=datetime(2027, 4, 1, tzinfo=SHANGHAI))

    response = sign_in(xiaolu).get("/")

    assert response.context["summary"].expiring_points == 70
    assert "Use them by March 31, 2026." in response.content.decode()


def test_a_debt_is_explained(xiaolu: Member, plan: CouponPlan, at: datetime, sign_in: SignIn, shop: Channel) -> None:
    earn(xiaolu, shop, 1, 100, at)
    loyalty.burn(xiaolu.pk, 80, key="spent", at=at)
    loyalty.post([reversal(xiaolu.pk, 100, key="back", about_key="order:1", effective_at=at)], at=at)

    page = sign_in(xiaolu).get("/").content.decode()

    assert "−80" in page
    assert "so 80 points are owed" in page
    assert "130 more points needed" in page


def test_coupons_to_take_start_with_the_best_that_can_be_afforded(
    xiaolu: Member, plan: CouponPlan, give_points: GivePoints, sign_in: SignIn
) -> None:
    give_points(xiaolu, 130)

    response = sign_in(xiaolu).get("/")

    assert [(offer.yuan, missing) for offer, missing in response.context["offers"]] == [(10, 0), (5, 0), (20, 70)]
    page = response.content.decode()
    assert f'href="/coupons/{plan.pk}/10/"' in page
    assert f'href="/coupons/{plan.pk}/20/"' not in page
    assert "70 more points needed" in page


def test_each_line_says_what_it_is_for_and_how_it_was_worked_out(
    xiaolu: Member, shop: Channel, plan: CouponPlan, at: datetime, sign_in: SignIn
) -> None:
    earn(xiaolu, shop, 7, 88, at)

    page = sign_in(xiaolu).get("/").content.decode()

    assert "Order 35153131000000007 completed" in page
    assert "+88" in page
    assert "明前龙井 250g" in page
    assert "88.00 yuan paid; every 1 yuan earns 1 point" in page
    assert "your balance was then 88" in page


def test_a_new_member_finds_friendly_empty_places(xiaolu: Member, db: None, sign_in: SignIn) -> None:
    page = sign_in(xiaolu).get("/").content.decode()

    assert "No points yet. They appear here after your first order." in page
    assert "No coupons are offered right now." in page
    assert "Your next order brings points" in page


def test_staff_are_shown_the_way_to_the_admin(db: None, clock: None) -> None:
    client = Client(headers={"accept-language": "en"})
    client.force_login(StaffFactory(username="clerk"), backend="django.contrib.auth.backends.ModelBackend")

    page = client.get("/").content.decode()

    assert "You are signed in as staff" in page
    assert 'href="/admin/"' in page


def test_a_name_of_any_length_and_kind_is_shown_as_text(xiaolu: Member, sign_in: SignIn) -> None:
    xiaolu.name = "<b>欧阳</b>" * 12
    xiaolu.save()

    page = sign_in(xiaolu).get("/").content.decode()

    assert "&lt;b&gt;欧阳&lt;/b&gt;" in page
    assert "<b>欧阳" not in page


@pytest.mark.parametrize("entries", [1, 12])
def test_a_first_look_costs_three_queries_however_much_there_is_to_show(
    *,
    entries: int,
    xiaolu: Member,
    dayong: Member,
    shop: Channel,
    plan: CouponPlan,
    at: datetime,
    sign_in: SignIn,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    for number in range(entries):
        earn(xiaolu, shop, number, 50, at - timedelta(days=number))
    client = sign_in(xiaolu)
    sign_in(dayong).get("/")  # What all buyers share is known from here on.

    # The session with its login, the stamp, and all that is his own.
    with django_assert_num_queries(3):
        client.get("/")


def test_the_page_weighs_little(xiaolu: Member, shop: Channel, plan: CouponPlan, at: datetime, sign_in: SignIn) -> None:
    for number in range(12):
        earn(xiaolu, shop, number, 50, at)

    assert len(sign_in(xiaolu).get("/").content) < 40_000
