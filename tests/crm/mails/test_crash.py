"""The worker is killed at every point that is ours to control. The mail is sent once, or is known to be in doubt.

Real processes that really die (``mortal.py``), real commits, a mail server that counts what it has taken.
"""

import email
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import connection

from crm.choices import MailState
from crm.mails.outcomes import LEASE
from crm.mails.sending import send_due
from crm.models import Mail, Member
from crm.personal.erasing import erase_member
from crm.personal.registry import Erasure
from tests.cast import NOON
from tests.crm.mails.conftest import Write
from tests.crm.mails.mail_server import MailServer
from tests.crm.mails.mortal import ALIVE
from tests.factories import StaffFactory

pytestmark = pytest.mark.django_db(transaction=True)

PROJECT = Path(__file__).resolve().parents[3]
PROGRAM = """
import os, sys, django
from django.conf import settings
django.setup()
from tests.crm.mails.mortal import mortals
mortals()
"""
KILLED, UNHARMED = -9, 0
LATER = NOON + LEASE + timedelta(minutes=1)

Kill = Callable[..., int]


@pytest.fixture(scope="module")
def mortals() -> Iterator["subprocess.Popen[str]"]:
    """The process that forks the workers."""
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM], cwd=PROJECT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        yield process
        assert process.stdin is not None
        process.stdin.close()


@pytest.fixture
def kill(mortals: "subprocess.Popen[str]", server: MailServer) -> Kill:
    """``kill(place="after", function="crm.mails.outbox.claim")``: a worker does a round and dies there.

    The database learns of a death a moment later than we do, and until then the dead worker's transaction holds its
    mail, which the next worker passes over. So this waits for the end of its session.
    """

    def order(**where: object) -> int:
        assert mortals.stdin is not None
        assert mortals.stdout is not None
        mortals.stdin.write(json.dumps({"at": NOON.isoformat(), "port": server.port, **where}) + "\n")
        mortals.stdin.flush()
        died = int(mortals.stdout.readline())
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_lock(%s), pg_advisory_unlock(%s)", [ALIVE, ALIVE])
        return died

    return order


def after_another_worker(mail: Mail) -> str:
    """Let a second worker look at the outbox once the lease of the dead one is over."""
    send_due(clock=lambda: LATER)
    mail.refresh_from_db()
    return mail.state


SAFE = [
    # Nothing was handed over, or it is written down that it was: the mail is sent once, and nobody need be asked.
    ("before", "crm.mails.outbox.claim"),
    ("after", "crm.mails.outbox.claim"),
    ("after", "crm.mails.sending.message_of"),
    ("before", "smtplib.SMTP.connect"),
    ("after", "smtplib.SMTP.connect"),
    ("after", "smtplib.SMTP.mail"),
    ("after", "smtplib.SMTP.rcpt"),
    ("before", "crm.mails.outbox.begin_sending"),
    ("after", "crm.mails.outbox.sent"),
    ("before", "smtplib.SMTP.quit"),
]
UNKNOWN = [
    # From here on the mail may be on its way, with how many copies the mail server has then got.
    ("after", "crm.mails.outbox.begin_sending", 1, 0),
    ("before", "smtplib.SMTP.data", 1, 0),
    ("after", "smtplib.SMTP.send", 4, 0),  # The command DATA is away, and the answer is not read.
    ("after", "smtplib.SMTP.send", 5, 1),  # The mail is away, and the answer is not read.
    ("after", "smtplib.SMTP.data", 1, 1),
    ("before", "crm.mails.outbox.sent", 1, 1),
]


