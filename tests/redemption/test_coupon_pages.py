"""The store, the confirmation and the coupons a member holds."""

import re
from datetime import datetime, timedelta

import pytest
import time_machine
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from crm.models import Member
from loyalty import api as loyalty
from redemption.checkout import redeem_coupon
from redemption.choices import CouponState
from redemption.models import Coupon, CouponPlan
from redemption.tokens import new_token
from tests.cast import SHANGHAI, GivePoints
from tests.loyalty.tampering import without
from tests.redemption.conftest import SignIn


def token_on(client: Client, plan: CouponPlan, yuan: int) -> str:
    page = client.get(f"/coupons/{plan.pk}/{yuan}/").content.decode()
    found = re.search(r'name="token" value="([^"]+)"', page)
    assert found is not None
    return found.group(1)


def take(member: Member, plan: CouponPlan, yuan: int, at: datetime) -> Coupon:
    points = yuan * plan.points_per_yuan
    return redeem_coupon(member.pk, plan.pk, yuan, token=new_token(member.pk, plan.pk, yuan, points, at=at), at=at)


def test_the_store_shows_everything_on_offer(
    xiaolu: Member, plan: CouponPlan, give_points: GivePoints, sign_in: SignIn
) -> None:
    give_points(xiaolu, 60)

    page = sign_in(xiaolu).get("/coupons/").content.decode()

    assert "You can spend 60 points." in page
    assert "Take for 50 points" in page
    assert "140 more points needed" in page


def test_an_empty_store_says_so(xiaolu: Member, sign_in: SignIn) -> None:
    assert "No coupons are offered right now." in sign_in(xiaolu).get("/coupons/").content.decode()


def test_before_paying_a_buyer_sees_price_rest_and_validity(
    xiaolu: Member, plan: CouponPlan, give_points: GivePoints, sign_in: SignIn
) -> None:
    give_points(xiaolu, 130)

    response = sign_in(xiaolu).get(f"/coupons/{plan.pk}/10/")

    page = response.content.decode()
    assert "Take it for 100 points" in page
    assert response.context["left"] == 30
    assert "June 8, 2026" in page
    assert loyalty.summary(xiaolu.pk, response.context["last_day"]).balance == 130


def test_without_the_points_there_is_nothing_to_press(
    xiaolu: Member, plan: CouponPlan, give_points: GivePoints, sign_in: SignIn
) -> None:
    give_points(xiaolu, 99)

    page = sign_in(xiaolu).get(f"/coupons/{plan.pk}/10/").content.decode()

    assert "You need 1 more point for this coupon." in page
    assert 'name="token"' not in page


def test_confirming_issues_the_coupon_and_shows_its_code(
    xiaolu: Member, plan: CouponPlan, at: datetime, give_points: GivePoints, sign_in: SignIn
) -> None:
    give_points(xiaolu, 130)
    client = sign_in(xiaolu)

    response = client.post(f"/coupons/{plan.pk}/10/", {"token": token_on(client, plan, 10)}, follow=True)

    coupon = Coupon.objects.get()
    assert response.redirect_chain == [(f"/coupons/mine/{coupon.pk}/", 302)]
    assert coupon.spoken_code in response.content.decode()
    assert loyalty.summary(xiaolu.pk, at).balance == 30


def test_a_double_click_and_the_back_button_lead_to_the_same_coupon(
    xiaolu: Member, plan: CouponPlan, at: datetime, give_points: GivePoints, sign_in: SignIn
) -> None:
    give_points(xiaolu, 300)
    client = sign_in(xiaolu)
    token = token_on(client, plan, 10)

    places = {client.post(f"/coupons/{plan.pk}/10/", {"token": token})["Location"] for _press in range(3)}

    assert places == {f"/coupons/mine/{Coupon.objects.get().pk}/"}
    assert loyalty.summary(xiaolu.pk, at).balance == 200


def test_points_spent_in_another_tab_are_missed_with_a_clear_word(
    xiaolu: Member, plan: CouponPlan, at: datetime, give_points: GivePoints, sign_in: SignIn
) -> None:
    give_points(xiaolu, 120)
    client = sign_in(xiaolu)
    token = token_on(client, plan, 10)
    take(xiaolu, plan, 5, at)

    response = client.post(f"/coupons/{plan.pk}/10/", {"token": token}, follow=True)

    assert response.redirect_chain == [(f"/coupons/{plan.pk}/10/", 302)]
    assert "You need 30 more points for this coupon." in response.content.decode()
    assert Coupon.objects.count() == 1


@pytest.mark.parametrize("token", ["", "nonsense"])
def test_a_form_without_our_token_buys_nothing(
    token: str, xiaolu: Member, plan: CouponPlan, give_points: GivePoints, sign_in: SignIn
) -> None:
    give_points(xiaolu, 100)

    response = sign_in(xiaolu).post(f"/coupons/{plan.pk}/10/", {"token": token}, follow=True)

    assert "Please choose the coupon again." in response.content.decode()
    assert not Coupon.objects.exists()


