"""The proof of coupons passes what adds up, and names what does not."""

from datetime import datetime

import pytest

from crm.models import Member
from redemption.coupons.proof import prove_coupons
from redemption.coupons.voiding import void_coupons
from redemption.models import Coupon, CouponPlan, PlanUse, PoolCode
from tests.cast import GivePoints
from tests.loyalty.tampering import without
from tests.redemption.coupons.conftest import Take


@pytest.fixture(autouse=True)
def history(
    *, xiaolu: Member, plan: CouponPlan, take: Take, clerk: int, at: datetime, give_points: GivePoints
) -> list[Coupon]:
    """Three coupons, of which the first became void, and one whose code came from a pool."""
    give_points(xiaolu, 1000)
    coupons = [take(xiaolu, plan, 5) for _ in range(3)]
    void_coupons([coupons[0].pk], reason="A test", actor_id=clerk, at=at)
    PoolCode.objects.create(plan=plan, yuan=5, code="TB0001", added_at=at)
    CouponPlan.objects.update(source="pool")
    return [*coupons, take(xiaolu, plan, 5)]


def named() -> list[tuple[str, int]]:
    return [(fault.proof, fault.id) for fault in prove_coupons().faults]


def test_what_adds_up_passes() -> None:
    report = prove_coupons()

    assert (report.ok, report.plans, report.coupons) == (True, 1, 4)


def test_a_counter_that_is_off_is_named(plan: CouponPlan) -> None:
    PlanUse.objects.update(coupons=7)

    assert named() == [("given_out", plan.pk)]


def test_a_coupon_that_became_cheaper_is_named(history: list[Coupon]) -> None:
    with without(Coupon, "coupon_lives_once"):
        Coupon.objects.filter(pk=history[1].pk).update(points=1)

    assert named() == [("coupon_points", history[1].pk)]


def test_points_that_never_came_back_are_named(history: list[Coupon], at: datetime) -> None:
    Coupon.objects.filter(pk=history[1].pk).update(state="expired", points_back=50)

    assert named() == [("coupon_points", history[1].pk)]


def test_a_code_on_the_wrong_coupon_is_named(history: list[Coupon]) -> None:
    PoolCode.objects.update(coupon=history[1].pk)

    assert named() == [("coupon_codes", PoolCode.objects.get().pk)]