class TestKilled:
    @pytest.mark.parametrize(("place", "function"), SAFE)
    def test_where_nothing_or_all_was_done_the_mail_is_sent_once(
        self, xiaolu: Member, write: Write, kill: Kill, server: MailServer, *, place: str, function: str
    ) -> None:
        mail = write(xiaolu)

        assert kill(place=place, function=function) == KILLED

        assert after_another_worker(mail) == MailState.SENT
        assert len(server.taken) == 1

    @pytest.mark.parametrize(("place", "function", "number", "copies"), UNKNOWN)
    def test_where_nobody_can_know_the_doubt_is_written_down_and_nothing_is_sent_again(
        self, xiaolu: Member, write: Write, kill: Kill, server: MailServer,
        *, place: str, function: str, number: int, copies: int,
    ) -> None:  # fmt: skip
        mail = write(xiaolu)

        assert kill(place=place, function=function, number=number) == KILLED

        assert after_another_worker(mail) == MailState.IN_DOUBT
        assert len(server.taken) in {copies, 1}  # The server may still be reading what the dead one has sent.
        assert send_due(clock=lambda: LATER + timedelta(days=30)).tried == 0

    @pytest.mark.parametrize("number", [1, 2, 3])
    def test_within_a_transaction_it_was_as_if_it_had_not_begun(
        self, xiaolu: Member, write: Write, kill: Kill, server: MailServer, number: int
    ) -> None:
        """The commits of a round: mails left by others, the claim, the beginning of the handing over."""
        mail = write(xiaolu)

        died = kill(
            place="before", function="django.db.backends.postgresql.base.DatabaseWrapper._commit", number=number
        )

        assert died == KILLED
        assert after_another_worker(mail) == MailState.SENT
        assert len(server.taken) == 1

    def test_at_every_single_line_of_the_outbox(
        self, xiaolu: Member, write: Write, kill: Kill, server: MailServer
    ) -> None:
        """Not the places that somebody has thought of, but all: the round is repeated, each time with a mail of its
        own, and dies one line later, until it comes to its end."""
        line, died = 0, KILLED
        while died == KILLED:
            line += 1
            write(xiaolu, str(line))
            died = kill(line=line)
        assert died == UNHARMED
        assert line > 60

        send_due(clock=lambda: LATER)

        copies = Counter(email.message_from_bytes(mail)["Message-ID"] for mail in server.taken)
        states = {f"<mail-{mail.pk}.{xiaolu.pk}@localhost>": mail.state for mail in Mail.objects.all()}
        assert len(states) == line
        assert set(states.values()) == {MailState.SENT, MailState.IN_DOUBT}
        assert {
            name: copies[name] for name, state in states.items() if state == MailState.SENT and copies[name] != 1
        } == {}
        assert max(copies.values()) == 1
        # In doubt is what lies between the two commits around the handing over, and no more.
        assert 0 < sum(state == MailState.IN_DOUBT for state in states.values()) < 30

    @pytest.mark.parametrize(
        ("place", "function", "state", "copies"),
        [
            ("after", "crm.mails.outbox.claim", MailState.SENT, 1),
            ("before", "crm.mails.outbox.begin_sending", MailState.SENT, 1),
            ("after", "crm.mails.outbox.begin_sending", MailState.IN_DOUBT, 0),
            ("after", "smtplib.SMTP.data", MailState.IN_DOUBT, 1),
        ],
    )
    def test_the_last_mail_to_an_erased_address_goes_once_and_the_address_with_it(
        self, xiaolu: Member, kill: Kill, server: MailServer, *, place: str, function: str, state: str, copies: int
    ) -> None:
        erase_member(Erasure(xiaolu.pk, NOON, actor_id=StaffFactory().pk, reason="She asked"))
        mail = Mail.objects.get()

        assert kill(place=place, function=function) == KILLED

        assert after_another_worker(mail) == state
        assert len(server.taken) == copies
        assert (mail.last_address, mail.address) == ("", "")

    def test_a_worker_that_is_left_alone_sends_it(
        self, xiaolu: Member, write: Write, kill: Kill, server: MailServer
    ) -> None:
        mail = write(xiaolu)
        assert kill() == UNHARMED
        mail.refresh_from_db()
        assert (mail.state, len(server.taken)) == (MailState.SENT, 1)


class TestControls:
    """The same deaths with a guard taken away."""

    def test_with_the_claim_alone_a_mail_that_was_sent_would_be_sent_again(
        self, xiaolu: Member, write: Write, kill: Kill, server: MailServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Were the handing over not written down before it begins, its interruption would look like any other."""
        mail = write(xiaolu)
        assert kill(place="before", function="crm.mails.outbox.sent") == KILLED
        Mail.objects.update(state=MailState.CLAIMED)  # What the table would say.

        assert after_another_worker(mail) == MailState.SENT
        assert len(server.taken) == 2