def test_an_offer_that_has_ended_leads_back_to_the_store(
    xiaolu: Member, plan: CouponPlan, give_points: GivePoints, sign_in: SignIn
) -> None:
    give_points(xiaolu, 100)
    client = sign_in(xiaolu)
    token = token_on(client, plan, 10)
    CouponPlan.objects.update(active=False)

    response = client.post(f"/coupons/{plan.pk}/10/", {"token": token}, follow=True)

    assert response.redirect_chain == [("/coupons/", 302)]
    assert "This offer has ended. Your points are untouched." in response.content.decode()


@pytest.mark.parametrize("path", ["/coupons/999999/10/", "/coupons/99999999999999999999/10/", "/coupons/mine/9/"])
def test_what_is_not_there_is_not_found(path: str, xiaolu: Member, sign_in: SignIn) -> None:
    response = sign_in(xiaolu).get(path)

    assert response.status_code == 404
    assert "This page is not there" in response.content.decode()


def test_the_coupon_of_another_member_is_not_there(
    *, xiaolu: Member, dayong: Member, plan: CouponPlan, at: datetime, give_points: GivePoints, sign_in: SignIn
) -> None:
    give_points(xiaolu, 100)
    coupon = take(xiaolu, plan, 10, at)

    assert sign_in(xiaolu).get(f"/coupons/mine/{coupon.pk}/").status_code == 200
    assert sign_in(dayong).get(f"/coupons/mine/{coupon.pk}/").status_code == 404


def test_a_member_sees_what_became_of_each_coupon(
    xiaolu: Member, plan: CouponPlan, at: datetime, give_points: GivePoints, sign_in: SignIn
) -> None:
    give_points(xiaolu, 500)
    ready, used, void, expired = (take(xiaolu, plan, 5, at) for _ in range(4))
    Coupon.objects.filter(pk=used.pk).update(state=CouponState.USED, used_at=at)
    Coupon.objects.filter(pk=void.pk).update(state=CouponState.VOID, void_at=at, void_reason="Sold on")
    with without(Coupon, "coupon_lives_once"):
        Coupon.objects.filter(pk=expired.pk).update(expires_at=datetime(2026, 3, 10, tzinfo=SHANGHAI))

    response = sign_in(xiaolu).get("/coupons/mine/")

    assert list(response.context["ready"]) == [ready]
    assert [(coupon.pk, standing.value) for coupon, standing in response.context["past"]] == [
        (expired.pk, "expired"), (void.pk, "void"), (used.pk, "used"),
    ]  # fmt: skip
    page = response.content.decode()
    assert "Valid through June 8, 2026" in page
    assert "Used on March 10, 2026" in page
    assert "Expired after March 9, 2026" in page


def test_old_coupons_come_a_page_at_a_time(
    xiaolu: Member, plan: CouponPlan, at: datetime, give_points: GivePoints, sign_in: SignIn
) -> None:
    give_points(xiaolu, 50 * 45)
    for _ in range(45):
        take(xiaolu, plan, 5, at)
    Coupon.objects.update(state=CouponState.VOID, void_at=at, void_reason="Sold on")
    client = sign_in(xiaolu)

    seen = []
    path = "/coupons/mine/"
    while path:
        response = client.get(path)
        seen += [coupon.pk for coupon, _standing in response.context["past"]]
        older = response.context["older"]
        path = f"/coupons/mine/?before={older}" if older else ""

    assert seen == list(Coupon.objects.order_by("-pk").values_list("pk", flat=True))


def test_who_holds_none_is_shown_the_store(xiaolu: Member, sign_in: SignIn) -> None:
    assert "You hold no coupon that can be used now." in sign_in(xiaolu).get("/coupons/mine/").content.decode()


def test_too_many_redemptions_in_a_minute_are_slowed_down(
    xiaolu: Member, plan: CouponPlan, give_points: GivePoints, sign_in: SignIn
) -> None:
    give_points(xiaolu, 5000)
    client = sign_in(xiaolu)

    answers = [
        client.post(f"/coupons/{plan.pk}/5/", {"token": token_on(client, plan, 5)}).status_code for _ in range(11)
    ]

    assert answers == [302] * 10 + [429]
    assert Coupon.objects.count() == 10


def test_a_minute_later_it_goes_on(
    xiaolu: Member, plan: CouponPlan, at: datetime, give_points: GivePoints, sign_in: SignIn
) -> None:
    give_points(xiaolu, 5000)
    client = sign_in(xiaolu)
    for _ in range(10):
        client.post(f"/coupons/{plan.pk}/5/", {"token": ""})

    with time_machine.travel(at + timedelta(seconds=61), tick=False):
        assert client.post(f"/coupons/{plan.pk}/5/", {"token": token_on(client, plan, 5)}).status_code == 302

    assert Coupon.objects.count() == 1


@pytest.mark.parametrize(("path", "queries"), [("/coupons/", 4), ("/coupons/mine/", 4), ("/coupons/{plan}/10/", 5)])
def test_the_coupon_pages_cost_a_fixed_number_of_queries(
    *,
    path: str,
    queries: int,
    xiaolu: Member,
    plan: CouponPlan,
    at: datetime,
    give_points: GivePoints,
    sign_in: SignIn,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    give_points(xiaolu, 5000)
    for _ in range(7):
        take(xiaolu, plan, 5, at)
    client = sign_in(xiaolu)

    with django_assert_num_queries(queries):
        client.get(path.format(plan=plan.pk))
