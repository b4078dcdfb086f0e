"""The shop takes a coupon: once, with a clear answer and a line in the staff log."""

from datetime import datetime, timedelta

import pytest
from django.utils import translation

from crm.models import Member, StaffAction, User
from redemption import desk
from redemption.checkout import redeem_coupon
from redemption.choices import CouponState
from redemption.codes import new_code, spoken
from redemption.desk import UseOutcome
from redemption.models import Coupon, CouponPlan
from redemption.tokens import new_token
from tests.cast import GivePoints
from tests.factories import StaffFactory


@pytest.fixture
def clerk(db: None) -> User:
    return StaffFactory(username="clerk")


@pytest.fixture
def coupon(xiaolu: Member, plan: CouponPlan, at: datetime, give_points: GivePoints) -> Coupon:
    give_points(xiaolu, 100)
    return redeem_coupon(xiaolu.pk, plan.pk, 10, token=new_token(xiaolu.pk, plan.pk, 10, 100, at=at), at=at)


def log() -> list[tuple[str, str]]:
    return [(row.action, row.details["outcome"]) for row in StaffAction.objects.order_by("pk")]


def test_a_coupon_is_used_once(coupon: Coupon, clerk: User, at: datetime) -> None:
    first = desk.use(coupon.spoken_code, actor_id=clerk.pk, at=at, reason="Order 3515")
    second = desk.use(coupon.spoken_code, actor_id=clerk.pk, at=at + timedelta(minutes=1))

    assert first.ok
    assert first.coupon is not None
    assert (first.coupon.state, first.coupon.used_at, first.coupon.used_by) == (CouponState.USED, at, clerk)
    assert second.outcome is UseOutcome.ALREADY_USED
    coupon.refresh_from_db()
    assert coupon.used_at == at
    assert log() == [("coupon.use", "used"), ("coupon.refuse", "already_used")]
    assert StaffAction.objects.earliest("pk").reason == "Order 3515"


def test_the_answer_says_when_the_coupon_was_used(coupon: Coupon, clerk: User, at: datetime) -> None:
    desk.use(coupon.code, actor_id=clerk.pk, at=at)

    with translation.override("en"):
        answer = desk.use(coupon.code, actor_id=clerk.pk, at=at).message()

    assert answer.startswith("This coupon was already used on ")
    assert "2026" in answer


def test_the_code_is_taken_as_people_type_it(coupon: Coupon, clerk: User, at: datetime) -> None:
    assert desk.look_up(f" {coupon.spoken_code.lower().replace('-', ' ')} ") == coupon
    assert desk.use(coupon.spoken_code.lower(), actor_id=clerk.pk, at=at).ok


def test_a_typing_error_is_told_from_an_unknown_code(coupon: Coupon, clerk: User, at: datetime) -> None:
    wrong = coupon.code[:-1] + ("A" if coupon.code[-1] != "A" else "C")

    assert desk.use(wrong, actor_id=clerk.pk, at=at).outcome is UseOutcome.MISTYPED
    assert desk.use(spoken(new_code()), actor_id=clerk.pk, at=at).outcome is UseOutcome.UNKNOWN
    assert desk.look_up(wrong) is None
    assert log() == [("coupon.refuse", "unknown")]


def test_the_last_instant_counts_and_the_next_does_not(coupon: Coupon, clerk: User) -> None:
    late = desk.use(coupon.code, actor_id=clerk.pk, at=coupon.expires_at)
    in_time = desk.use(coupon.code, actor_id=clerk.pk, at=coupon.last_moment)

    assert late.outcome is UseOutcome.EXPIRED
    assert in_time.ok


def test_a_void_coupon_stays_unused(coupon: Coupon, clerk: User, at: datetime) -> None:
    Coupon.objects.update(state=CouponState.VOID, void_at=at, void_reason="Sold on")

    assert desk.use(coupon.code, actor_id=clerk.pk, at=at).outcome is UseOutcome.VOID


@pytest.mark.parametrize("outcome", UseOutcome)
def test_every_answer_is_a_sentence(outcome: UseOutcome, coupon: Coupon, at: datetime) -> None:
    without = outcome in {UseOutcome.MISTYPED, UseOutcome.UNKNOWN}
    coupon.used_at = at

    with translation.override("en"):
        assert (
            desk.UseResult(outcome, None if without else coupon).message().endswith(".") or outcome == UseOutcome.USED
        )
