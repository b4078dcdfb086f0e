"""Signing in by a code that comes by mail."""

import re
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
import time_machine
from django.core import mail
from django.test import Client, override_settings

from crm.models import Member, User

ASK = "/account/login/code/"
CONFIRM = "/account/login/code/confirm/"


@pytest.fixture(autouse=True)
def clock(at: datetime) -> Iterator[None]:
    with time_machine.travel(at, tick=False):
        yield


@pytest.fixture
def phone(db: None) -> Client:
    return Client(headers={"accept-language": "en"})


def code_in(message: mail.EmailMessage) -> str:
    found = re.search(r"\b\d{4}-\d{4}\b", str(message.body))
    assert found is not None
    return found.group()


def test_a_buyer_signs_in_with_the_address_from_his_orders(phone: Client, xiaolu: Member) -> None:
    asked = phone.post(ASK, {"email": "XiaoLu@example.com"})
    assert asked["Location"] == CONFIRM

    answer = phone.post(CONFIRM, {"code": code_in(mail.outbox[0])}, follow=True)

    assert answer.redirect_chain == [("/", 302)]
    page = answer.content.decode()
    assert "You are signed in." in page
    assert "林小鹿" in page
    xiaolu.refresh_from_db()
    assert xiaolu.user is not None
    assert not xiaolu.user.has_usable_password()


def test_he_comes_back_to_the_page_he_wanted(phone: Client, xiaolu: Member) -> None:
    page = phone.get(f"{ASK}?next=/history/").content.decode()
    assert '<input type="hidden" name="next" value="/history/"' in page

    asked = phone.post(ASK, {"email": "xiaolu@example.com", "next": "/history/"})
    answer = phone.post(asked["Location"], {"code": code_in(mail.outbox[0]), "next": "/history/"})

    assert answer["Location"] == "/history/"


def test_the_code_is_read_with_blanks_or_without_its_dash(phone: Client, xiaolu: Member) -> None:
    phone.post(ASK, {"email": "xiaolu@example.com"})
    code = code_in(mail.outbox[0]).replace("-", " ")

    assert phone.post(CONFIRM, {"code": f" {code} "})["Location"] == "/"


def test_the_mail_says_from_whom_it_is_and_how_long_the_code_is_good(phone: Client, xiaolu: Member) -> None:
    with override_settings(SHOP_NAME="Mountain Tea"):
        phone.post(ASK, {"email": "xiaolu@example.com"})

    [message] = mail.outbox
    assert message.to == ["xiaolu@example.com"]
    assert message.subject == f"[Mountain Tea] Your sign-in code: {code_in(message)}"
    assert "see your points at Mountain Tea" in message.body
    assert "It is good for 10 minutes." in message.body
    assert isinstance(message, mail.EmailMultiAlternatives)
    [(html, kind)] = message.alternatives
    assert kind == "text/html"
    assert code_in(message) in str(html)


def test_an_address_that_nobody_knows_gets_a_mail_that_says_what_to_do(phone: Client, xiaolu: Member) -> None:
    with override_settings(SHOP_NAME="Mountain Tea", SHOP_CONTACT="WeChat tea-shop"):
        phone.post(ASK, {"email": "stranger@example.com"})

    [message] = mail.outbox
    assert message.to == ["stranger@example.com"]
    assert "Mountain Tea" in message.body
    assert "If you ordered with another address, use that one." in message.body
    assert "write to the shop (WeChat tea-shop)" in message.body
    assert not re.search(r"\d{4}-\d{4}", str(message.body))
    assert not User.objects.exists()


def test_the_answer_does_not_tell_whether_the_shop_knows_the_address(xiaolu: Member) -> None:
    def answer_to(address: str) -> tuple[int, str, str]:
        visitor = Client(headers={"accept-language": "en"})
        asked = visitor.post(ASK, {"email": address})
        page = visitor.get(asked["Location"]).content.decode().replace(address, "ADDRESS")
        return asked.status_code, asked["Location"], re.sub(r'(csrfmiddlewaretoken" value=")[^"]+', r"\1", page)

    assert answer_to("xiaolu@example.com") == answer_to("stranger@example.com")
    assert len(mail.outbox) == 2


def test_no_code_fits_an_address_that_nobody_knows(phone: Client, db: None) -> None:
    phone.post(ASK, {"email": "stranger@example.com"})

    for guess in ("", " ", "0000-0000"):
        answer = phone.post(CONFIRM, {"code": guess})
        assert "sessionid" not in answer.cookies or not answer.wsgi_request.user.is_authenticated


def test_three_wrong_codes_end_the_attempt(phone: Client, xiaolu: Member) -> None:
    phone.post(ASK, {"email": "xiaolu@example.com"})
    code = code_in(mail.outbox[0])
    wrong = "0000-0000" if code != "0000-0000" else "1111-1111"

    first = phone.post(CONFIRM, {"code": wrong})
    phone.post(CONFIRM, {"code": wrong})
    third = phone.post(CONFIRM, {"code": wrong}, follow=True)

    assert "This code is not right." in first.content.decode()
    assert "Too many attempts." in third.content.decode()
    assert phone.post(CONFIRM, {"code": code})["Location"] == ASK


