"""An audit that reads in two sessions, while the shop goes on.

The control lets the second session see the database as it is when it comes to look, and not as the first one saw it.
"""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from threading import Event, current_thread, main_thread
from typing import Any

import pytest
from django.db import DatabaseError, connection, connections, transaction

from crm.models import Member
from loyalty.audit import AuditReport, audit, reading
from loyalty.audit.reading import Instant, one_instant
from loyalty.audit.scope import Rows, fetch
from loyalty.close import close_due_days
from loyalty.movements import burn
from tests.loyalty.postings import earned, write

pytestmark = pytest.mark.django_db(transaction=True)

PATIENCE = 30  # Seconds until a test gives up on a thread; no test waits that long when all is well.
DAY = timedelta(days=1)
SESSIONS_OF_AUDITS = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%loyalty_%' AND pid <> pg_backend_pid()"


@pytest.fixture(autouse=True)
def ledger(xiaolu: Member, dayong: Member, at: datetime) -> None:
    """林小鹿 earns on the first day, which is closed, and on the second, which is not."""
    write(earned(xiaolu, 100, key="in", at=at), at=at)
    close_due_days(at + DAY)
    write(earned(xiaolu, 10, key="more", at=at + DAY), earned(dayong, 20, key="his", at=at + DAY), at=at + DAY)


def audited_while_the_shop_goes_on(member: Member, at: datetime, monkeypatch: pytest.MonkeyPatch) -> AuditReport:
    """Audit, with a burn and the close of a day committed when the first session has begun to read and the second one
    has not; then the second one reads all that is left."""
    went_on, read = Event(), Event()
    set_up, help_out = reading._set_up, reading._help

    def shop() -> None:
        try:
            burn(member.pk, 30, key="meanwhile", at=at + 2 * DAY)
            assert close_due_days(at + 2 * DAY) == 1
        finally:
            connections.close_all()

    def first_piece(part: str, share: float) -> None:
        if not went_on.is_set():
            with ThreadPoolExecutor(1) as pool:
                pool.submit(shop).result(PATIENCE)
            went_on.set()
            assert read.wait(PATIENCE)

    def later(instant: Instant) -> None:
        if current_thread() is not main_thread():
            assert went_on.wait(PATIENCE)
        set_up(instant)

    def helped(*arguments: Any) -> None:
        try:
            help_out(*arguments)
        finally:
            read.set()

    monkeypatch.setattr(reading, "_set_up", later)
    monkeypatch.setattr(reading, "_help", helped)
    return audit(progress=first_piece)


def test_what_is_committed_meanwhile_is_seen_by_no_session(
    xiaolu: Member, at: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = audited_while_the_shop_goes_on(xiaolu, at, monkeypatch)

    assert report.mismatches == ()
    assert (report.entries, report.balance, report.closes) == (3, 130, 1)
    assert (audit().entries, audit().closes, audit().ok) == (4, 2, True)


def test_control_with_an_instant_of_its_own_the_second_session_finds_seals_of_a_day_that_is_not_there(
    xiaolu: Member, at: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "_SAME_INSTANT", "SET LOCAL jit = off")

    report = audited_while_the_shop_goes_on(xiaolu, at, monkeypatch)

    assert "seal_has_its_day" in {mismatch.check for mismatch in report.mismatches}


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """A database that fails in the sessions that the list names: True is the first, False the second."""
    fails: list[bool] = []
    both = Event()

    def failing(query: str, values: dict[str, Any], **options: Any) -> Rows:
        first = current_thread() is main_thread()
        if first:
            assert both.wait(PATIENCE)  # Or it would have read everything before the second one has come.
        both.set()
        return fetch("SELECT 1 / 0" if first in fails else query, values, **options)

    monkeypatch.setattr(reading, "fetch", failing)
    return fails


@pytest.mark.parametrize("first", [True, False])
def test_an_error_in_either_session_is_an_error_of_the_audit(broken: list[bool], first: bool) -> None:
    broken.append(first)

    with pytest.raises(DatabaseError, match="division by zero"):
        audit()

    broken.clear()
    assert audit().ok


def test_the_second_session_is_closed_when_the_audit_is_through(broken: list[bool]) -> None:
    """Both take part: the first one waits for the second before it reads anything."""
    assert audit().ok

    with connection.cursor() as cursor:
        cursor.execute(SESSIONS_OF_AUDITS)
        assert cursor.fetchone() == (0,)


def test_inside_a_transaction_it_reads_alone_and_sees_what_that_has_written(dayong: Member, at: datetime) -> None:
    with one_instant() as instant:
        assert instant.helpers == 1

    with transaction.atomic():
        burn(dayong.pk, 5, key="his tea", at=at + DAY)
        with one_instant() as instant:
            assert instant.helpers == 0
        report = audit()

    assert (report.ok, report.entries) == (True, 4)
