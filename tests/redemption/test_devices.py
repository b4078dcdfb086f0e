"""Where a buyer is signed in, and how he ends it there."""

import re
from datetime import datetime, timedelta

import pytest
import time_machine
from django.core import mail
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from crm.devices import device_words
from crm.models import Member, Session, StaffAction
from tests.redemption.conftest import SignIn

IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 "
    "MicroMessenger/8.0.44 Safari/604.1"
)
WINDOWS = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0 Safari/537.36"


def by_code(user_agent: str) -> Client:
    """Sign 林小鹿 in as she does herself."""
    client = Client(headers={"accept-language": "en", "user-agent": user_agent})
    client.post("/account/login/code/", {"email": "xiaolu@example.com"})
    found = re.search(r"\b\d{4}-\d{4}\b", str(mail.outbox[-1].body))
    assert found is not None
    client.post("/account/login/code/confirm/", {"code": found.group()})
    return client


def numbers(client: Client) -> list[int]:
    return [device.number for device in client.get("/me/devices/").context["devices"] if not device.current]


@pytest.mark.parametrize(
    ("agent", "words"), [(IPHONE, "WeChat · iPhone"), (WINDOWS, "Chrome · Windows"), ("curl/8", ""), ("", "")]
)
def test_a_device_is_named_in_two_words(agent: str, words: str) -> None:
    assert device_words(agent) == words


def test_both_devices_are_listed_this_one_first(xiaolu: Member, clock: None) -> None:
    by_code(IPHONE)
    computer = by_code(WINDOWS)

    page = computer.get("/me/devices/")

    shown = [(device.words, device.current) for device in page.context["devices"]]
    assert shown == [("Chrome · Windows", True), ("WeChat · iPhone", False)]
    assert "Last seen on March 10, 2026 at about 12:00" in page.content.decode()


def test_one_device_is_signed_out(xiaolu: Member, clock: None) -> None:
    telephone, computer = by_code(IPHONE), by_code(WINDOWS)
    [number] = numbers(computer)

    answer = computer.post(f"/me/devices/{number}/sign-out/", follow=True)

    assert "That device is signed out." in answer.content.decode()
    assert telephone.get("/history/").status_code == 302
    assert computer.get("/history/").status_code == 200
    assert StaffAction.objects.filter(action="member.sign_out_device").exists()


def test_all_others_are_signed_out_at_once(xiaolu: Member, clock: None) -> None:
    others = [by_code(IPHONE), by_code(IPHONE)]
    computer = by_code(WINDOWS)

    answer = computer.post("/me/devices/others/sign-out/", follow=True)

    assert "2 other devices are signed out." in answer.content.decode()
    assert [other.get("/history/").status_code for other in others] == [302, 302]
    assert computer.get("/history/").status_code == 200


def test_nobody_ends_a_session_of_somebody_else(xiaolu: Member, dayong: Member, sign_in: SignIn) -> None:
    by_code(IPHONE)
    computer = by_code(WINDOWS)
    [number] = numbers(computer)
    stranger = sign_in(dayong)

    stranger.post(f"/me/devices/{number}/sign-out/")
    stranger.post("/me/devices/others/sign-out/")

    assert numbers(stranger) == []
    assert numbers(computer) == [number]


def test_the_page_does_not_hold_what_would_sign_somebody_in(xiaolu: Member, clock: None) -> None:
    by_code(IPHONE)
    page = by_code(WINDOWS).get("/me/devices/").content.decode()

    keys = Session.objects.exclude(user=None).values_list("session_key", flat=True)
    assert len(keys) == 2
    assert not [key for key in keys if key in page]


def test_last_seen_is_written_once_an_hour(
    xiaolu: Member, clock: None, at: datetime, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    telephone = by_code(IPHONE)

    with time_machine.travel(at + timedelta(minutes=59), tick=False):
        telephone.get("/history/")
        assert Session.objects.get(user__member=xiaolu).seen_at == at
    with time_machine.travel(at + timedelta(minutes=61), tick=False):
        telephone.get("/history/")
        assert Session.objects.get(user__member=xiaolu).seen_at == at + timedelta(minutes=61)


def test_the_list_costs_three_queries(
    xiaolu: Member, sign_in: SignIn, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for _number in range(3):
        by_code(IPHONE)
    client = sign_in(Member.objects.get(pk=xiaolu.pk))

    with django_assert_num_queries(3):
        client.get("/me/devices/")
