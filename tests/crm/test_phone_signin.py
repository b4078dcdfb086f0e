"""Signing in by a code that comes to the phone."""

import json
import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.conf import LazySettings
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from crm.models import Identity, Member, OneTimeCode, User
from crm.sms.gateway import send_sealed
from crm.sso.sealing import unseal
from tests.factories import MemberFactory, StaffFactory

ASK = "/account/login/code/"
CONFIRM = "/account/login/phone/"
XIAOLU = "13800000001"
NOBODY = "13900000009"


@pytest.fixture(autouse=True)
def clock(at: datetime, settings: LazySettings) -> Iterator[None]:
    settings.SMS_URL = "console:"
    with time_machine.travel(at, tick=False):
        yield


@pytest.fixture
def queue(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What waits for the worker."""
    sealed: list[str] = []
    monkeypatch.setattr("crm.tasks.send_sms.delay", sealed.append)
    return sealed


@pytest.fixture
def phone(db: None) -> Client:
    return Client(headers={"accept-language": "en"})


def carried(sealed: str) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(unseal(sealed))
    return read


def code_in(queue: list[str]) -> str:
    return str(carried(queue[-1])["code"])


def test_a_buyer_signs_in_with_the_number_from_his_orders(phone: Client, xiaolu: Member, queue: list[str]) -> None:
    asked = phone.post(ASK, {"email": " 138 0000-0001 "})
    assert asked["Location"] == CONFIRM
    assert "138****0001" in phone.get(CONFIRM).content.decode()

    answer = phone.post(CONFIRM, {"code": code_in(queue)}, follow=True)

    assert "林小鹿" in answer.content.decode()
    assert carried(queue[0])["phone"] == XIAOLU


def test_he_comes_back_to_the_page_he_wanted(phone: Client, xiaolu: Member, queue: list[str]) -> None:
    asked = phone.post(ASK, {"email": XIAOLU, "next": "/history/"})
    assert asked["Location"] == f"{CONFIRM}?next=%2Fhistory%2F"
    assert phone.post(CONFIRM, {"code": code_in(queue), "next": "/history/"})["Location"] == "/history/"


def test_nobody_is_sent_to_a_foreign_site(phone: Client, xiaolu: Member, queue: list[str]) -> None:
    assert phone.post(ASK, {"email": XIAOLU, "next": "https://evil.example/"})["Location"] == CONFIRM
    assert phone.post(CONFIRM, {"code": code_in(queue), "next": "https://evil.example/"})["Location"] == "/"


def test_the_login_is_the_one_that_his_address_leads_to(phone: Client, xiaolu: Member, queue: list[str]) -> None:
    login = User.objects.create(username="by-mail")
    Member.objects.filter(pk=xiaolu.pk).update(user=login)

    phone.post(ASK, {"email": XIAOLU})
    phone.post(CONFIRM, {"code": code_in(queue)})

    assert int(phone.session["_auth_user_id"]) == login.pk


def test_the_answer_does_not_tell_whether_the_shop_knows_the_number(
    xiaolu: Member, queue: list[str], django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    def answer_to(number: str) -> tuple[int, str, str]:
        visitor = Client(headers={"accept-language": "en"})
        asked = visitor.post(ASK, {"email": number})
        page = visitor.get(asked["Location"]).content.decode().replace(f"{number[:3]}****{number[-4:]}", "NUMBER")
        return asked.status_code, asked["Location"], re.sub(r'(csrfmiddlewaretoken" value=")[^"]+', r"\1", page)

    assert answer_to(XIAOLU) == answer_to(NOBODY)
    assert [bool(carried(sealed)["phone"]) for sealed in queue] == [True, False]
    assert abs(len(queue[0]) - len(queue[1])) <= 32


def test_no_code_fits_a_number_that_nobody_has(phone: Client, xiaolu: Member, queue: list[str]) -> None:
    phone.post(ASK, {"email": NOBODY})

    answer = phone.post(CONFIRM, {"code": code_in(queue)})

    assert "This code is not right." in answer.content.decode()
    assert "_auth_user_id" not in phone.session


def test_a_number_that_two_members_have_proves_neither(
    phone: Client, xiaolu: Member, dayong: Member, queue: list[str]
) -> None:
    Identity.objects.filter(member=dayong).update(phone=XIAOLU)

    phone.post(ASK, {"email": XIAOLU})

    assert carried(queue[0])["phone"] == ""


def test_staff_do_not_sign_in_by_phone(phone: Client, queue: list[str]) -> None:
    MemberFactory(phone="13700000007", user=StaffFactory())

    phone.post(ASK, {"email": "13700000007"})

    assert carried(queue[0])["phone"] == ""


def test_five_wrong_codes_end_the_attempt(phone: Client, xiaolu: Member, queue: list[str]) -> None:
    phone.post(ASK, {"email": XIAOLU})
    wrong = "000000" if code_in(queue) != "000000" else "111111"

    answers = [phone.post(CONFIRM, {"code": wrong}).status_code for _try in range(5)]

    assert answers == [200, 200, 200, 200, 302]
    assert phone.post(CONFIRM, {"code": code_in(queue)})["Location"] == ASK


def test_a_code_is_good_for_ten_minutes(phone: Client, xiaolu: Member, queue: list[str], at: datetime) -> None:
    phone.post(ASK, {"email": XIAOLU})

    with time_machine.travel(at + timedelta(minutes=10), tick=False):
        assert phone.post(CONFIRM, {"code": code_in(queue)})["Location"] == ASK


def test_a_code_works_once_and_in_one_browser(phone: Client, xiaolu: Member, queue: list[str]) -> None:
    phone.post(ASK, {"email": XIAOLU})
    other = Client()
    other.post(ASK, {"email": NOBODY})
    assert "_auth_user_id" not in other.post(CONFIRM, {"code": code_in(queue[:1])}).wsgi_request.session

    phone.post(CONFIRM, {"code": code_in(queue[:1])})
    phone.post("/account/logout/")

    assert phone.post(CONFIRM, {"code": code_in(queue[:1])})["Location"] == ASK


def test_codes_are_kept_as_hashes(phone: Client, xiaolu: Member, queue: list[str]) -> None:
    phone.post(ASK, {"email": XIAOLU})

    [kept] = OneTimeCode.objects.values()
    assert code_in(queue) not in json.dumps(kept, default=str)
    assert code_in(queue) not in json.dumps(dict(phone.session))
    assert code_in(queue) not in queue[0]


@pytest.mark.parametrize("number", [XIAOLU, NOBODY])
def test_a_number_is_asked_for_three_times_in_ten_minutes_known_or_not(
    number: str, xiaolu: Member, queue: list[str]
) -> None:
    answers = [Client(headers={"accept-language": "en"}).post(ASK, {"email": number}) for _ in range(4)]

    assert [answer.status_code for answer in answers] == [302, 302, 302, 200]
    assert "Too many attempts." in answers[-1].content.decode()
    assert len(queue) == 3


def test_all_numbers_together_have_a_limit(settings: LazySettings, xiaolu: Member, queue: list[str]) -> None:
    settings.ACCOUNT_RATE_LIMITS = {**settings.ACCOUNT_RATE_LIMITS, "phone_code_all": "2/h/key"}

    answers = [Client().post(ASK, {"email": f"1390000000{number}"}).status_code for number in range(3)]

    assert answers == [302, 302, 200]


@pytest.mark.parametrize("typed", ["", "138", "no number", "138****0001"])
def test_what_is_no_number_is_said_so(typed: str, phone: Client, queue: list[str]) -> None:
    answer = phone.post(ASK, {"email": typed})

    assert answer.status_code == 200
    assert "errorlist" in answer.content.decode()
    assert not queue


def test_without_a_provider_the_page_speaks_of_mail_only(phone: Client, settings: LazySettings) -> None:
    settings.SMS_URL = ""

    page = phone.get(ASK).content.decode()

    assert "phone" not in page.partition("<main")[2].partition("</main")[0]


def test_a_message_that_comes_too_late_is_not_sent(
    phone: Client, xiaolu: Member, queue: list[str], at: datetime, capsys: pytest.CaptureFixture[str]
) -> None:
    phone.post(ASK, {"email": XIAOLU})

    assert not send_sealed(queue[0], at + timedelta(minutes=11))
    assert send_sealed(queue[0], at)
    printed = capsys.readouterr().out
    assert printed.count("SMS to") == 1
    assert code_in(queue) in printed


def test_the_front_page_takes_a_number_where_the_shop_can_send_codes(phone: Client, settings: LazySettings) -> None:
    front = phone.get("/").content.decode()
    assert "E-mail address or mobile number" in front
    assert 'type="email"' not in front

    settings.SMS_URL = ""
    front = phone.get("/").content.decode()
    assert "mobile number" not in front
    assert 'type="email"' in front
