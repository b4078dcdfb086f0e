"""A fresh code before much is spent."""

import re
from datetime import datetime, timedelta

import pytest
import time_machine
from django.conf import LazySettings
from django.core import mail
from django.test import Client

from crm.models import Member
from loyalty import api as loyalty
from redemption.models import Coupon, CouponPlan
from redemption.rewards.choices import RewardKind
from tests.cast import GivePoints
from tests.factories import RewardFactory
from tests.redemption.conftest import SignIn

PAGE = "/me/code/"


@pytest.fixture(autouse=True)
def limit(settings: LazySettings) -> None:
    settings.SPEND_CODE_POINTS = 100


@pytest.fixture
def rich(xiaolu: Member, plan: CouponPlan, give_points: GivePoints) -> Member:
    give_points(xiaolu, 1000)
    return xiaolu


def code_sent() -> str:
    found = re.search(r"\b\d{6}\b", str(mail.outbox[-1].body))
    assert found is not None
    return found.group()


def prove(client: Client, target: str = "/") -> None:
    client.post(PAGE, {"next": target, "send": "1"})
    client.post(PAGE, {"next": target, "code": code_sent()})


def test_a_large_coupon_asks_for_a_code_and_leads_back(rich: Member, plan: CouponPlan, sign_in: SignIn) -> None:
    client, confirm = sign_in(rich), f"/coupons/{plan.pk}/20/"
    asked = client.get(confirm)
    assert asked["Location"] == f"{PAGE}?next=%2Fcoupons%2F{plan.pk}%2F20%2F"
    assert "x***u@example.com" in client.get(asked["Location"]).content.decode()

    client.post(PAGE, {"next": confirm, "send": "1"})
    answer = client.post(PAGE, {"next": confirm, "code": code_sent()})

    assert answer["Location"] == confirm
    page = client.get(confirm)
    client.post(confirm, {"token": page.context["token"]})
    assert Coupon.objects.get().points == 200
    assert mail.outbox[0].to == ["xiaolu@example.com"]


def test_a_small_one_asks_for_none(rich: Member, plan: CouponPlan, sign_in: SignIn) -> None:
    assert sign_in(rich).get(f"/coupons/{plan.pk}/10/").status_code == 200


def test_nobody_is_asked_where_the_shop_sets_no_limit(
    rich: Member, plan: CouponPlan, sign_in: SignIn, settings: LazySettings
) -> None:
    settings.SPEND_CODE_POINTS = 0

    assert sign_in(rich).get(f"/coupons/{plan.pk}/20/").status_code == 200


def test_sending_the_form_without_a_code_takes_nothing(
    rich: Member, plan: CouponPlan, sign_in: SignIn, at: datetime
) -> None:
    client, confirm = sign_in(rich), f"/coupons/{plan.pk}/20/"
    prove(client)
    token = client.get(confirm).context["token"]

    with time_machine.travel(at + timedelta(minutes=15), tick=False):
        answer = client.post(confirm, {"token": token})

    assert answer["Location"].startswith(PAGE)
    assert not Coupon.objects.exists()
    assert loyalty.summary(rich.pk, at).balance == 1000


def test_a_wrong_code_proves_nothing(rich: Member, plan: CouponPlan, sign_in: SignIn) -> None:
    client = sign_in(rich)
    client.post(PAGE, {"send": "1"})
    wrong = "000000" if code_sent() != "000000" else "111111"

    assert "This code is not right." in client.post(PAGE, {"code": wrong}).content.decode()
    assert client.get(f"/coupons/{plan.pk}/20/").status_code == 302


def test_a_code_that_another_buyer_got_proves_nothing(
    rich: Member, dayong: Member, plan: CouponPlan, sign_in: SignIn
) -> None:
    mine, his = sign_in(rich), sign_in(dayong)
    his.post(PAGE, {"send": "1"})
    code = code_sent()
    mine.post(PAGE, {"send": "1"})

    mine.post(PAGE, {"code": code if code != code_sent() else "x"})

    assert mine.get(f"/coupons/{plan.pk}/20/").status_code == 302


def test_somebody_of_whom_no_address_is_known_is_told_what_to_do(rich: Member, sign_in: SignIn) -> None:
    rich.email = ""
    client = sign_in(rich)

    page = client.get(PAGE).content.decode()

    assert "the shop knows no address or phone of yours" in page
    client.post(PAGE, {"send": "1"})
    assert not mail.outbox


def test_codes_are_sent_three_times_a_minute(rich: Member, sign_in: SignIn) -> None:
    client = sign_in(rich)

    answers = [client.post(PAGE, {"send": "1"}).status_code for _ in range(4)]

    assert answers == [302, 302, 302, 429]
    assert len(mail.outbox) == 3


def test_nobody_is_led_to_a_foreign_site(rich: Member, sign_in: SignIn) -> None:
    client = sign_in(rich)
    client.post(PAGE, {"send": "1", "next": "https://evil.example/"})

    assert client.post(PAGE, {"code": code_sent(), "next": "https://evil.example/"})["Location"] == "/"


def test_a_dear_reward_asks_for_a_code_as_well(rich: Member, sign_in: SignIn) -> None:
    cup = RewardFactory(kind=RewardKind.TICKET, points=60)
    client, confirm = sign_in(rich), f"/rewards/{cup.pk}/take/"

    assert client.get(confirm).status_code == 200
    asked = client.get(f"{confirm}?quantity=2")
    assert asked["Location"] == f"{PAGE}?next=%2Frewards%2F{cup.pk}%2Ftake%2F%3Fquantity%3D2"
    token = client.get(confirm).context["token"]
    assert client.post(confirm, {"token": token, "quantity": "2"})["Location"].startswith(PAGE)
    prove(client)

    assert client.post(confirm, {"token": token, "quantity": "2"})["Location"].startswith("/rewards/mine/")
