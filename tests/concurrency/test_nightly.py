"""Two workers that begin the night's work at the same moment, and a buyer who spends meanwhile."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext, suppress
from datetime import datetime, timedelta
from threading import Barrier, Event

import pytest
from django.core.management import CommandError, call_command
from django.db import connections
from django.utils import translation

from crm.models import Member
from loyalty.audit import audit
from loyalty.models import Entry
from loyalty.movements import burn, capture, hold
from loyalty.nightly import NightBusy, Step, run_nightly
from loyalty.posting import InsufficientPoints, NothingOpen
from tests.factories import MemberFactory
from tests.loyalty.postings import balance, earned, waiting, write

pytestmark = pytest.mark.django_db(transaction=True)

PATIENCE = 30  # Seconds until a test gives up on a thread; no test waits that long when all is well.
NIGHT = timedelta(days=4)


@pytest.fixture
def members(xiaolu: Member, dayong: Member, at: datetime) -> list[Member]:
    """Twenty members with 100 points that lapse, 30 that wait and 10 that are held until an hour later."""
    members = [xiaolu, dayong, *MemberFactory.create_batch(18)]
    for member in members:
        key = str(member.pk)
        write(earned(member, 100, key=f"{key}:in", at=at, expires_at=at + timedelta(days=3)), at=at)
        write(waiting(member, 30, key=f"{key}:waits", at=at), at=at)
        hold(member.pk, 10, key=f"{key}:hold", at=at, deadline=at + timedelta(hours=1))
    return members


def test_of_two_workers_one_does_it_and_the_other_is_told(members: list[Member], at: datetime) -> None:
    start, second_was_told = Barrier(2), Event()

    def wait_for_the_other(step: Step) -> None:
        assert second_was_told.wait(PATIENCE)

    def worker(number: int) -> str:
        try:
            start.wait(PATIENCE)
            run_nightly(at + NIGHT, at=at + NIGHT, progress=wait_for_the_other, accounts_per_chunk=3)
        except NightBusy:
            second_was_told.set()
            return "busy"
        finally:
            connections.close_all()
        return "done"

    with ThreadPoolExecutor(2) as pool:
        answers = Counter(pool.map(worker, range(2), timeout=2 * PATIENCE))

    assert answers == {"done": 1, "busy": 1}
    assert Entry.objects.filter(kind="expiry").count() == 20
    assert audit().ok


def test_the_command_says_so_and_exits_with_three(members: list[Member], at: datetime) -> None:
    begun, told = Event(), Event()

    def pause(step: Step) -> None:
        begun.set()
        assert told.wait(PATIENCE)

    def first() -> None:
        try:
            run_nightly(at + NIGHT, at=at + NIGHT, progress=pause)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(first)
        assert begun.wait(PATIENCE)
        with translation.override("en"), pytest.raises(CommandError, match="Another worker") as error:
            call_command("run_nightly", "--date", "2026-03-10")
        told.set()
        done.result(timeout=PATIENCE)

    assert error.value.returncode == 3


def test_two_nights_without_the_lock_do_no_harm(
    members: list[Member], at: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The night's lock only saves work: what keeps the books right are the accounts' locks and the keys."""
    monkeypatch.setattr("loyalty.nightly._alone", nullcontext)
    start = Barrier(2)

    def worker(number: int) -> int:
        try:
            start.wait(PATIENCE)
            steps = run_nightly(at + NIGHT, at=at + NIGHT, accounts_per_chunk=1)
        finally:
            connections.close_all()
        return sum(step.points for step in steps)

    with ThreadPoolExecutor(2) as pool:
        moved = sum(pool.map(worker, range(2), timeout=2 * PATIENCE))

    assert moved == 20 * (10 + 100)
    assert audit().ok


def test_buyers_who_spend_meanwhile_get_their_points_or_a_refusal(members: list[Member], at: datetime) -> None:
    """The buyers' clock is still before the deadlines, so that each point is either spent by them or by the night."""
    start = Barrier(3)

    def buyers() -> int:
        taken = 0
        try:
            start.wait(PATIENCE)
            for member in members:
                with suppress(InsufficientPoints):
                    taken -= burn(member.pk, 20, key=f"{member.pk}:coupon", at=at).points
        finally:
            connections.close_all()
        return taken

    def checkout() -> int:
        captured = 0
        try:
            start.wait(PATIENCE)
            for member in reversed(members):
                try:
                    capture(member.pk, f"{member.pk}:hold", key=f"{member.pk}:capture", at=at)
                except NothingOpen:
                    continue
                captured += 10
        finally:
            connections.close_all()
        return captured

    def worker() -> int:
        try:
            start.wait(PATIENCE)
            steps = run_nightly(at + NIGHT, at=at + NIGHT, accounts_per_chunk=2)
        finally:
            connections.close_all()
        return next(step.points for step in steps if step.step == "expire")

    with ThreadPoolExecutor(3) as pool:
        jobs = [pool.submit(job) for job in (buyers, checkout, worker)]
        total = sum(job.result(timeout=2 * PATIENCE) for job in jobs)

    assert total + sum(max(balance(member), 0) for member in members) == 20 * 100
    assert audit().ok
