"""Staff see what opens a member's points, and end it with a reason."""

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
import time_machine
from allauth.socialaccount.models import SocialAccount
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from crm.admin.member_access import masked_nickname
from crm.models import Mail, Member, Session, StaffAction, User
from crm.sso.logins import login_of_member
from tests.staff import Grant

END, PERSONAL = "crm.end_session", "crm.view_personal_data"


@pytest.fixture
def login(xiaolu: Member, at: datetime) -> User:
    """林小鹿, with WeChat connected and signed in on two devices."""
    login = login_of_member(xiaolu.pk, at)
    SocialAccount.objects.create(user=login, provider="weixin", uid="union-1", extra_data={"nickname": "小鹿爱茶"})
    for number, device in enumerate(("WeChat · iPhone", "")):
        Session.objects.create(
            session_key=str(number) * 32, session_data="", expire_date=at + timedelta(days=9), user=login,
            device=device, began_at=at, seen_at=at + timedelta(hours=number),
        )  # fmt: skip
    return login


@pytest.fixture(autouse=True)
def clock(at: datetime) -> Iterator[None]:
    with time_machine.travel(at, tick=False):
        yield


def clerk(grant: Grant, *permissions: str) -> Client:
    client = Client(headers={"accept-language": "en"})
    client.force_login(grant("crm.view_member", *permissions), backend="django.contrib.auth.backends.ModelBackend")
    return client


def page(name: str, member: Member, *more: int) -> str:
    return reverse(f"admin:crm_member_{name}", args=[member.pk, *more])


def shown(client: Client, member: Member) -> str:
    """The panel alone."""
    text = client.get(page("change", member)).content.decode()
    return text.partition('id="access"')[2].partition("</section>")[0]


def device_numbers(client: Client, member: Member) -> list[int]:
    panels = {panel["name"]: panel["data"] for panel in client.get(page("change", member)).context["panels"]}
    return [device.number for device in panels["access"]["devices"]]


class TestSeeing:
    def test_accounts_and_devices_are_listed_and_nicknames_masked(
        self, xiaolu: Member, login: User, grant: Grant
    ) -> None:
        text = shown(clerk(grant), xiaolu)

        assert "WeChat · iPhone" in text
        assert "Unknown device" in text
        assert "小***" in text
        assert "小鹿爱茶" not in text
        assert "union-1" not in text
        assert "小鹿爱茶" in shown(clerk(grant, PERSONAL), xiaolu)

    def test_nobody_else_sees_a_way_to_end_them(self, xiaolu: Member, login: User, grant: Grant) -> None:
        one, other = clerk(grant), clerk(grant, END)
        paths = [
            page("disconnect", xiaolu, SocialAccount.objects.get().pk),
            page("sign_out", xiaolu, device_numbers(one, xiaolu)[0]),
            page("sign_out_all", xiaolu),
        ]

        for path in paths:
            assert path not in shown(one, xiaolu)
            assert path in shown(other, xiaolu)
            assert (one.get(path).status_code, one.post(path).status_code) == (403, 403)
            assert other.get(path).status_code == 200

    def test_a_session_key_is_on_no_page(self, xiaolu: Member, login: User, grant: Grant) -> None:
        client = clerk(grant, END, PERSONAL)

        assert "0" * 32 not in client.get(page("change", xiaolu)).content.decode()

    def test_who_never_signed_in_has_nothing(self, xiaolu: Member, grant: Grant) -> None:
        assert "has never signed in" in shown(clerk(grant), xiaolu)

    def test_a_person_of_the_shop_is_not_signed_out_here(self, xiaolu: Member, login: User, grant: Grant) -> None:
        User.objects.filter(pk=login.pk).update(is_staff=True)
        client = clerk(grant, END)

        text = shown(client, xiaolu)

        assert "is a person of the shop" in text
        assert "WeChat · iPhone" not in text
        assert client.post(page("sign_out_all", xiaolu), {"reason": "Why not"}).status_code == 403
        assert Session.objects.filter(user=login).count() == 2

    def test_more_devices_need_no_more_queries(
        self, xiaolu: Member, login: User, grant: Grant, django_assert_num_queries: DjangoAssertNumQueries, at: datetime
    ) -> None:
        client = clerk(grant)
        client.get(page("change", xiaolu))
        with CaptureQueriesContext(connection) as few:
            client.get(page("change", xiaolu))
        for number in range(20):
            Session.objects.create(
                session_key=f"{number:032}x", session_data="", expire_date=at + timedelta(days=9), user=login
            )
        with django_assert_num_queries(len(few)):
            client.get(page("change", xiaolu))


