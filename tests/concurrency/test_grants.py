"""Two people and two workers at one grant, each with a connection of its own and real commits.

The controls run the same race with one guard taken away, and show what it is for.
"""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from datetime import datetime
from itertools import count
from pathlib import Path
from threading import Barrier, Event
from typing import Any

import pytest
from django.db import connections

from crm.models import Member, StaffAction, User
from loyalty.audit import audit
from loyalty.grants import approval, jobs
from loyalty.grants.approval import WrongState
from loyalty.grants.posting import Row, next_rows, post_rows
from loyalty.models import Account, Entry, Grant
from loyalty.movements import burn
from loyalty.posting import InsufficientPoints
from tests.factories import MemberFactory, StaffFactory
from tests.loyalty.grants.files import BY_NUMBER, checked, csv_file, of
from tests.loyalty.postings import balance, earned, write

pytestmark = pytest.mark.django_db(transaction=True)

State = Grant.State
PATIENCE = 30  # Seconds until a test gives up on a thread; no test waits that long when all is well.


@pytest.fixture(autouse=True)
def quiet(settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files in the test's own folder, small limits, and no worker but those of the story."""
    from loyalty import tasks

    settings.MEDIA_ROOT, settings.GRANT_TOTAL_LIMIT, settings.GRANT_MEMBER_LIMIT = tmp_path, 1000, 500
    monkeypatch.setattr(tasks.run_grant, "delay", lambda grant_id: None)


@pytest.fixture
def maker(db: None) -> User:
    user: User = StaffFactory(username="chen.li")
    return user


@pytest.fixture
def bosses(db: None) -> list[User]:
    """Two people who may approve."""
    return [StaffFactory(is_superuser=True) for _ in range(2)]


@pytest.fixture
def members(xiaolu: Member) -> list[Member]:
    return [xiaolu, *MemberFactory.create_batch(8)]


@pytest.fixture
def queued(members: list[Member], maker: User, at: datetime) -> Grant:
    """Ten points for each of nine members, confirmed."""
    grant = checked(csv_file(*(of(member, 10) for member in members), header=BY_NUMBER), maker, at)
    approval.confirm(grant.pk, actor_id=maker.pk, at=at, reason="A gift")
    return grant


def at_once(acts: list[Callable[[], str]]) -> Counter[str]:
    """Let sessions act at the same moment, each on its own connection; count their answers."""
    start = Barrier(len(acts))

    def session(act: Callable[[], str]) -> str:
        try:
            start.wait(PATIENCE)
            return act()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(acts)) as pool:
        return Counter(pool.map(session, acts, timeout=2 * PATIENCE))


