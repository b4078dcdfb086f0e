"""Points into a coupon: once per token, never without the points, always with a reason."""

from collections.abc import Callable
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.utils import translation

from crm.models import Member
from loyalty import api as loyalty
from redemption.checkout import coupon_expiry, redeem_coupon
from redemption.choices import CouponState
from redemption.codes import read_code
from redemption.coupons.refusals import (
    DenominationNotOffered,
    NotEnoughPoints,
    PageTooOld,
    PlanNotOffered,
    PriceChanged,
    WrongToken,
)
from redemption.models import Coupon, CouponPlan
from redemption.tokens import new_token, read_token
from tests.cast import SHANGHAI, GivePoints


def balance(member: Member, at: datetime) -> int:
    return loyalty.summary(member.pk, at).balance


def test_ten_yuan_cost_a_hundred_points(
    xiaolu: Member, plan: CouponPlan, at: datetime, give_points: GivePoints
) -> None:
    give_points(xiaolu, 130)

    coupon = redeem_coupon(xiaolu.pk, plan.pk, 10, token=new_token(xiaolu.pk, plan.pk, 10, 100, at=at), at=at)

    assert (coupon.yuan, coupon.points, coupon.state, coupon.issued_at) == (10, 100, CouponState.ISSUED, at)
    assert read_code(coupon.code) == coupon.code
    assert balance(xiaolu, at) == 30
    [spent, _gift] = loyalty.history(xiaolu.pk)
    assert (spent.entry_id, spent.kind, spent.points) == (coupon.entry_id, loyalty.EntryKind.BURN, -100)


def test_the_same_token_gives_the_same_coupon_even_when_the_points_are_gone(
    xiaolu: Member, plan: CouponPlan, at: datetime, give_points: GivePoints
) -> None:
    give_points(xiaolu, 100)
    token = new_token(xiaolu.pk, plan.pk, 10, 100, at=at)

    first = redeem_coupon(xiaolu.pk, plan.pk, 10, token=token, at=at)
    again = redeem_coupon(xiaolu.pk, plan.pk, 10, token=token, at=at + timedelta(seconds=1))
    days_later = redeem_coupon(xiaolu.pk, plan.pk, 10, token=token, at=at + timedelta(days=30))

    assert first.pk == again.pk == days_later.pk
    assert balance(xiaolu, at) == 0


def test_two_tabs_that_show_the_same_coupon_are_one_wish(
    xiaolu: Member, plan: CouponPlan, at: datetime, give_points: GivePoints
) -> None:
    give_points(xiaolu, 300)
    tabs = [new_token(xiaolu.pk, plan.pk, 10, 100, at=at) for _ in range(2)]

    coupons = {redeem_coupon(xiaolu.pk, plan.pk, 10, token=tab, at=at).pk for tab in tabs}
    another = redeem_coupon(xiaolu.pk, plan.pk, 10, token=new_token(xiaolu.pk, plan.pk, 10, 100, at=at), at=at)

    assert len(coupons) == 1
    assert another.pk not in coupons
    assert balance(xiaolu, at) == 100


def test_a_page_of_before_the_price_changed_gives_what_was_taken_since(
    xiaolu: Member, plan: CouponPlan, at: datetime, give_points: GivePoints
) -> None:
    give_points(xiaolu, 300)
    before = new_token(xiaolu.pk, plan.pk, 10, 100, at=at)
    CouponPlan.objects.update(points_per_yuan=5)
    taken = redeem_coupon(xiaolu.pk, plan.pk, 10, token=new_token(xiaolu.pk, plan.pk, 10, 50, at=at), at=at)

    assert redeem_coupon(xiaolu.pk, plan.pk, 10, token=before, at=at).pk == taken.pk
    assert balance(xiaolu, at) == 250


def test_a_buyer_without_the_points_is_told_how_many_are_missing(
    xiaolu: Member, plan: CouponPlan, at: datetime, give_points: GivePoints
) -> None:
    give_points(xiaolu, 99)

    with pytest.raises(NotEnoughPoints) as refusal:
        redeem_coupon(xiaolu.pk, plan.pk, 10, token=new_token(xiaolu.pk, plan.pk, 10, 100, at=at), at=at)

    with translation.override("en"):
        assert refusal.value.message() == "You need 1 more point for this coupon."
    assert (refusal.value.code, refusal.value.missing) == ("not_enough_points", 1)
    assert balance(xiaolu, at) == 99
    assert not Coupon.objects.exists()


def test_a_buyer_who_never_had_points_is_told_the_whole_price(xiaolu: Member, plan: CouponPlan, at: datetime) -> None:
    with pytest.raises(NotEnoughPoints) as refusal:
        redeem_coupon(xiaolu.pk, plan.pk, 10, token=new_token(xiaolu.pk, plan.pk, 10, 100, at=at), at=at)

    assert refusal.value.missing == 100


