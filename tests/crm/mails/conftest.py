"""A mail server, an outbox, and short ways to write something down and have it sent."""

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import pytest

from crm import tasks
from crm.mails.queueing import Notice, queue_mails
from crm.mails.sending import Round, send_due
from crm.models import Mail, Member
from tests.crm.mails.mail_server import MailServer, by_smtp, mail_server

Write = Callable[..., Mail]
Send = Callable[..., Round]

UPGRADE = {"tier": "VIP会员", "price_percent": "90", "last_on": "2027-03-09"}


@pytest.fixture(autouse=True)
def no_other_worker(monkeypatch: pytest.MonkeyPatch) -> list[None]:
    """Nothing is sent behind the story's back; the list counts how often a worker was called."""
    called: list[None] = []
    monkeypatch.setattr(tasks.send_mails, "delay", lambda: called.append(None))
    return called


@pytest.fixture
def server(settings: Any) -> Iterator[MailServer]:
    """The mail server that the shop's mails go to."""
    with mail_server() as running:
        by_smtp(settings, running)
        yield running


@pytest.fixture
def write(at: datetime) -> Write:
    """``write(member)``: the mail of an upgrade, as it waits in the outbox."""

    def written(member: Member, fact: str = "1", kind: str = "tier_upgraded", **rest: Any) -> Mail:
        queue_mails(kind, [Notice(fact, member.pk, UPGRADE, **rest)], at=at)
        return Mail.objects.get(key=f"{kind}:{fact}")

    return written


@pytest.fixture
def send(at: datetime) -> Send:
    """``send()``: a worker's round at noon; ``send(later)`` at another instant."""
    return lambda when=at: send_due(clock=lambda: when)
