"""Fields with a NUL, which no browser sends, are no failure of the shop on any page of the buyer's."""

import pytest
from django.test import Client
from django.urls import reverse

from crm.models import Member
from redemption.models import CouponPlan
from tests.redemption.conftest import SignIn

pytestmark = pytest.mark.django_db

FIELDS = ("code", "token", "key", "name", "email", "phone", "birthday", "next", "language", "login", "reason", "tier")


@pytest.fixture
def buyer(xiaolu: Member, sign_in: SignIn) -> Client:
    buyer = sign_in(xiaolu)
    buyer.raise_request_exception = False
    return buyer


@pytest.mark.parametrize(
    "page",
    ["home", "history", "claim", "checkin", "check_in", "profile", "campaign", "referral", "referral_link", "store"],
)
def test_a_page_of_the_buyer_s_takes_no_nul(page: str, buyer: Client) -> None:
    answer = buyer.post(reverse(f"redemption:{page}"), dict.fromkeys(FIELDS, "tea\0pot"))

    assert answer.status_code < 500


def test_a_coupon_is_not_taken_with_one(plan: CouponPlan, buyer: Client) -> None:
    answer = buyer.post(reverse("redemption:confirm", args=[plan.pk, 5]), dict.fromkeys(FIELDS, "\0"))

    assert answer.status_code < 500


@pytest.mark.parametrize("page", ["account_login", "set_language", "account_confirm_login_code"])
def test_nobody_signs_in_with_one(page: str, client: Client, db: None) -> None:
    client.raise_request_exception = False

    assert client.post(reverse(page), dict.fromkeys(FIELDS, "\0")).status_code < 500