class TestEnding:
    def test_an_account_is_disconnected_with_a_reason(self, xiaolu: Member, login: User, grant: Grant) -> None:
        client = clerk(grant, END)
        path = page("disconnect", xiaolu, SocialAccount.objects.get().pk)
        assert client.post(path, {"reason": ""}).status_code == 200
        assert SocialAccount.objects.exists()

        answer = client.post(path, {"reason": "Her phone was stolen"}, follow=True)

        assert "The account is disconnected." in answer.content.decode()
        assert not SocialAccount.objects.exists()
        logged = StaffAction.objects.get(action="member.disconnect")
        assert (logged.member, logged.reason, logged.details) == (xiaolu, "Her phone was stolen", {"site": "weixin"})
        assert logged.actor != login
        assert Mail.objects.get().facts["by_shop"] is True

    def test_the_last_way_in_goes_as_well_after_a_warning(self, xiaolu: Member, login: User, grant: Grant) -> None:
        Member.objects.filter(pk=xiaolu.pk).update(email="")
        xiaolu.identities.update(email="")
        client = clerk(grant, END)
        path = page("disconnect", xiaolu, SocialAccount.objects.get().pk)

        assert "It is his only way in." in client.get(path).content.decode()
        client.post(path, {"reason": "She asked"})

        assert not SocialAccount.objects.exists()

    def test_one_device_is_signed_out(self, xiaolu: Member, login: User, grant: Grant) -> None:
        client = clerk(grant, END)
        [_unknown, phone] = device_numbers(client, xiaolu)

        answer = client.post(page("sign_out", xiaolu, phone), {"reason": "Lost"}, follow=True)

        assert "1 device is signed out." in answer.content.decode()
        assert Session.objects.get(user=login).device == ""
        logged = StaffAction.objects.get(action="member.sign_out")
        assert (logged.member, logged.reason, logged.details) == (xiaolu, "Lost", {"sessions": 1})

    def test_all_devices_are_signed_out(self, xiaolu: Member, login: User, grant: Grant) -> None:
        client = clerk(grant, END)

        answer = client.post(page("sign_out_all", xiaolu), {"reason": "Her phone was stolen"}, follow=True)

        assert "2 devices are signed out." in answer.content.decode()
        assert not Session.objects.filter(user=login).exists()

    def test_what_is_over_already_is_said(self, xiaolu: Member, login: User, grant: Grant) -> None:
        client = clerk(grant, END)
        Session.objects.filter(user=login).delete()
        SocialAccount.objects.all().delete()

        for path in (page("sign_out_all", xiaolu), page("sign_out", xiaolu, 7), page("disconnect", xiaolu, 7)):
            answer = client.post(path, {"reason": "Lost"}, follow=True)
            assert "There is nothing left to end" in answer.content.decode()
        assert not StaffAction.objects.filter(action__startswith="member.").exclude(action="member.sign_on").exists()

    def test_another_members_things_are_not_reached(
        self, xiaolu: Member, dayong: Member, login: User, grant: Grant, at: datetime
    ) -> None:
        login_of_member(dayong.pk, at)
        client = clerk(grant, END)
        account, phone = SocialAccount.objects.get().pk, device_numbers(client, xiaolu)[0]

        client.post(page("disconnect", dayong, account), {"reason": "Oops"})
        client.post(page("sign_out", dayong, phone), {"reason": "Oops"})

        assert SocialAccount.objects.exists()
        assert Session.objects.filter(user=login).count() == 2


@pytest.mark.parametrize(("nickname", "masked"), [("小鹿爱茶", "小***"), ("x", "x***"), ("", "")])
def test_a_masked_nickname_can_be_recognised(nickname: str, masked: str) -> None:
    assert masked_nickname(nickname) == masked
