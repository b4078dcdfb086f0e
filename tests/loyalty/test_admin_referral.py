"""The queue of referrals that a person should look at."""

from datetime import datetime, timedelta

import pytest
import time_machine
from django.test import Client

from crm.models import Channel, Member, StaffAction, User
from loyalty import api as loyalty
from loyalty.models import Referral
from loyalty.referral.links import make_link, record_visit, remember_device
from loyalty.referral.tying import recognise
from tests.factories import MemberFactory, OrderFactory
from tests.loyalty.rulesets import SPEND, publish_rules, rule
from tests.staff import Grant

PHONE = "p" * 32
LIST = "/admin/loyalty/referral/"


@pytest.fixture
def doubtful(xiaolu: Member, dayong: Member, shop: Channel, at: datetime) -> Referral:
    """王大勇 came through 林小鹿's link, on a phone on which somebody else had been signed in."""
    publish_rules(SPEND, rule("referral", {"percent": "5"}), since=at - timedelta(days=30))
    record_visit(make_link(xiaolu.pk, shop.pk, None, at).token, PHONE, at - timedelta(days=2))
    remember_device(PHONE, MemberFactory(name="陈美美").pk, at)
    OrderFactory(channel=shop, member=dayong, paid_at=at, placed_at=at)
    referral = recognise(PHONE, dayong.pk, at)
    assert referral is not None
    return referral


def browser(user: User) -> Client:
    client = Client(headers={"accept-language": "en"})
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


def test_the_queue_can_be_filtered(doubtful: Referral, grant: Grant) -> None:
    client = browser(grant("loyalty.view_referral"))

    waiting = client.get(LIST, {"state__exact": "review"}).content.decode()
    counting = client.get(LIST, {"state__exact": "counting"}).content.decode()

    assert "林小鹿" in waiting and "王大勇" in waiting
    assert "王大勇" not in counting


def test_the_page_says_what_speaks_against_it(doubtful: Referral, grant: Grant) -> None:
    page = browser(grant("loyalty.view_referral")).get(f"{LIST}{doubtful.pk}/change/").content.decode()

    assert "Other members have been signed in on the buyer" in page
    assert "Approve: it counts" not in page


def test_a_reviewer_approves_with_a_reason(doubtful: Referral, xiaolu: Member, at: datetime, grant: Grant) -> None:
    clerk = grant("loyalty.view_referral", "loyalty.review_referral")

    with time_machine.travel(at, tick=False):
        page = browser(clerk).post(f"{LIST}{doubtful.pk}/change/", {"reason": "Colleagues", "approve": ""}, follow=True)

    assert "Approved. Points given so far: 5." in page.content.decode()
    assert loyalty.summary(xiaolu.pk, at).pending == 5
    [logged] = StaffAction.objects.filter(action="referral.approve")
    assert (logged.actor, logged.reason) == (clerk, "Colleagues")


def test_a_reviewer_rejects(doubtful: Referral, xiaolu: Member, at: datetime, grant: Grant) -> None:
    clerk = grant("loyalty.view_referral", "loyalty.review_referral")
    client = browser(clerk)
    address = f"{LIST}{doubtful.pk}/change/"

    client.post(address, {"reason": "One person", "reject": ""})
    again = client.post(address, {"reason": "Changed my mind", "approve": ""}, follow=True).content.decode()

    assert "This referral has been decided meanwhile." in again
    doubtful.refresh_from_db()
    assert (doubtful.state, doubtful.reason) == ("rejected", "One person")
    assert loyalty.summary(xiaolu.pk, at).pending == 0


def test_nothing_is_decided_without_a_reason(doubtful: Referral, grant: Grant) -> None:
    client = browser(grant("loyalty.view_referral", "loyalty.review_referral"))

    client.post(f"{LIST}{doubtful.pk}/change/", {"reason": "  ", "approve": ""})

    doubtful.refresh_from_db()
    assert doubtful.state == "review"


def test_who_may_only_look_cannot_decide(doubtful: Referral, grant: Grant) -> None:
    client = browser(grant("loyalty.view_referral"))

    answer = client.post(f"{LIST}{doubtful.pk}/change/", {"reason": "Mine", "approve": ""})

    assert answer.status_code == 403


def test_who_may_not_look_sees_nothing(doubtful: Referral, grant: Grant) -> None:
    client = browser(grant("loyalty.view_entry"))

    assert client.get(LIST).status_code == 403
    assert client.get(f"{LIST}{doubtful.pk}/change/").status_code == 403


@pytest.mark.parametrize("number", ["999999", "x", "9" * 30])
def test_a_referral_that_never_was_is_not_found(number: str, doubtful: Referral, grant: Grant) -> None:
    client = browser(grant("loyalty.view_referral"))

    assert client.get(f"{LIST}{number}/change/").status_code == 404