def test_a_code_is_good_for_ten_minutes(phone: Client, xiaolu: Member, at: datetime) -> None:
    phone.post(ASK, {"email": "xiaolu@example.com"})

    with time_machine.travel(at + timedelta(minutes=10, seconds=1), tick=False):
        assert phone.post(CONFIRM, {"code": code_in(mail.outbox[0])})["Location"] == ASK


def test_a_code_works_once(phone: Client, xiaolu: Member) -> None:
    phone.post(ASK, {"email": "xiaolu@example.com"})
    code = code_in(mail.outbox[0])
    phone.post(CONFIRM, {"code": code})
    phone.post("/account/logout/")

    assert phone.post(CONFIRM, {"code": code})["Location"] == ASK


def test_a_code_works_only_in_the_browser_that_asked_for_it(phone: Client, xiaolu: Member) -> None:
    phone.post(ASK, {"email": "xiaolu@example.com"})

    assert Client().post(CONFIRM, {"code": code_in(mail.outbox[0])})["Location"] == ASK


@pytest.mark.parametrize("address", ["xiaolu@example.com", "stranger@example.com"])
def test_an_address_is_asked_for_three_times_a_minute_known_or_not(address: str, xiaolu: Member) -> None:
    answers = [Client(headers={"accept-language": "en"}).post(ASK, {"email": address}) for _ in range(4)]

    assert [answer.status_code for answer in answers] == [302, 302, 302, 200]
    assert "Too many attempts." in answers[-1].content.decode()
    assert len(mail.outbox) == 3


def test_one_network_asks_for_twenty_addresses_a_minute(db: None) -> None:
    answers = [Client().post(ASK, {"email": f"guess{number}@example.com"}).status_code for number in range(21)]

    assert answers == [302] * 20 + [200]
    assert len(mail.outbox) == 20


@pytest.mark.parametrize("address", ["", "no address", "a@b", "x" * 300 + "@example.com"])
def test_what_is_no_address_is_said_so_and_no_mail_goes_out(address: str, phone: Client, db: None) -> None:
    answer = phone.post(ASK, {"email": address})

    assert answer.status_code == 200
    assert "errorlist" in answer.content.decode()
    assert not mail.outbox


def test_another_code_can_be_had(phone: Client, xiaolu: Member) -> None:
    phone.post(ASK, {"email": "xiaolu@example.com"})
    assert phone.get(ASK)["Location"] == CONFIRM

    assert phone.post("/account/logout/", {"next": ASK})["Location"] == ASK
    phone.post(ASK, {"email": "xiaolu@example.com"})

    assert phone.post(CONFIRM, {"code": code_in(mail.outbox[1])})["Location"] == "/"


def test_who_shares_an_address_is_told_how_to_ask(phone: Client, xiaolu: Member, dayong: Member) -> None:
    Member.objects.filter(pk=dayong.pk).update(email="xiaolu@example.com")
    phone.post(ASK, {"email": "xiaolu@example.com"})

    with override_settings(SHOP_CONTACT="WeChat tea-shop"):
        page = phone.post(CONFIRM, {"code": code_in(mail.outbox[0])}, follow=True).content.decode()

    assert "Several buyers use this address" in page
    assert "xiaolu@example.com" in page
    assert "WeChat tea-shop" in page
    assert phone.get("/history/")["Location"] == "/"


def test_once_the_shop_has_put_it_right_a_press_finds_the_points(phone: Client, xiaolu: Member, dayong: Member) -> None:
    Member.objects.filter(pk=dayong.pk).update(email="xiaolu@example.com")
    phone.post(ASK, {"email": "xiaolu@example.com"})
    phone.post(CONFIRM, {"code": code_in(mail.outbox[0])})
    assert "Nothing has changed yet" in phone.post("/claim/", follow=True).content.decode()

    Member.objects.filter(pk=dayong.pk).update(email="")

    assert "林小鹿" in phone.post("/claim/", follow=True).content.decode()


@pytest.mark.parametrize("path", ["/account/login/", "/account/signup/"])
def test_there_is_no_password_and_no_sign_up(path: str, phone: Client, db: None) -> None:
    assert phone.get(f"{path}?next=/history/")["Location"] == f"{ASK}?next=/history/"


@pytest.mark.parametrize("path", ["/account/password/reset/", "/account/password/change/", "/account/email/"])
def test_the_other_pages_of_allauth_are_not_there(path: str, phone: Client, db: None) -> None:
    assert phone.get(path).status_code == 404


def test_nobody_is_sent_to_a_foreign_site(phone: Client, xiaolu: Member) -> None:
    phone.post(ASK, {"email": "xiaolu@example.com", "next": "https://evil.example/"})
    answer = phone.post(CONFIRM, {"code": code_in(mail.outbox[0]), "next": "https://evil.example/"})

    assert answer["Location"] == "/"
