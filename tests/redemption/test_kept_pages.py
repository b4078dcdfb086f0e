"""The points page is kept for a minute, and never shows a buyer what was true before he acted."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from crm.api import grant_tier
from crm.models import Channel, Member
from loyalty import api as loyalty
from loyalty.models import CheckIn
from redemption.choices import CouponState, Festive, Theme
from redemption.kept_pages import stamped_buyer
from redemption.models import Coupon, CouponPlan, Look
from tests.cast import GivePoints
from tests.factories import StaffFactory, TierFactory
from tests.redemption.conftest import SignIn

TOKEN = 'name="csrfmiddlewaretoken" value="'


def stamp_of(member: Member) -> str:
    assert member.user_id is not None
    found = stamped_buyer(member.user_id)
    assert found is not None
    return found.stamp


def again(client: Client, page: Any) -> Any:
    """Ask as a browser does that has kept the page."""
    return client.get("/", headers={"if-none-match": page["ETag"]})


@pytest.fixture
def rich(xiaolu: Member, plan: CouponPlan, give_points: GivePoints) -> Member:
    give_points(xiaolu, 1000)
    return xiaolu


def test_the_second_look_costs_two_queries(
    rich: Member, sign_in: SignIn, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    client = sign_in(rich)
    client.get("/")

    with django_assert_num_queries(2):
        page = client.get("/").content.decode()

    assert "1,000" in page


def test_a_browser_that_has_the_page_is_told_so(
    rich: Member, sign_in: SignIn, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    client = sign_in(rich)
    client.get("/")
    page = client.get("/")

    with django_assert_num_queries(2):
        answer = again(client, page)

    assert (answer.status_code, answer.content) == (304, b"")
    assert answer["ETag"] == page["ETag"]
    assert page["Cache-Control"] == "private, no-cache"
    assert "Cookie" in page["Vary"]


def test_what_he_earns_shows_at_once(rich: Member, sign_in: SignIn, give_points: GivePoints) -> None:
    client = sign_in(rich)
    client.get("/")
    page = client.get("/")

    give_points(rich, 234)

    answer = again(client, page)
    assert answer.status_code == 200
    assert "1,234" in answer.content.decode()


def _earn(member: Member, at: datetime) -> None:
    loyalty.adjust(member.pk, 5, key="more", at=at, reason="A gift", actor_id=None)


def _set_aside(member: Member, at: datetime) -> None:
    loyalty.hold(member.pk, 5, key="aside", at=at, deadline=at + timedelta(days=1))


def _rise(member: Member, at: datetime) -> None:
    TierFactory(rank=0)
    vip = TierFactory(rank=1)
    grant_tier(member.pk, vip.code, at=at, until=None, actor_id=StaffFactory().pk, reason="A friend")


def _use_a_coupon(member: Member, at: datetime) -> None:
    Coupon.objects.filter(member=member).update(state=CouponState.USED, used_at=at)


@pytest.mark.parametrize("act", [_earn, _set_aside, _rise, _use_a_coupon])
def test_whatever_happens_to_him_makes_another_stamp(
    act: Callable[[Member, datetime], None], rich: Member, plan: CouponPlan, sign_in: SignIn, at: datetime
) -> None:
    client = sign_in(rich)
    token = client.get(f"/coupons/{plan.pk}/5/").context["token"]
    client.post(f"/coupons/{plan.pk}/5/", {"token": token})
    before = stamp_of(rich)

    act(rich, at)

    assert stamp_of(rich) != before


def test_a_stamp_stays_while_nothing_happens_to_him(
    rich: Member, dayong: Member, sign_in: SignIn, give_points: GivePoints
) -> None:
    sign_in(rich)
    before = stamp_of(rich)

    give_points(dayong, 5)

    assert stamp_of(rich) == before


def test_a_sign_in_that_earns_nothing_shows_all_the_same(xiaolu: Member, sign_in: SignIn, at: datetime) -> None:
    sign_in(xiaolu)
    before = stamp_of(xiaolu)

    CheckIn.objects.create(member=xiaolu, day=at.date(), streak=1, at=at)

    assert stamp_of(xiaolu) != before


def test_a_corrected_name_shows_at_once(rich: Member, sign_in: SignIn) -> None:
    client = sign_in(rich)
    client.get("/")

    Member.objects.filter(pk=rich.pk).update(name="林大鹿")

    assert "林大鹿" in client.get("/").content.decode()


def test_nobody_is_shown_the_page_of_somebody_else(
    rich: Member, dayong: Member, shop: Channel, sign_in: SignIn
) -> None:
    mine, his = sign_in(rich), sign_in(dayong)
    page = mine.get("/")
    mine.get("/")

    answer = again(his, page)

    assert answer.status_code == 200
    assert "王大勇" in answer.content.decode()
    assert "林小鹿" not in answer.content.decode()


def test_each_browser_gets_forms_that_work_in_it(rich: Member, sign_in: SignIn) -> None:
    browsers = [Client(enforce_csrf_checks=True), Client(enforce_csrf_checks=True)]
    for browser in browsers:
        sign_in(rich)
        assert rich.user is not None
        browser.force_login(rich.user, backend="django.contrib.auth.backends.ModelBackend")
        page = browser.get("/").content.decode()
        token = page.partition(TOKEN)[2].partition('"')[0]

        answer = browser.post("/i18n/setlang/", {"language": "en", "next": "/", "csrfmiddlewaretoken": token})

        assert answer.status_code == 302


def test_a_browser_that_lost_its_cookie_gets_new_forms(rich: Member, sign_in: SignIn) -> None:
    client = sign_in(rich)
    page = client.get("/")
    del client.cookies["csrftoken"]

    assert again(client, page).status_code == 200


def test_another_language_and_the_night_are_other_pages(rich: Member, sign_in: SignIn) -> None:
    client = sign_in(rich)
    english = client.get("/")

    chinese = client.get("/", headers={"accept-language": "zh-CN", "if-none-match": english["ETag"]})
    client.cookies["scheme"] = "dark"
    night = again(client, english)

    assert '<html lang="zh-hans">' in chinese.content.decode()
    assert 'content="dark"' in night.content.decode()


def test_a_message_is_shown_once_and_never_kept(rich: Member, sign_in: SignIn) -> None:
    client = sign_in(rich)
    client.get("/")
    client.post("/sign-in/today/")

    told = client.get("/")

    assert "does not reward the daily sign-in" in told.content.decode()
    assert not told.has_header("ETag")
    assert "no-store" in told["Cache-Control"]
    assert "does not reward" not in client.get("/").content.decode()


def test_the_next_day_is_another_page(rich: Member, sign_in: SignIn, at: datetime) -> None:
    client = sign_in(rich)
    page = client.get("/")

    with time_machine.travel(at + timedelta(hours=13), tick=False):
        answer = again(client, page)

    # The same points and coupons, looked up anew: only what differs is sent.
    assert answer.status_code == 304


def test_another_dress_is_worn_at_once(rich: Member, sign_in: SignIn) -> None:
    client = sign_in(rich)
    client.get("/")

    Look.objects.create(theme=Theme.JADE, festive=Festive.NEVER)

    assert "buyer/themes/jade" in client.get("/").content.decode()
