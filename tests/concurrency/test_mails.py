"""Two workers at one outbox, and two who write the same mail, each with a connection of its own and real commits.

The controls run the same race with one guard taken away, and show what it is for.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from threading import Barrier
from typing import Any

import pytest
from django.db import connections, transaction

from crm import tasks
from crm.mails import outbox, sending
from crm.mails.handover import Handover
from crm.mails.queueing import Notice, queue_mails
from crm.mails.sending import send_due
from crm.models import Mail, Member
from tests.crm.mails.mail_server import MailServer, by_smtp, mail_server

pytestmark = pytest.mark.django_db(transaction=True)

PATIENCE = 30  # Seconds until a test gives up on a thread; no test waits that long when all is well.
MAILS = 12


@pytest.fixture
def server(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[MailServer]:
    monkeypatch.setattr(tasks.send_mails, "delay", lambda: None)
    with mail_server() as running:
        by_smtp(settings, running)
        yield running


@pytest.fixture
def waiting(xiaolu: Member, server: MailServer, at: datetime) -> None:
    """A dozen mails that are due."""
    facts = {"tier": "VIP会员", "price_percent": "90"}
    queue_mails("tier_upgraded", [Notice(str(number), xiaolu.pk, facts) for number in range(MAILS)], at=at)


def at_once(number: int, act: Callable[[], Any]) -> list[Any]:
    """Let sessions do the same at the same moment."""
    start = Barrier(number)

    def session() -> Any:
        try:
            start.wait(PATIENCE)
            return act()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(number) as pool:
        return [future.result(2 * PATIENCE) for future in [pool.submit(session) for _ in range(number)]]


def copies(server: MailServer) -> Counter[bytes]:
    return Counter(line for mail in server.taken for line in mail.splitlines() if line.startswith(b"Message-ID"))


@pytest.mark.usefixtures("waiting")
class TestWorkers:
    def test_three_at_once_send_every_mail_once(self, server: MailServer, at: datetime) -> None:
        rounds = at_once(3, lambda: send_due(clock=lambda: at))

        assert sum(done.sent for done in rounds) == MAILS
        assert set(copies(server).values()) == {1}
        assert len(copies(server)) == MAILS

    def test_they_do_not_wait_for_each_other(self, at: datetime) -> None:
        """While one holds the row of the oldest mail, another takes the next one."""
        with transaction.atomic():
            oldest = Mail.objects.select_for_update().order_by("due_at", "pk")[0]
            (claim,) = at_once(1, lambda: outbox.claim(at))
        assert claim is not None
        assert claim.mail_id != oldest.pk

    def test_control_without_the_claim_they_send_the_same(
        self, server: MailServer, at: datetime, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Both look for what is due before either writes down that it has it."""
        Mail.objects.exclude(pk=Mail.objects.earliest("pk").pk).delete()
        found, taking = outbox.claim(at), Barrier(2)

        def unguarded(now: datetime) -> outbox.Claim | None:
            taking.wait(PATIENCE)
            return found

        monkeypatch.setattr(outbox, "claim", unguarded)
        monkeypatch.setattr(outbox, "begin_sending", lambda *args, **kwargs: True)
        at_once(2, lambda: _once(at))

        assert copies(server).most_common(1)[0][1] == 2


def _once(at: datetime) -> None:
    with Handover() as handover:
        claim = outbox.claim(at)
        assert claim is not None
        sending._send(claim, handover, lambda: at)


class TestWriters:
    def test_two_who_write_the_same_facts_in_different_order_write_each_once_and_do_not_block_each_other(
        self, xiaolu: Member, server: MailServer, at: datetime
    ) -> None:
        turns = iter([range(200), reversed(range(200))])

        def write() -> int:
            notices = [Notice(f"{number:03}", xiaolu.pk, {}) for number in next(turns)]
            return queue_mails("tier_upgraded", notices, at=at).queued

        assert sum(at_once(2, write)) == 200
        assert Mail.objects.count() == 200
