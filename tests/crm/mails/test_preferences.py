"""Which mails a member wants: his word, the link in a mail, and the button of his mail program."""

import re
from collections.abc import Callable
from datetime import datetime

import pytest
from django.core import signing
from django.test import Client
from django.urls import reverse
from django.utils import translation

from crm.api import MailPreferences, mail_preferences, set_mail_preferences
from crm.mails import tier_mails
from crm.mails.preferences import remember_language
from crm.mails.stopping import read_stop_token, stop_url
from crm.models import MailPreference, Member, StaffAction

pytestmark = pytest.mark.django_db

ALL = {"tier_upgraded", "tier_reached", "claim_expiring", "tier_ending", "security_notice"}


def wanted(preferences: MailPreferences) -> set[str]:
    return {wish.kind.code for wish in preferences.wishes if wish.wanted}


class TestWord:
    def test_who_has_said_nothing_gets_everything_in_the_shop_s_language(self, xiaolu: Member) -> None:
        said = mail_preferences(xiaolu.pk)
        assert (wanted(said) >= ALL, said.language, said.wants_none) == (True, "zh-hans", False)

    def test_what_is_chosen_is_kept_and_logged(self, xiaolu: Member, at: datetime) -> None:
        said = set_mail_preferences(xiaolu.pk, wanted=["tier_ending"], language="en", at=at, actor_id=None)

        assert (wanted(said), said.language) == ({"tier_ending"}, "en")
        logged = StaffAction.objects.get(action="member.mail_preferences")
        assert (logged.member, logged.at) == (xiaolu, at)

    def test_saying_the_same_again_changes_and_logs_nothing(self, xiaolu: Member, at: datetime) -> None:
        for _time in range(2):
            set_mail_preferences(xiaolu.pk, wanted=["tier_ending"], at=at, actor_id=None)
        assert StaffAction.objects.count() == 1

    def test_to_want_nothing_also_means_what_there_will_be_some_day(self, xiaolu: Member, at: datetime) -> None:
        assert set_mail_preferences(xiaolu.pk, wanted=[], at=at, actor_id=None).wants_none
        assert MailPreference.objects.get().refuses_all

    @pytest.mark.parametrize("mistake", [{"wanted": ["christmas"]}, {"wanted": [], "language": "fr"}])
    def test_what_there_is_not_cannot_be_chosen(self, xiaolu: Member, at: datetime, mistake: dict) -> None:
        with pytest.raises(ValueError, match="no such"):
            set_mail_preferences(xiaolu.pk, **mistake, at=at, actor_id=None)
        assert not MailPreference.objects.exists()

    def test_the_language_of_the_pages_is_taken_until_another_is_chosen(self, xiaolu: Member, at: datetime) -> None:
        remember_language(xiaolu.pk, "en", at=at)
        remember_language(xiaolu.pk, "zh-hans", at=at)
        assert mail_preferences(xiaolu.pk).language == "en"

    def test_a_language_that_the_shop_gave_up_is_replaced_by_its_own(self, xiaolu: Member, at: datetime) -> None:
        MailPreference.objects.create(member=xiaolu, language="fr", changed_at=at)
        assert mail_preferences(xiaolu.pk).language == "zh-hans"


class TestLink:
    @pytest.fixture
    def page(self, xiaolu: Member) -> str:
        return stop_url(xiaolu.pk, "tier_ending").removeprefix("http://localhost:8000")

    def test_looking_stops_nothing(self, client: Client, page: str, xiaolu: Member) -> None:
        shown = client.get(page)
        assert shown.status_code == 200
        assert wanted(mail_preferences(xiaolu.pk)) >= ALL
        assert shown["Referrer-Policy"] == "no-referrer"

    def test_a_button_stops_this_kind(self, client: Client, page: str, xiaolu: Member) -> None:
        answer = client.post(page, {"act": "kind"}, follow=True)
        assert "您不会再收到此类邮件" in answer.content.decode()
        assert wanted(mail_preferences(xiaolu.pk)) == ALL - {"tier_ending"}

    def test_another_button_stops_all(self, client: Client, page: str, xiaolu: Member) -> None:
        answer = client.post(page, {"act": "all"}, follow=True)
        assert "您不会再收到邮件" in answer.content.decode()
        assert mail_preferences(xiaolu.pk).wants_none

    @pytest.mark.parametrize(("act", "then"), [("kind", ALL), ("all", {"tier_ending"})])
    def test_it_can_be_taken_back(self, client: Client, page: str, xiaolu: Member, act: str, then: set[str]) -> None:
        client.post(page, {"act": act})
        client.post(page, {"act": "again"})
        assert wanted(mail_preferences(xiaolu.pk)) == then

    def test_a_mail_program_presses_the_button_without_cookie_and_token(self, page: str, xiaolu: Member) -> None:
        strict = Client(enforce_csrf_checks=True)
        answer = strict.post(page, {"List-Unsubscribe": "One-Click"})
        assert (answer.status_code, answer.content) == (200, b"")
        assert wanted(mail_preferences(xiaolu.pk)) == ALL - {"tier_ending"}

    def test_pressed_twice_it_is_done_once(self, client: Client, page: str, xiaolu: Member) -> None:
        for _time in range(2):
            client.post(page, {"act": "kind"})
        assert StaffAction.objects.count() == 1

    @pytest.mark.parametrize("spoil", [lambda t: t[:-1] + "x", lambda t: "x" + t, lambda t: "nonsense"])
    def test_a_link_that_was_tampered_with_leads_nowhere(
        self, client: Client, xiaolu: Member, spoil: Callable[[str], str]
    ) -> None:
        token = stop_url(xiaolu.pk, "tier_ending").rstrip("/").rpartition("/")[2]
        assert read_stop_token(token) is not None
        assert client.post(reverse("stop_mails", args=[spoil(token)])).status_code == 404
        assert not MailPreference.objects.exists()

    def test_nor_does_what_we_signed_for_another_purpose(self, client: Client, xiaolu: Member) -> None:
        token = signing.dumps([xiaolu.pk, "tier_ending"], salt="something.else")
        assert client.get(reverse("stop_mails", args=[token])).status_code == 404

    def test_nor_that_of_a_member_who_never_was(self, client: Client) -> None:
        assert client.get(stop_url(999_999, "tier_ending").partition("8000")[2]).status_code == 404

    @pytest.mark.parametrize(("language", "other"), [("zh-hans", r"[A-Za-z]{3,}"), ("en", "[\u4e00-\u9fff]{3,}")])
    @pytest.mark.parametrize("act", [None, "kind", "all"])
    def test_it_is_in_one_language(
        self, client: Client, page: str, *, act: str | None, language: str, other: str
    ) -> None:
        if act:
            client.post(page, {"act": act})
        with translation.override(language):
            kind = str(tier_mails.TIER_ENDING.label)
        text = client.get(page, headers={"accept-language": language}).content.decode()
        main = text.partition("<main")[2].partition(">")[2].partition("</main>")[0]
        said = re.sub(r"<[^>]+>|积分掌柜", "", main)
        assert re.search(other, said) is None, said
        assert (kind in said) == (act != "all")
