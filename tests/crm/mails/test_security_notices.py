"""A member is told of what opens his points: accounts that come and go, and devices of a kind that is new to him."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from allauth.socialaccount.models import SocialAccount
from django.core import mail as post
from django.test import Client

from crm.choices import SocialSite
from crm.known_devices import KEPT, forget_devices, meet_device
from crm.mails.preferences import remember_language, stop_mails
from crm.models import KnownDevice, Mail, Member, User
from crm.social.links import Linking, Unlinking, link_account, unlink_account
from crm.social.sites import Vouched
from crm.sso.logins import login_of_member
from tests.crm.mails.conftest import Send
from tests.factories import StaffFactory

pytestmark = pytest.mark.django_db

DEER = Vouched(SocialSite.WEIXIN, "union-1", "小鹿🦌")
PHONE, COMPUTER = "WeChat · iPhone", "Chrome · Windows"


@pytest.fixture
def login(xiaolu: Member, at: datetime) -> User:
    remember_language(xiaolu.pk, "en", at=at)
    return login_of_member(xiaolu.pk, at)


def facts() -> list[dict[str, Any]]:
    return [mail.facts for mail in Mail.objects.order_by("pk")]


def said(send: Send, at: datetime) -> tuple[str, str]:
    """What the one mail says, that goes out now."""
    assert send(at).sent == 1
    [mail] = post.outbox
    return str(mail.subject), str(mail.body)


class TestAccounts:
    def test_connecting_is_told_with_the_nickname(self, xiaolu: Member, login: User, send: Send, at: datetime) -> None:
        assert link_account(login.pk, xiaolu.pk, DEER, at) is Linking.DONE

        subject, body = said(send, at)

        assert "Your WeChat account now opens your points" in subject
        assert "The WeChat account “小鹿🦌” was connected on" in body
        assert "disconnect what is not yours" in body

    def test_what_did_not_come_about_is_not_told(self, xiaolu: Member, login: User, at: datetime) -> None:
        link_account(login.pk, xiaolu.pk, DEER, at)
        assert link_account(login.pk, xiaolu.pk, DEER, at) is Linking.ALREADY
        assert link_account(login.pk, xiaolu.pk, Vouched(SocialSite.WEIXIN, "other", ""), at) is Linking.FULL

        assert len(facts()) == 1

    def test_each_time_is_a_fact_of_its_own(self, xiaolu: Member, login: User, at: datetime) -> None:
        for _time in range(2):
            link_account(login.pk, xiaolu.pk, DEER, at)
            assert unlink_account(login.pk, xiaolu.pk, SocialAccount.objects.get().pk, at) is Unlinking.DONE

        assert [fact["what"] for fact in facts()] == ["connected", "disconnected"] * 2

    def test_disconnecting_says_who_did_it(self, xiaolu: Member, login: User, send: Send, at: datetime) -> None:
        SocialAccount.objects.create(user=login, provider="weibo", uid="7", extra_data={"nickname": "小鹿"})
        clerk = StaffFactory().pk
        unlink_account(login.pk, xiaolu.pk, SocialAccount.objects.get().pk, at, staff_id=clerk, reason="She asked")

        subject, body = said(send, at)

        assert "Your Weibo account was disconnected" in subject
        assert "The shop disconnected your Weibo account on" in body

    def test_who_does_not_want_it_is_not_told(self, xiaolu: Member, login: User, at: datetime) -> None:
        stop_mails(xiaolu.pk, "security_notice", at=at, actor_id=None)
        link_account(login.pk, xiaolu.pk, DEER, at)

        assert facts() == []


class TestDevices:
    def test_the_first_device_of_a_login_is_no_news(self, login: User, at: datetime) -> None:
        meet_device(login.pk, PHONE, at)

        assert facts() == []
        assert KnownDevice.objects.get().words == PHONE

    def test_another_sort_is_told_once(self, login: User, send: Send, at: datetime) -> None:
        for words in (PHONE, COMPUTER, COMPUTER, PHONE):
            meet_device(login.pk, words, at)

        subject, body = said(send, at)

        assert "Sign-in on a new device" in subject
        assert "with a device of a kind that is new here: Chrome · Windows." in body

    def test_one_that_tells_nothing_of_itself_is_told_without_a_name(
        self, login: User, send: Send, at: datetime
    ) -> None:
        meet_device(login.pk, PHONE, at)
        meet_device(login.pk, "", at)

        assert "with a device of a kind that is new here." in said(send, at)[1]

    def test_what_was_not_used_for_more_than_a_year_is_new_again(self, login: User, at: datetime) -> None:
        meet_device(login.pk, PHONE, at)
        meet_device(login.pk, COMPUTER, at)
        later = at + KEPT + timedelta(days=1)
        meet_device(login.pk, PHONE, later - timedelta(days=1))
        forget_devices(later)
        meet_device(login.pk, COMPUTER, later)

        assert [fact["device"] for fact in facts()] == [COMPUTER, COMPUTER]

    def test_a_login_without_a_member_is_not_told(self, at: datetime) -> None:
        clerk = StaffFactory()
        meet_device(clerk.pk, PHONE, at)
        meet_device(clerk.pk, COMPUTER, at)

        assert facts() == []

    def test_three_days_later_it_is_no_use_any_more(self, login: User, send: Send, at: datetime) -> None:
        meet_device(login.pk, PHONE, at)
        meet_device(login.pk, COMPUTER, at)

        assert send(at + timedelta(days=3, seconds=1)).sent == 0

    def test_the_preferences_offer_it(self, xiaolu: Member, login: User) -> None:
        client = Client()
        client.force_login(login, "django.contrib.auth.backends.ModelBackend")

        assert 'value="security_notice"' in client.get("/me/preferences/").content.decode()
