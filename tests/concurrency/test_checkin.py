"""Sixteen taps on the same button at once, on sixteen phones, each with its own connection and real commits.

The race is made to happen: whoever has looked whether the day is signed waits until all sixteen stand still, at this
gate or at the lock. The controls run the same race without the lock: the table then refuses all but one, and without
the table's constraint the day is signed sixteen times, though the journal still pays once.
"""

from collections.abc import Callable, Collection
from datetime import date, datetime, timedelta

import pytest
from django.db import IntegrityError, connection

from crm.models import Member
from loyalty import checkin
from loyalty.checkin import check_in
from loyalty.models import Account, CheckIn
from tests.concurrency.test_budgets import SESSIONS, Gate, at_once
from tests.loyalty.rulesets import publish_rules, rule

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Gate:
    """The gate stands between looking at the days and signing."""
    closed, look = Gate(), checkin._rows

    def look_and_wait(member_id: int, days: Collection[date]) -> dict[date, CheckIn]:
        rows = look(member_id, days)
        closed.wait()
        return rows

    monkeypatch.setattr(checkin, "_rows", look_and_wait)
    return closed


@pytest.fixture
def tap(transactional_db: None, xiaolu: Member, at: datetime) -> Callable[[int], str]:
    """What one phone of 林小鹿's does, and what it is told."""
    publish_rules(rule("signin", {"points": 3}), since=at - timedelta(days=9))

    def tap(session: int) -> str:
        try:
            return "again" if check_in(xiaolu.pk, at).repeated else "signed"
        except IntegrityError:
            return "broken"

    return tap


def test_of_sixteen_taps_one_signs_and_the_others_are_told_so(
    tap: Callable[[int], str], gate: Gate, xiaolu: Member
) -> None:
    answers = at_once(tap, meanwhile=gate.open_when_all_stand_still)

    assert answers == {"signed": 1, "again": SESSIONS - 1}
    assert CheckIn.objects.get().streak == 1
    assert Account.objects.get(pk=xiaolu.pk).balance == 3


def test_without_the_lock_the_table_refuses_to_sign_a_day_twice(
    tap: Callable[[int], str], gate: Gate, xiaolu: Member, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkin, "lock_members", lambda ids: None)

    answers = at_once(tap, meanwhile=gate.open_when_all_stand_still)

    assert answers == {"signed": 1, "broken": SESSIONS - 1}
    assert Account.objects.get(pk=xiaolu.pk).balance == 3


def test_control_without_lock_and_constraint_the_day_is_signed_sixteen_times(
    tap: Callable[[int], str], gate: Gate, xiaolu: Member, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkin, "lock_members", lambda ids: None)
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE loyalty_checkin DROP CONSTRAINT loyalty_checkin_once_a_day")
        cursor.execute("ALTER TABLE loyalty_checkin DROP CONSTRAINT loyalty_checkin_entry_id_key")

    answers = at_once(tap, meanwhile=gate.open_when_all_stand_still)

    assert answers == {"signed": SESSIONS}
    assert CheckIn.objects.count() == SESSIONS
    assert Account.objects.get(pk=xiaolu.pk).balance == 3
