"""The daily sign-in as a buyer sees it."""

from datetime import datetime, timedelta

import pytest
import time_machine
from django.test import Client

from crm.models import Member
from loyalty.models import CheckIn
from tests.loyalty.rulesets import SPEND, publish_rules, rule
from tests.redemption.conftest import SignIn


@pytest.fixture
def rewarded(db: None, at: datetime) -> None:
    """Two points a day, and ten more on the third day in a row."""
    publish_rules(SPEND, rule("signin", {"points": 2, "streak": [[3, 10]]}), since=at - timedelta(days=30))


def test_the_points_page_offers_to_sign_in(xiaolu: Member, rewarded: None, sign_in: SignIn) -> None:
    page = sign_in(xiaolu).get("/").content.decode()

    assert "Sign in for 2 points" in page
    assert "Tomorrow brings 2 points." in page


def test_a_press_of_the_button_leads_to_the_calendar(xiaolu: Member, rewarded: None, sign_in: SignIn) -> None:
    client = sign_in(xiaolu)

    page = client.post("/sign-in/today/", follow=True).content.decode()

    assert "Signed in: 2 points more. Days in a row: 1." in page
    assert "Signed in today: 2 points" in page
    assert "March 2026" in page
    assert page.count("day signed") == 1
    assert "Next bonus: 12 points on day 3 in a row, on March 12, 2026 if you miss no day." in page


def test_a_second_press_is_told_so_and_counts_nothing(xiaolu: Member, rewarded: None, sign_in: SignIn) -> None:
    client = sign_in(xiaolu)
    client.post("/sign-in/today/")

    page = client.post("/sign-in/today/", follow=True).content.decode()

    assert "You have signed in today already. Come back tomorrow." in page
    assert CheckIn.objects.count() == 1


def test_the_bonus_is_told_when_it_comes(xiaolu: Member, rewarded: None, at: datetime, sign_in: SignIn) -> None:
    client = sign_in(xiaolu)
    for days in range(3):
        with time_machine.travel(at + timedelta(days=days), tick=False):
            page = client.post("/sign-in/today/", follow=True).content.decode()

    assert "Signed in: 12 points more. Days in a row: 3." in page
    assert "Next bonus" not in page


def test_without_a_rule_there_is_neither_card_nor_page(xiaolu: Member, db: None, sign_in: SignIn) -> None:
    client = sign_in(xiaolu)

    assert "Daily sign-in" not in client.get("/").content.decode()
    assert client.get("/sign-in/").status_code == 404
    page = client.post("/sign-in/today/", follow=True).content.decode()
    assert "The shop does not reward the daily sign-in at the moment." in page


def test_looking_signs_nobody_in(xiaolu: Member, rewarded: None, sign_in: SignIn) -> None:
    client = sign_in(xiaolu)

    client.get("/sign-in/")

    assert client.get("/sign-in/today/").status_code == 405
    assert not CheckIn.objects.exists()


def test_each_member_sees_his_own_days(xiaolu: Member, dayong: Member, rewarded: None, sign_in: SignIn) -> None:
    sign_in(xiaolu).post("/sign-in/today/")

    page = sign_in(dayong).get("/sign-in/").content.decode()

    assert "Sign in for 2 points" in page
    assert "day signed" not in page


@pytest.mark.parametrize("path", ["/sign-in/", "/sign-in/today/"])
def test_a_stranger_is_asked_who_he_is(path: str, client: Client, rewarded: None, clock: None) -> None:
    answer = client.post(path) if path.endswith("today/") else client.get(path)

    assert answer.status_code == 302
    assert answer["Location"].startswith("/account/login/code/")
    assert not CheckIn.objects.exists()
