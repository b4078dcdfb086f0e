"""What the stories of the store share."""

from collections.abc import Callable, Iterator
from datetime import datetime

import pytest
import time_machine
from django.test import Client

from crm.models import Member
from redemption.looks import current_dress
from redemption.models import CouponPlan
from tests.factories import CouponPlanFactory, UserFactory

SignIn = Callable[[Member], Client]


@pytest.fixture
def plan(db: None) -> CouponPlan:
    """Ten points make one yuan: coupons of 5, 10 and 20 yuan, valid for 90 days."""
    return CouponPlanFactory(name="Shop coupon", denominations=(5, 10, 20))


@pytest.fixture
def clock(at: datetime) -> Iterator[None]:
    """Let the pages, which read the clock themselves, see the moment of the story."""
    with time_machine.travel(at, tick=False):
        yield


@pytest.fixture
def sign_in(clock: None, db: None, at: datetime) -> SignIn:
    """``sign_in(member)`` gives a browser in which he is signed in, with pages in English.

    What all buyers share has been read before, as it has for any but the first request of the day.
    """
    current_dress(at)

    def sign_in(member: Member) -> Client:
        if member.user is None:
            member.user = UserFactory(username=f"buyer-of-{member.pk}")
            member.save()
        client = Client(headers={"accept-language": "en"})
        client.force_login(member.user, backend="django.contrib.auth.backends.ModelBackend")
        return client

    return sign_in
