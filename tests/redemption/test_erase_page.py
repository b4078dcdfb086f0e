"""The page on which a buyer has his data erased."""

from datetime import datetime, timedelta

import pytest
import time_machine
from django.core import mail
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from crm.models import Member, StaffAction
from loyalty import api as loyalty
from redemption.models import CouponPlan, Redemption
from redemption.rewards.checkout import redeem
from redemption.rewards.opening import open_wish
from tests.cast import GivePoints
from tests.factories import AddressFactory, RewardFactory
from tests.redemption.conftest import SignIn

PAGE = "/me/erase/"


def prove(client: Client) -> None:
    client.post("/me/code/", {"next": PAGE, "send": "1"})
    [digits] = [word for word in str(mail.outbox[-1].body).split() if word.isdigit() and len(word) == 6]
    client.post("/me/code/", {"next": PAGE, "code": digits})


@pytest.fixture
def rich(xiaolu: Member, plan: CouponPlan, give_points: GivePoints) -> Member:
    give_points(xiaolu, 1300)
    return xiaolu


def test_it_asks_for_a_fresh_code_first(rich: Member, sign_in: SignIn, at: datetime) -> None:
    client = sign_in(rich)
    assert client.get(PAGE)["Location"] == "/me/code/?next=%2Fme%2Ferase%2F"
    assert client.post(PAGE, {"understood": "1"})["Location"] == "/me/code/?next=%2Fme%2Ferase%2F"

    prove(client)

    assert client.get(PAGE).status_code == 200
    with time_machine.travel(at + timedelta(minutes=16), tick=False):
        assert client.post(PAGE, {"understood": "1", "lost": "points:1300"})["Location"].startswith("/me/code/")
    rich.refresh_from_db()
    assert rich.erased_at is None


def test_it_says_what_is_lost_in_figures(rich: Member, sign_in: SignIn) -> None:
    client = sign_in(rich)
    prove(client)

    page = client.get(PAGE).content.decode()

    assert "1,300 points" in page
    assert 'name="lost" value="points:1300"' in page
    assert "I know that this cannot be undone." in page


def test_ticked_and_sent_it_is_done_and_he_is_signed_out_everywhere(
    rich: Member, sign_in: SignIn, at: datetime
) -> None:
    client, telephone = sign_in(rich), sign_in(rich)
    prove(client)

    answer = client.post(PAGE, {"understood": "1", "lost": "points:1300"}, follow=True)

    assert answer.redirect_chain == [("/erased/", 302)]
    assert "Your data is erased" in answer.content.decode()
    assert [browser.get("/history/").status_code for browser in (client, telephone)] == [302, 302]
    rich.refresh_from_db()
    assert (rich.name, rich.email, rich.erased_at) == ("", "", at)
    assert loyalty.summary(rich.pk, at).balance == 0
    logged = StaffAction.objects.get(action="member.erase")
    assert (logged.member, logged.reason, logged.details) == (rich, "会员删除了自己的资料。", {"points": 1300})


def test_without_the_tick_nothing_happens(rich: Member, sign_in: SignIn) -> None:
    client = sign_in(rich)
    prove(client)

    page = client.post(PAGE, {"lost": "points:1300"}).content.decode()

    assert "Please tick the box first." in page
    rich.refresh_from_db()
    assert rich.erased_at is None


def test_who_would_lose_more_than_he_saw_looks_once_more(
    rich: Member, sign_in: SignIn, give_points: GivePoints
) -> None:
    client = sign_in(rich)
    prove(client)
    give_points(rich, 5)

    page = client.post(PAGE, {"understood": "1", "lost": "points:1300"}).content.decode()

    assert "What you would lose has changed meanwhile." in page
    assert "points:1305" in page
    rich.refresh_from_db()
    assert rich.erased_at is None


def test_what_has_to_end_first_is_named(rich: Member, sign_in: SignIn, at: datetime) -> None:
    reward = RewardFactory(points=100)
    taken = redeem(
        rich.pk, reward.pk, 1, token=open_wish(rich.pk, reward, at).token(),
        address_id=AddressFactory(member=rich).pk, at=at,
    )  # fmt: skip
    number = Redemption.objects.get(pk=taken.redemption_id).number
    client = sign_in(rich)
    prove(client)

    page = client.post(PAGE, {"understood": "1", "lost": "points:1200"}).content.decode()

    assert f"Redemption {number} is not finished yet" in page
    assert "understood" not in page
    rich.refresh_from_db()
    assert rich.erased_at is None


def test_somebody_without_points_loses_none(dayong: Member, sign_in: SignIn) -> None:
    client = sign_in(dayong)
    prove(client)
    assert "You lose" not in client.get(PAGE).content.decode()

    assert client.post(PAGE, {"understood": "1"})["Location"] == "/erased/"


def test_the_page_in_chinese(rich: Member, sign_in: SignIn) -> None:
    client = sign_in(rich)
    prove(client)
    client.defaults["HTTP_ACCEPT_LANGUAGE"] = "zh-hans"

    page = client.get(PAGE).content.decode()

    assert "1,300 积分" in page
    assert "我知道此操作不能撤销。" in page


def test_strangers_sign_in_first_and_may_read_that_it_is_done(client: Client, db: None) -> None:
    assert client.get(PAGE)["Location"].startswith("/account/login/code/")
    assert client.get("/erased/").status_code == 200


def test_the_page_costs_five_queries(
    rich: Member, sign_in: SignIn, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    client = sign_in(rich)
    prove(client)
    client.get(PAGE)

    with django_assert_num_queries(5):
        client.get(PAGE)


def test_what_has_to_end_first_is_named_in_chinese(rich: Member, sign_in: SignIn, at: datetime) -> None:
    reward = RewardFactory(points=100)
    redeem(
        rich.pk, reward.pk, 1, token=open_wish(rich.pk, reward, at).token(),
        address_id=AddressFactory(member=rich).pk, at=at,
    )  # fmt: skip
    client = sign_in(rich)
    prove(client)
    client.defaults["HTTP_ACCEPT_LANGUAGE"] = "zh-hans"

    page = client.get(PAGE).content.decode()

    assert "还没有完成（已下单）" in page
