"""What a yuan of coupon costs in sales, and when the plan page warns."""

from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import translation

from crm.models import Member
from loyalty.api import EarnedRates, earned_rates
from redemption.coupons.guarding import cost_at, costs_in_words
from redemption.models import CouponPlan, PlanWindow
from tests.staff import Grant


@pytest.mark.parametrize(
    ("ratio", "usual", "highest", "sales", "percent", "most"),
    [
        (10, 100, 100, "10.00", "10.0", "10.0"),  # A point a yuan, ten points a yuan of coupon: ten percent.
        (5, 100, 200, "5.00", "20.0", "40.0"),
        (100, 200, 400, "50.00", "2.0", "4.0"),
        (30, 100, 100, "30.00", "3.4", "3.4"),
    ],
)
def test_the_cost_is_what_sales_earn_by_the_ratio(
    *, ratio: int, usual: int, highest: int, sales: str, percent: str, most: str
) -> None:
    cost = cost_at(ratio, EarnedRates(usual, Decimal(highest)))

    assert (cost.sales, cost.percent, cost.highest) == (Decimal(sales), Decimal(percent), Decimal(most))


def test_where_sales_earn_nothing_there_is_nothing_to_divide_by() -> None:
    assert cost_at(10, EarnedRates(0, Decimal(0))).sales is None


def test_the_rules_in_force_say_what_sales_earn(db: None, at: datetime) -> None:
    rates = earned_rates(at)

    assert rates.usual == 100  # The set built in: a point a yuan.
    assert rates.highest >= rates.usual


def test_each_special_ratio_that_is_not_over_is_looked_at(plan: CouponPlan, at: datetime) -> None:
    for name, ends_at in (("Gone", at), ("Tea festival", at + timedelta(days=1))):
        PlanWindow.objects.create(
            plan=plan, name=name, points_per_yuan=5, starts_at=at - timedelta(days=2), ends_at=ends_at
        )

    with translation.override("en"):
        [(usual, _usual_high), (special, special_high)] = costs_in_words(plan, at)

    assert "a yuan of coupon is earned by ¥10.00 of sales" in usual
    assert special.startswith("Tea festival: At 5 points for one yuan")
    assert special_high
    assert "more than the margin of 10% that you set" in special


def test_the_plan_page_shows_it(plan: CouponPlan, client: Client, grant: Grant, clock: None) -> None:
    client.force_login(grant("redemption.view_couponplan"))

    page = client.get(reverse("admin:redemption_couponplan_change", args=[plan.pk])).content.decode()

    assert "10.00" in page


class TestPreview:
    def test_a_member_at_a_moment(
        self, *, plan: CouponPlan, xiaolu: Member, at: datetime, client: Client, grant: Grant, clock: None
    ) -> None:
        PlanWindow.objects.create(
            plan=plan, name="Tea festival", points_per_yuan=5, starts_at=at + timedelta(days=1),
            ends_at=at + timedelta(days=2),
        )  # fmt: skip
        client.force_login(grant("redemption.view_couponplan", "redemption.preview_couponplan", "crm.view_member"))
        address = reverse("admin:redemption_couponplan_preview", args=[plan.pk])

        now = client.get(address, {"member": str(xiaolu.pk)}).context["seen"]
        later = client.get(address, {"member": str(xiaolu.pk), "at": "2026-03-11T13:00"}).context["seen"]

        assert (now.terms.points_per_yuan, later.terms.points_per_yuan) == (10, 5)

    def test_others_do_not_see_it(self, plan: CouponPlan, client: Client, grant: Grant) -> None:
        client.force_login(grant("redemption.view_couponplan"))
        assert client.get(reverse("admin:redemption_couponplan_preview", args=[plan.pk])).status_code == 403