class TestApproval:
    @pytest.fixture
    def waiting(self, xiaolu: Member, maker: User, at: datetime) -> Grant:
        grant = checked(csv_file(of(xiaolu, 600), header=BY_NUMBER), maker, at)
        approval.confirm(grant.pk, actor_id=maker.pk, at=at, reason="A prize")
        return grant

    @staticmethod
    def deciding(step: Callable[..., None], grant: Grant, boss: User, **rest: Any) -> Callable[[], str]:
        def act() -> str:
            try:
                step(grant.pk, actor_id=boss.pk, **rest)
            except WrongState:
                return "too late"
            return step.__name__

        return act

    def test_of_two_who_approve_at_once_one_comes_too_late(
        self, waiting: Grant, bosses: list[User], at: datetime
    ) -> None:
        answers = at_once([self.deciding(approval.approve, waiting, boss, at=at) for boss in bosses])

        assert answers == {"approve": 1, "too late": 1}
        assert StaffAction.objects.filter(action="grant.approve").count() == 1

    def test_a_yes_and_a_no_at_once_leave_one_of_them(self, waiting: Grant, bosses: list[User], at: datetime) -> None:
        answers = at_once(
            [
                self.deciding(approval.approve, waiting, bosses[0], at=at),
                self.deciding(approval.reject, waiting, bosses[1], at=at, reason="No"),
            ]
        )

        assert answers["too late"] == 1
        waiting.refresh_from_db()
        assert waiting.state == (State.QUEUED if answers["approve"] else State.REJECTED)

    def test_control_without_the_lock_on_the_grant_both_decide(
        self, waiting: Grant, bosses: list[User], at: datetime, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        both_have_read = Barrier(2)

        def unlocked(grant_id: int, states: list[State]) -> Grant:
            grant = Grant.objects.get(pk=grant_id)
            both_have_read.wait(PATIENCE)
            assert grant.state in states
            return grant

        monkeypatch.setattr(approval, "_locked", unlocked)
        answers = at_once([self.deciding(approval.approve, waiting, boss, at=at) for boss in bosses])

        assert answers == {"approve": 2}
        assert StaffAction.objects.filter(action="grant.approve").count() == 2


class TestWorkers:
    @staticmethod
    def working(grant: Grant, at: datetime) -> Callable[[], str]:
        def act() -> str:
            return "ran" if jobs.run(grant.pk, clock=lambda: at, batch=2) else "left it"

        return act

    def test_of_two_workers_one_runs_it_and_the_other_leaves_it(
        self, queued: Grant, members: list[Member], at: datetime, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        other_is_gone, whole = Event(), post_rows

        def patient(*args: Any, **kwargs: Any) -> Any:
            assert other_is_gone.wait(PATIENCE)
            return whole(*args, **kwargs)

        monkeypatch.setattr(jobs, "post_rows", patient)

        def worker() -> str:
            answer = self.working(queued, at)()
            other_is_gone.set()
            return answer

        assert at_once([worker, worker]) == {"ran": 1, "left it": 1}
        assert {balance(member) for member in members} == {10}

    @pytest.fixture
    def no_job_lock(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Both workers believe that they have the grant to themselves, and meet before each of their first batches."""
        meeting, whole = Barrier(2), next_rows

        def together(grant_id: int, after_seq: int, limit: int) -> Any:
            rows = whole(grant_id, after_seq, limit)
            if not after_seq:
                meeting.wait(PATIENCE)
            return rows

        monkeypatch.setattr(jobs, "job_lock", lambda *args: nullcontext(True))
        monkeypatch.setattr(jobs, "next_rows", together)

    @pytest.mark.usefixtures("no_job_lock")
    def test_without_the_job_s_lock_the_position_stops_the_second_worker(
        self, queued: Grant, members: list[Member], at: datetime
    ) -> None:
        assert at_once([self.working(queued, at)] * 2) == {"ran": 1, "left it": 1}

        queued.refresh_from_db()
        assert (queued.state, queued.counts["given"], queued.counts["repeated"]) == (State.DONE, 9, 0)
        assert {balance(member) for member in members} == {10}

    @pytest.mark.usefixtures("no_job_lock")
    def test_control_without_lock_and_position_the_outcomes_are_wrong_but_the_keys_still_give_once(
        self, queued: Grant, members: list[Member], at: datetime, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(jobs, "_moved_on", lambda *args, **kwargs: True)

        at_once([self.working(queued, at)] * 2)

        assert queued.rows.filter(outcome="repeated").exists()  # What the second worker made of the first one's rows.
        assert {balance(member) for member in members} == {10}
        assert audit().ok

    @pytest.mark.usefixtures("no_job_lock")
    def test_control_with_keys_of_the_moment_everything_is_given_twice(
        self, queued: Grant, members: list[Member], at: datetime, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        numbers = count()
        monkeypatch.setattr(jobs, "_moved_on", lambda *args, **kwargs: True)
        keys = property(lambda row: f"grant:{next(numbers)}")
        monkeypatch.setattr(Row, "key", keys)

        at_once([self.working(queued, at)] * 2)

        assert sum(Account.objects.values_list("balance", flat=True)) > 10 * len(members)

    def test_two_uploads_of_the_same_file_that_run_at_once_give_it_once(
        self, queued: Grant, members: list[Member], maker: User, at: datetime
    ) -> None:
        second = checked(csv_file(*(of(member, 10) for member in members), header=BY_NUMBER), maker, at)
        approval.confirm(second.pk, actor_id=maker.pk, at=at, reason="A gift")

        assert at_once([self.working(queued, at), self.working(second, at)]) == {"ran": 2}

        assert {balance(member) for member in members} == {10}
        given = Entry.objects.filter(reference__startswith="grant:").count()
        assert given == len(members)

    def test_while_points_are_taken_a_buyer_spends_them_elsewhere_and_one_of_both_gets_them(
        self, members: list[Member], maker: User, at: datetime
    ) -> None:
        buyer = members[0]
        write(earned(buyer, 100, key="in", at=at), at=at)
        grant = checked(csv_file(of(buyer, -100), header=BY_NUMBER), maker, at)
        approval.confirm(grant.pk, actor_id=maker.pk, at=at, reason="A mistake")

        def spend() -> str:
            try:
                burn(buyer.pk, 100, key="coupon", at=at)
            except InsufficientPoints:
                return "refused"
            return "spent"

        answers = at_once([spend, self.working(grant, at)])

        outcome = grant.rows.get().outcome
        assert (answers["spent"], outcome) in ((1, "refused"), (0, "given"))
        assert balance(buyer) == 0
        assert audit().ok
