"""Mails in the admin: who sees what of them, and what staff decide about those that did not go."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from crm import tasks
from crm.choices import MailProblem, MailState
from crm.mails.preferences import stop_mails
from crm.mails.queueing import Notice, queue_mails
from crm.models import Mail, Member, StaffAction, User
from tests.cast import NOON
from tests.factories import MemberFactory
from tests.staff import Grant

pytestmark = pytest.mark.django_db

LIST = "admin:crm_mail_changelist"
FACTS = {"tier": "VIP会员", "price_percent": "90"}


@pytest.fixture(autouse=True)
def noon(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The story happens at noon of 10 March 2026 in Shanghai, and no worker is at hand."""
    monkeypatch.setattr(tasks.send_mails, "delay", lambda: None)
    with time_machine.travel(NOON, tick=False):
        yield


@pytest.fixture
def mail(xiaolu: Member, at: datetime) -> Callable[..., Mail]:
    """``mail(state)``: a mail to Xiaolu that has come into this state."""

    def make(state: MailState = MailState.QUEUED, fact: str = "1", **rest: Any) -> Mail:
        queue_mails("tier_upgraded", [Notice(fact, xiaolu.pk, FACTS)], at=at)
        sent_at = at if state == MailState.SENT else None
        Mail.objects.filter(key=f"tier_upgraded:{fact}").update(
            state=state, sent_at=sent_at, address="xiaolu@example.com", attempts=3, **rest
        )
        return Mail.objects.get(key=f"tier_upgraded:{fact}")

    return make


@pytest.fixture
def keeper(client: Client, grant: Grant) -> User:
    """Who may see mails and decide about them, signed in."""
    user = grant("crm.view_mail", "crm.settle_mail")
    client.force_login(user)
    return user


def change_page(mail: Mail) -> str:
    return reverse("admin:crm_mail_change", args=[mail.pk])


class TestSeeing:
    def test_the_list_shows_kind_state_and_problem(
        self, client: Client, keeper: User, mail: Callable[..., Mail]
    ) -> None:
        mail(MailState.FAILED, problem=MailProblem.RECIPIENT)
        page = client.get(reverse(LIST)).content.decode()
        assert "升级通知" in page
        assert "邮件服务器拒绝了收件地址" in page

    def test_addresses_are_masked(self, client: Client, keeper: User, mail: Callable[..., Mail]) -> None:
        sent = mail(MailState.SENT)
        for address in (reverse(LIST), change_page(sent)):
            page = client.get(address).content.decode()
            assert "x***@example.com" in page
            assert "xiaolu@example.com" not in page

    def test_who_may_see_personal_data_sees_them_whole(
        self, client: Client, grant: Grant, mail: Callable[..., Mail]
    ) -> None:
        client.force_login(grant("crm.view_mail", "crm.view_personal_data"))
        sent = mail(MailState.SENT)
        for address in (reverse(LIST), change_page(sent)):
            assert "xiaolu@example.com" in client.get(address).content.decode()

    @pytest.mark.parametrize("lookup", ["address__startswith=x", "member__email__startswith=x", "member__phone=1"])
    def test_masked_addresses_cannot_be_asked_for_sign_by_sign(self, client: Client, keeper: User, lookup: str) -> None:
        assert client.get(f"{reverse(LIST)}?{lookup}").status_code == 400

    def test_it_can_be_filtered_by_state_and_kind(
        self, client: Client, keeper: User, mail: Callable[..., Mail]
    ) -> None:
        mail(MailState.FAILED, "1")
        mail(MailState.SENT, "2")

        def shown(query: str) -> list[str]:
            return [found.state for found in client.get(f"{reverse(LIST)}?{query}").context["cl"].result_list]

        assert shown("state__exact=failed") == ["failed"]
        assert shown("kind=tier_upgraded") == ["sent", "failed"]
        assert shown("kind=tier_ending") == []

    def test_it_is_searched_by_the_member(
        self, client: Client, keeper: User, mail: Callable[..., Mail], at: datetime
    ) -> None:
        mail()
        other = MemberFactory(name="陈一", email="chen@example.com")
        queue_mails("tier_ending", [Notice("1", other.pk, FACTS)], at=at)
        found = client.get(reverse(LIST), {"q": "小鹿爱喝茶"}).context["cl"].result_list
        assert [str(shown.member) for shown in found] == ["林小鹿"]

    def test_the_page_shows_what_the_mail_says_without_the_member_s_own_link(
        self, client: Client, keeper: User, mail: Callable[..., Mail]
    ) -> None:
        page = client.get(change_page(mail(MailState.SENT))).content.decode()
        assert "您现在是“VIP会员”" in page
        assert "/mail/stop/" not in page

    def test_a_kind_that_is_gone_still_has_its_page(
        self, client: Client, keeper: User, mail: Callable[..., Mail]
    ) -> None:
        assert client.get(change_page(mail(MailState.SENT, kind="christmas"))).status_code == 200

    def test_the_list_costs_the_same_however_many(
        self, client: Client, keeper: User, mail: Callable[..., Mail]
    ) -> None:
        def queries() -> int:
            with CaptureQueriesContext(connection) as captured:
                assert client.get(reverse(LIST)).status_code == 200
            return len(captured)

        mail(fact="0")
        few = queries()
        for number in range(1, 30):
            mail(fact=str(number))
        assert queries() == few <= 6

    def test_the_member_s_page_shows_his_latest_mails_and_what_he_does_not_want(
        self, client: Client, grant: Grant, mail: Callable[..., Mail], xiaolu: Member, at: datetime
    ) -> None:
        mail(MailState.IN_DOUBT)
        stop_mails(xiaolu.pk, "tier_ending", at=at, actor_id=None)
        address = reverse("admin:crm_member_change", args=[xiaolu.pk])
        client.force_login(grant("crm.view_member", "crm.view_mail"))
        page = client.get(address).content.decode()
        assert "升级通知" in page
        assert "该会员不接收：等级到期提醒" in page
        client.force_login(grant("crm.view_member"))
        assert "升级通知" not in client.get(address).content.decode()

    def test_the_home_page_tells_of_mails_that_need_a_decision(
        self, client: Client, keeper: User, mail: Callable[..., Mail]
    ) -> None:
        def figures() -> list[int]:
            return [figure["value"] for figure in client.get(reverse("admin:index")).context["figures"]]

        mail(MailState.SENT, "1")
        assert figures() == []
        mail(MailState.FAILED, "2")
        mail(MailState.IN_DOUBT, "3")
        assert figures() == [2]