def test_points_whose_validity_has_ended_buy_nothing(
    xiaolu: Member, plan: CouponPlan, at: datetime, give_points: GivePoints
) -> None:
    give_points(xiaolu, 100, expires_at=at + timedelta(hours=1))
    later = at + timedelta(hours=1)

    with pytest.raises(NotEnoughPoints):
        redeem_coupon(xiaolu.pk, plan.pk, 10, token=new_token(xiaolu.pk, plan.pk, 10, 100, at=at), at=later)


def test_an_offer_that_ended_while_the_page_was_open_is_refused(
    xiaolu: Member, plan: CouponPlan, at: datetime, give_points: GivePoints
) -> None:
    give_points(xiaolu, 100)
    token = new_token(xiaolu.pk, plan.pk, 10, 100, at=at)
    plan.ends_at = at + timedelta(minutes=1)
    plan.save()

    with pytest.raises(PlanNotOffered):
        redeem_coupon(xiaolu.pk, plan.pk, 10, token=token, at=at + timedelta(minutes=1))

    assert balance(xiaolu, at) == 100


def test_a_value_that_the_plan_does_not_offer_is_refused(
    xiaolu: Member, plan: CouponPlan, at: datetime, give_points: GivePoints
) -> None:
    give_points(xiaolu, 1000)

    with pytest.raises(DenominationNotOffered):
        redeem_coupon(xiaolu.pk, plan.pk, 7, token=new_token(xiaolu.pk, plan.pk, 7, 70, at=at), at=at)


def test_nobody_pays_another_price_than_the_page_showed(
    xiaolu: Member, plan: CouponPlan, at: datetime, give_points: GivePoints
) -> None:
    give_points(xiaolu, 1000)
    token = new_token(xiaolu.pk, plan.pk, 10, 100, at=at)
    plan.points_per_yuan = 20
    plan.save()

    with pytest.raises(PriceChanged):
        redeem_coupon(xiaolu.pk, plan.pk, 10, token=token, at=at)

    assert balance(xiaolu, at) == 1000


def test_the_token_of_another_member_is_refused(
    xiaolu: Member, dayong: Member, plan: CouponPlan, at: datetime, give_points: GivePoints
) -> None:
    give_points(dayong, 100)

    with pytest.raises(WrongToken):
        redeem_coupon(dayong.pk, plan.pk, 10, token=new_token(xiaolu.pk, plan.pk, 10, 100, at=at), at=at)


def test_a_token_buys_only_the_coupon_that_its_page_showed(
    xiaolu: Member, plan: CouponPlan, at: datetime, give_points: GivePoints
) -> None:
    give_points(xiaolu, 1000)

    with pytest.raises(WrongToken):
        redeem_coupon(xiaolu.pk, plan.pk, 20, token=new_token(xiaolu.pk, plan.pk, 5, 50, at=at), at=at)


@pytest.mark.parametrize(
    "change", [lambda token: "", lambda token: token[:-1], lambda token: "A" + token, str.swapcase]
)
def test_a_token_that_was_tampered_with_is_refused(
    change: Callable[[str], str], xiaolu: Member, plan: CouponPlan, at: datetime
) -> None:
    token = change(new_token(xiaolu.pk, plan.pk, 10, 100, at=at))

    assert read_token(token) is None
    with pytest.raises(WrongToken):
        redeem_coupon(xiaolu.pk, plan.pk, 10, token=token, at=at)


def test_a_page_may_stay_open_for_a_day(
    xiaolu: Member, plan: CouponPlan, at: datetime, give_points: GivePoints
) -> None:
    give_points(xiaolu, 100)
    token = new_token(xiaolu.pk, plan.pk, 10, 100, at=at)

    with pytest.raises(PageTooOld):
        redeem_coupon(xiaolu.pk, plan.pk, 10, token=token, at=at + timedelta(days=1))
    assert redeem_coupon(xiaolu.pk, plan.pk, 10, token=token, at=at + timedelta(days=1, seconds=-1))


@pytest.mark.parametrize(
    ("taken", "first_invalid"),
    [
        (datetime(2026, 3, 10, 12, 0, tzinfo=SHANGHAI), datetime(2026, 6, 9, 0, 0, tzinfo=SHANGHAI)),
        (datetime(2026, 3, 10, 0, 0, tzinfo=SHANGHAI), datetime(2026, 6, 9, 0, 0, tzinfo=SHANGHAI)),
        # Still the 9th in London, already the 10th in the shop.
        (datetime(2026, 3, 9, 16, 30, tzinfo=ZoneInfo("UTC")), datetime(2026, 6, 9, 0, 0, tzinfo=SHANGHAI)),
    ],
)
def test_a_coupon_is_valid_to_the_end_of_its_last_day_in_the_shop(taken: datetime, first_invalid: datetime) -> None:
    assert coupon_expiry(taken, 90) == first_invalid
