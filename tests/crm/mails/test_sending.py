"""A worker's round with a mail server that takes mails, refuses them, or goes away."""

import email
import re
from datetime import datetime, timedelta
from email import policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from crm.choices import MailProblem, MailState
from crm.mails import outbox
from crm.mails.outcomes import LEASE, MOST_ATTEMPTS, wait_after
from crm.mails.preferences import set_mail_preferences, stop_mails
from crm.models import Mail, Member
from crm.tasks import send_mails
from tests.cast import NOON
from tests.crm.mails.conftest import Send, Write
from tests.crm.mails.mail_server import BREAK_OFF, MailServer
from tests.factories import MemberFactory, UserFactory

pytestmark = pytest.mark.django_db

MINUTE = timedelta(minutes=1)


def read(mail: bytes) -> EmailMessage:
    return email.message_from_bytes(mail, _class=EmailMessage, policy=policy.default)


def body(mail: bytes, kind: str = "plain") -> str:
    part = read(mail).get_body((kind,))
    assert part is not None
    return str(part.get_content())


def subject(mail: bytes) -> str:
    return str(read(mail)["Subject"]).strip()  # The long line was folded after its name.


class TestWhatIsSent:
    def test_a_mail_arrives_and_is_written_down_as_sent(
        self, xiaolu: Member, write: Write, send: Send, server: MailServer, at: datetime
    ) -> None:
        mail = write(xiaolu)

        assert send().sent == 1

        mail.refresh_from_db()
        assert (mail.state, mail.sent_at, mail.attempts) == (MailState.SENT, at, 1)
        assert mail.address == "xiaolu@example.com"
        (arrived,) = server.taken
        assert read(arrived)["To"] == "xiaolu@example.com"
        assert subject(arrived) == mail.subject == "[积分掌柜] 您已升级为“VIP会员”"
        assert "林小鹿" in body(arrived)
        assert "9 折" in body(arrived)
        assert "2027年3月9日" in body(arrived)
        assert "2027年3月9日" in body(arrived, "html")

    def test_it_is_in_the_language_of_its_reader(
        self, xiaolu: Member, write: Write, send: Send, server: MailServer, at: datetime
    ) -> None:
        set_mail_preferences(xiaolu.pk, wanted=["tier_upgraded"], language="en", at=at, actor_id=None)
        write(xiaolu)
        send()
        assert "You are now a member of the tier “VIP会员”" in subject(server.taken[0])
        assert not re.search(
            "[一-鿿]", body(server.taken[0]).replace("VIP会员", "").replace("林小鹿", "").replace("积分掌柜", "")
        )

    def test_it_says_how_to_get_no_more_of_them(
        self, xiaolu: Member, write: Write, send: Send, server: MailServer, settings: Any
    ) -> None:
        settings.SHOP_URL = "https://points.example"
        write(xiaolu)
        send()
        arrived = read(server.taken[0])
        link = str(arrived["List-Unsubscribe"]).strip(" <>")
        assert link.startswith("https://points.example/mail/stop/")
        assert arrived["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
        assert link in body(server.taken[0])
        assert link in body(server.taken[0], "html")

    def test_every_kind_can_be_written_in_text_and_html(
        self, xiaolu: Member, write: Write, send: Send, server: MailServer
    ) -> None:
        for kind in ("tier_upgraded", "tier_reached", "claim_expiring", "tier_ending"):
            write(xiaolu, kind=kind)
        assert send().sent == 4
        for arrived in server.taken:
            assert "“VIP会员”" in body(arrived)
            assert "“VIP会员”" in body(arrived, "html")
            assert "\n\n\n" not in body(arrived)

    def test_a_name_with_markup_in_it_stays_a_name(
        self, shop: Any, write: Write, send: Send, server: MailServer
    ) -> None:
        write(MemberFactory(name="<b>Lu</b>", email="lu@example.com"))
        send()
        assert "<b>Lu</b>" in body(server.taken[0])
        assert "&lt;b&gt;Lu&lt;/b&gt;" in body(server.taken[0], "html")

    def test_it_goes_to_the_address_that_is_right_when_it_is_sent(
        self, xiaolu: Member, write: Write, send: Send, server: MailServer
    ) -> None:
        write(xiaolu)
        Member.objects.filter(pk=xiaolu.pk).update(user=UserFactory(email="proven@example.com"))
        send()
        assert read(server.taken[0])["To"] == "proven@example.com"

    def test_several_go_over_one_connection_the_oldest_first(
        self, xiaolu: Member, dayong: Member, write: Write, send: Send, server: MailServer
    ) -> None:
        write(dayong, "1")
        write(xiaolu, "2")
        assert send().sent == 2
        assert [read(mail)["To"] for mail in server.taken] == ["dayong@example.com", "xiaolu@example.com"]
        assert server.sessions == 1

    def test_a_round_costs_the_same_for_every_mail(
        self, xiaolu: Member, write: Write, send: Send, server: MailServer
    ) -> None:
        def queries(number: int) -> int:
            for fact in range(number):
                write(xiaolu, f"{number}:{fact}")
            with CaptureQueriesContext(
                connection,
            ) as captured:
                assert send().sent == number
            return len(captured)

        # Claimed and read, marked, marked as sent; the two transactions are savepoints here.
        assert queries(5) - queries(1) == 4 * 8

    def test_the_task_sends_what_is_due(self, xiaolu: Member, write: Write, server: MailServer) -> None:
        write(xiaolu)
        send_mails()
        assert len(server.taken) == 1

    def test_without_a_mail_server_mails_are_kept_as_files(
        self, xiaolu: Member, write: Write, send: Send, settings: Any, tmp_path: Path
    ) -> None:
        settings.EMAIL_BACKEND, settings.EMAIL_FILE_PATH = "django.core.mail.backends.filebased.EmailBackend", tmp_path
        write(xiaolu)
        assert send().sent == 1
        assert len(list(tmp_path.iterdir())) == 1


class TestReasonsNotTo:
    def reason(self, mail: Mail) -> str:
        mail.refresh_from_db()
        assert mail.state == MailState.SKIPPED
        return mail.problem

    def test_who_stops_mails_gets_none_that_waits_either(
        self, xiaolu: Member, write: Write, send: Send, server: MailServer, at: datetime
    ) -> None:
        mail = write(xiaolu)
        stop_mails(xiaolu.pk, at=at, actor_id=None)
        send()
        assert self.reason(mail) == MailProblem.UNWANTED
        assert server.sessions == 0

    def test_what_is_over_is_not_told_any_more(
        self, xiaolu: Member, write: Write, send: Send, server: MailServer, at: datetime
    ) -> None:
        mail = write(xiaolu, useless_after=at + MINUTE)
        send(at + 2 * MINUTE)
        assert self.reason(mail) == MailProblem.TOO_LATE

    def test_an_address_may_have_gone(self, xiaolu: Member, write: Write, send: Send, server: MailServer) -> None:
        mail = write(xiaolu)
        Member.objects.update(email="")
        send()
        assert self.reason(mail) == MailProblem.NO_ADDRESS

    @pytest.mark.parametrize("address", ["nobody", "a@b@c.example", "x@example.com\nBcc: all@example.com", "小鹿@例子"])
    def test_an_address_may_never_have_been_one(
        self, xiaolu: Member, write: Write, send: Send, server: MailServer, address: str
    ) -> None:
        mail = write(xiaolu)
        Member.objects.update(email=address)
        send()
        assert self.reason(mail) == MailProblem.BAD_ADDRESS
        assert server.sessions == 0


class TestCertainlyNotSent:
    """What goes wrong before the mail server has said yes is tried again, or given up, and nothing is in doubt."""

    @pytest.fixture
    def mail(self, xiaolu: Member, write: Write) -> Mail:
        return write(xiaolu)

    @pytest.mark.parametrize(
        ("step", "answer", "problem"),
        [
            ("hello", BREAK_OFF, MailProblem.UNREACHABLE),
            ("hello", "554 go away", MailProblem.UNREACHABLE),
            ("MAIL", "550 who are you", MailProblem.SENDER),
            ("MAIL", BREAK_OFF, MailProblem.UNREACHABLE),
            ("RCPT", BREAK_OFF, MailProblem.UNREACHABLE),
            ("RCPT", "450 later", MailProblem.RECIPIENT),
            ("RCPT", "421 too busy", MailProblem.RECIPIENT),
            ("DATA", "451 later", MailProblem.MESSAGE),
            ("mail", "452 full", MailProblem.MESSAGE),
        ],
    )
    def test_for_now_it_is_tried_again(
        self, mail: Mail, send: Send, server: MailServer, *, step: str, answer: str, problem: MailProblem
    ) -> None:
        server.answers = {step: answer}

        assert send().sent == 0

        mail.refresh_from_db()
        assert (mail.state, mail.problem, mail.due_at) == (MailState.QUEUED, problem, NOON + wait_after(1))
        server.answers = {}
        assert send(NOON + wait_after(1) - timedelta(seconds=1)).tried == 0
        assert send(NOON + wait_after(1)).sent == 1
        assert len(server.taken) == 1

    @pytest.mark.parametrize(
        ("step", "answer", "problem"),
        [
            ("RCPT", "550 no such mailbox", MailProblem.RECIPIENT),
            ("DATA", "554 no", MailProblem.MESSAGE),
            ("mail", "554 spam", MailProblem.MESSAGE),
        ],
    )
    def test_for_good_it_has_failed(
        self, mail: Mail, send: Send, server: MailServer, *, step: str, answer: str, problem: MailProblem
    ) -> None:
        server.answers = {step: answer}
        send()
        mail.refresh_from_db()
        assert (mail.state, mail.problem, len(server.taken)) == (MailState.FAILED, problem, 0)

    def test_the_list_keeps_what_the_server_said_but_not_to_whom(
        self, xiaolu: Member, write: Write, send: Send, server: MailServer
    ) -> None:
        mail = write(xiaolu)
        server.answers = {"RCPT": "550 <Xiaolu@example.com> unknown"}
        send()
        mail.refresh_from_db()
        assert mail.reply == "550 <<…>> unknown"

    def test_one_refused_recipient_does_not_hold_up_the_next(
        self, xiaolu: Member, dayong: Member, write: Write, send: Send, server: MailServer
    ) -> None:
        write(xiaolu, "1")
        write(dayong, "2")
        server.answers = {"RCPT": ["550 no such mailbox", "250 ok"]}
        assert send().sent == 1
        assert read(server.taken[0])["To"] == "dayong@example.com"

    def test_when_the_server_is_away_one_mail_tries_and_the_others_keep_their_attempts(
        self, xiaolu: Member, write: Write, send: Send, server: MailServer
    ) -> None:
        for fact in "123":
            write(xiaolu, fact)
        server.answers = {"hello": BREAK_OFF}
        assert send().server_away
        assert sorted(Mail.objects.values_list("attempts", flat=True)) == [0, 0, 1]

    def test_a_session_that_the_server_ends_between_two_mails_is_opened_anew(
        self, xiaolu: Member, dayong: Member, write: Write, send: Send, server: MailServer
    ) -> None:
        write(xiaolu, "1")
        write(dayong, "2")
        server.answers = {"MAIL": ["250 ok", "421 enough of you", "250 ok"]}
        assert send().sent == 2
        assert server.sessions == 2

    def test_after_the_last_attempt_staff_has_to_see_to_it(
        self, xiaolu: Member, write: Write, send: Send, server: MailServer, at: datetime
    ) -> None:
        mail = write(xiaolu)
        server.answers = {"hello": BREAK_OFF}
        for _attempt in range(MOST_ATTEMPTS):
            mail.refresh_from_db()
            send(mail.due_at)
        mail.refresh_from_db()
        assert (mail.state, mail.attempts) == (MailState.FAILED, MOST_ATTEMPTS)

    def test_a_mail_that_cannot_be_written_fails_and_the_others_go(
        self, xiaolu: Member, dayong: Member, write: Write, send: Send, server: MailServer
    ) -> None:
        odd = write(xiaolu, "1")
        Mail.objects.update(kind="gone")
        write(dayong, "2")
        assert send().sent == 1
        odd.refresh_from_db()
        assert (odd.state, odd.problem) == (MailState.FAILED, MailProblem.UNWRITABLE)


class TestDoubt:
    def test_a_server_that_goes_silent_after_the_mail_leaves_doubt_and_nothing_is_sent_again(
        self, xiaolu: Member, write: Write, send: Send, server: MailServer, at: datetime
    ) -> None:
        mail = write(xiaolu)
        server.answers = {"mail": BREAK_OFF}

        assert send().sent == 0

        mail.refresh_from_db()
        assert (mail.state, mail.problem) == (MailState.IN_DOUBT, MailProblem.NO_ANSWER)
        server.answers = {}
        assert send(at + timedelta(days=30)).tried == 0
        assert len(server.taken) == 1

    def test_a_backend_that_fails_in_its_one_step_leaves_doubt(
        self, xiaolu: Member, write: Write, send: Send, settings: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from django.core.mail.backends.locmem import EmailBackend

        def breaks(backend: EmailBackend, mails: Any) -> int:
            raise RuntimeError("the provider answered with a page of HTML")

        monkeypatch.setattr(EmailBackend, "send_messages", breaks)
        mail = write(xiaolu)
        send()
        mail.refresh_from_db()
        assert (mail.state, mail.problem) == (MailState.IN_DOUBT, MailProblem.NO_ANSWER)


class TestSlowWorkers:
    """A worker that is taken for dead and is not."""

    def test_one_whose_claim_has_lapsed_hands_nothing_over(self, xiaolu: Member, write: Write, at: datetime) -> None:
        write(xiaolu)
        slow = outbox.claim(at)
        assert slow is not None
        outbox.take_up_abandoned(at + LEASE + MINUTE)
        assert outbox.claim(at + LEASE + MINUTE) is not None
        assert not outbox.begin_sending(slow, address=slow.address, subject="", at=at + LEASE + MINUTE)

    def test_one_that_learns_late_that_the_mail_was_taken_settles_the_doubt(
        self, xiaolu: Member, write: Write, at: datetime
    ) -> None:
        mail = write(xiaolu)
        slow = outbox.claim(at)
        assert slow is not None
        assert outbox.begin_sending(slow, address=slow.address, subject="", at=at)
        outbox.take_up_abandoned(at + LEASE + MINUTE)
        mail.refresh_from_db()
        assert mail.state == MailState.IN_DOUBT

        assert outbox.sent(slow, at=at + LEASE + 2 * MINUTE)

        mail.refresh_from_db()
        assert (mail.state, mail.problem) == (MailState.SENT, "")

    def test_one_that_comes_back_after_another_has_begun_says_so_and_changes_nothing(
        self, xiaolu: Member, write: Write, at: datetime, caplog: pytest.LogCaptureFixture
    ) -> None:
        mail = write(xiaolu)
        slow = outbox.claim(at)
        assert slow is not None
        outbox.take_up_abandoned(at + LEASE + MINUTE)
        outbox.claim(at + LEASE + MINUTE)
        assert not outbox.sent(slow, at=at + LEASE + 2 * MINUTE)
        mail.refresh_from_db()
        assert mail.state == MailState.CLAIMED
        assert "another attempt had begun" in caplog.text