class TestDeciding:
    def decide(self, client: Client, mail: Mail, name: str, reason: str = "Asked the buyer") -> Any:
        return client.post(reverse("admin:crm_mail_settle", args=[mail.pk, name]), {"reason": reason}, follow=True)

    @pytest.mark.parametrize("state", [MailState.FAILED, MailState.IN_DOUBT, MailState.SKIPPED])
    def test_a_mail_is_sent_again_for_a_reason(
        self, client: Client, keeper: User, mail: Callable[..., Mail], at: datetime, state: MailState
    ) -> None:
        failed = mail(state, problem=MailProblem.RECIPIENT)

        self.decide(client, failed, "again")

        failed.refresh_from_db()
        assert (failed.state, failed.due_at, failed.attempts, failed.problem) == (MailState.QUEUED, at, 0, "")
        logged = StaffAction.objects.get(action="mail.again")
        assert (logged.actor, logged.reason, logged.details["mails"]) == (keeper, "Asked the buyer", [failed.pk])

    def test_a_mail_in_doubt_is_taken_as_sent(
        self, client: Client, keeper: User, mail: Callable[..., Mail], at: datetime
    ) -> None:
        doubtful = mail(MailState.IN_DOUBT)
        self.decide(client, doubtful, "sent")
        doubtful.refresh_from_db()
        assert (doubtful.state, doubtful.sent_at) == (MailState.SENT, at)

    def test_a_mail_that_waits_is_called_off(self, client: Client, keeper: User, mail: Callable[..., Mail]) -> None:
        waiting = mail()
        self.decide(client, waiting, "drop")
        waiting.refresh_from_db()
        assert (waiting.state, waiting.problem) == (MailState.SKIPPED, MailProblem.CALLED_OFF)

    @pytest.mark.parametrize(
        ("state", "name"),
        [(MailState.SENT, "again"), (MailState.QUEUED, "again"), (MailState.FAILED, "sent"), (MailState.SENT, "drop")],
    )
    def test_what_does_not_fit_the_state_changes_nothing_and_says_so(
        self, client: Client, keeper: User, mail: Callable[..., Mail], *, state: MailState, name: str
    ) -> None:
        other = mail(state)
        assert "邮件的状态已经变化" in self.decide(client, other, name).content.decode()
        other.refresh_from_db()
        assert other.state == state
        assert not StaffAction.objects.exists()

    def test_without_a_reason_nothing_happens(self, client: Client, keeper: User, mail: Callable[..., Mail]) -> None:
        failed = mail(MailState.FAILED)
        assert self.decide(client, failed, "again", reason="").context["form"].errors
        failed.refresh_from_db()
        assert failed.state == MailState.FAILED

    def test_only_who_may_settle_decides(self, client: Client, grant: Grant, mail: Callable[..., Mail]) -> None:
        client.force_login(grant("crm.view_mail"))
        failed = mail(MailState.FAILED)
        assert "重新发送" not in client.get(change_page(failed)).content.decode()
        assert self.decide(client, failed, "again").status_code == 403

    def test_nor_does_who_may_not_even_see_them(self, client: Client, grant: Grant, mail: Callable[..., Mail]) -> None:
        client.force_login(grant("crm.settle_mail"))
        failed = mail(MailState.FAILED)
        assert self.decide(client, failed, "again").status_code == 403

    @pytest.mark.parametrize("name", ["again", "sent", "drop", "burn"])
    def test_there_is_a_page_for_what_can_be_decided_and_for_nothing_else(
        self, client: Client, keeper: User, mail: Callable[..., Mail], name: str
    ) -> None:
        page = client.get(reverse("admin:crm_mail_settle", args=[mail(MailState.IN_DOUBT).pk, name]))
        assert page.status_code == (404 if name == "burn" else 200)

    def test_many_are_sent_again_at_once_and_those_that_do_not_fit_are_left_alone(
        self, client: Client, keeper: User, mail: Callable[..., Mail]
    ) -> None:
        mails = [mail(MailState.FAILED, str(number)) for number in range(3)] + [mail(MailState.SENT, "9")]
        form = {"action": "send_again", "_selected_action": [m.pk for m in mails], "select_across": "0"}
        assert client.post(reverse(LIST), form).context["number"] == 3

        client.post(reverse(LIST), form | {"apply": "1", "reason": "The server is back"})

        assert sorted(Mail.objects.values_list("state", flat=True)) == ["queued"] * 3 + ["sent"]
        assert StaffAction.objects.get().details["number"] == 3

    def test_who_may_not_settle_is_offered_no_act(
        self, client: Client, grant: Grant, mail: Callable[..., Mail]
    ) -> None:
        client.force_login(grant("crm.view_mail"))
        failed = mail(MailState.FAILED)
        form = {"action": "send_again", "_selected_action": [failed.pk], "apply": "1", "reason": "x"}
        client.post(reverse(LIST), form)
        failed.refresh_from_db()
        assert failed.state == MailState.FAILED
