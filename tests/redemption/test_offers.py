"""What is offered when, in which order, and what points are worth."""

from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from pytest_django import DjangoAssertNumQueries

from redemption.models import CouponPlan
from redemption.offers import Offer, current_offers, shelf, worth_rounded_down
from tests.factories import CouponPlanFactory


def offer(yuan: int, points_per_yuan: int = 10) -> Offer:
    return Offer(1, "Shop coupon", "", yuan, yuan * points_per_yuan, points_per_yuan, 90, None)


def yuan_offered(at: datetime) -> list[int]:
    return [found.yuan for found in current_offers(at)]


def test_a_plan_is_offered_from_its_first_to_before_its_last_instant(db: None, at: datetime) -> None:
    end = at + timedelta(days=7)
    CouponPlanFactory(name="Festival", denominations=(8,), starts_at=at, ends_at=end)

    assert yuan_offered(at - timedelta(microseconds=1)) == []
    assert yuan_offered(at) == [8]
    assert yuan_offered(end - timedelta(microseconds=1)) == [8]
    assert yuan_offered(end) == []


def test_a_plan_that_was_switched_off_offers_nothing(plan: CouponPlan, at: datetime) -> None:
    plan.active = False
    plan.save()

    assert current_offers(at) == []


def test_offers_of_all_plans_come_in_one_query(
    plan: CouponPlan, at: datetime, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    CouponPlanFactory(name="Festival", points_per_yuan=8, denominations=(10, 50))

    with django_assert_num_queries(1):
        offers = current_offers(at)

    assert [(found.yuan, found.points) for found in offers] == [(5, 50), (10, 80), (10, 100), (20, 200), (50, 400)]


def test_the_shelf_shows_the_best_that_can_be_afforded_and_then_the_nearest_goal() -> None:
    shown = shelf([offer(5), offer(10), offer(20), offer(50)], 130)

    assert [(found.yuan, missing) for found, missing in shown] == [(10, 0), (5, 0), (20, 70), (50, 370)]


def test_a_debt_has_to_be_earned_back_before_the_first_coupon() -> None:
    assert offer(5).missing(-80) == 130


@pytest.mark.parametrize(
    ("points", "worth"), [(0, "0.00"), (1, "0.10"), (199, "19.90"), (6093, "609.30"), (-5, "0.00")]
)
def test_points_are_worth_what_the_best_offer_makes_of_them(points: int, worth: str) -> None:
    assert worth_rounded_down(points, [offer(5), offer(5, points_per_yuan=20)]) == Decimal(worth)


def test_worth_is_rounded_down_to_the_fen() -> None:
    assert worth_rounded_down(100, [offer(5, points_per_yuan=3)]) == Decimal("33.33")


def test_without_an_offer_points_have_no_worth_to_name() -> None:
    assert worth_rounded_down(100, []) is None
