"""Backtests as jobs: progress, cancelling, workers that die, and what the staff log keeps."""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import count

import pytest
from django.db import connection

from config import settings as project
from crm import api
from crm.models import Channel, Member, StaffAction
from loyalty.backtest import jobs
from loyalty.backtest import run as running
from loyalty.backtest.run import Period
from loyalty.choices import BacktestState
from loyalty.earning.ruleset import InvalidRules
from loyalty.models import BacktestJob, EarnRule, RuleSet
from loyalty.rulebook import discard_draft, draft_of, save_draft
from loyalty.tasks import resume_stalled_backtests, run_backtest
from tests.factories import OrderFactory, StaffFactory
from tests.loyalty.rulesets import SPEND, rule

pytestmark = pytest.mark.django_db

MARCH = Period(date(2026, 3, 1), date(2026, 3, 31))
DOUBLE = rule("spend", {"per": "1", "points": 2})
SECOND = timedelta(seconds=1)


@pytest.fixture
def clock(at: datetime) -> Callable[[], datetime]:
    """A clock that goes on by a second whenever somebody looks."""
    seconds = count()
    return lambda: at + next(seconds) * SECOND


@pytest.fixture
def draft(at: datetime) -> RuleSet:
    found = draft_of(0, at=at, actor_id=None, note="Double")
    save_draft(found.pk, [DOUBLE])
    return found


@pytest.fixture
def job(draft: RuleSet, shop: Channel, xiaolu: Member, at: datetime) -> BacktestJob:
    """A backtest of double points for five orders of 100 yuan."""
    for _ in range(5):
        OrderFactory(channel=shop, member=xiaolu, placed_at=at, paid_at=at)
    return jobs.start(draft.pk, MARCH, margin=Decimal(10), actor_id=StaffFactory().pk, at=at)


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look at two orders at a time."""
    monkeypatch.setattr(running, "BATCH", 2)


def test_a_worker_brings_it_to_its_result(job: BacktestJob, clock: Callable[[], datetime]) -> None:
    assert jobs.run(job.pk, clock=clock)

    job.refresh_from_db()
    assert (job.state, job.done, job.orders) == (BacktestState.DONE, 5, 5)
    assert job.result is not None
    assert job.result["kept"] == {"live": 500, "candidate": 1000}
    assert job.finished_at is not None
    assert not jobs.run(job.pk, clock=clock)


@pytest.mark.usefixtures("small_batches")
def test_progress_is_told_after_each_batch(
    job: BacktestJob, clock: Callable[[], datetime], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[int, int, str]] = []
    paid_orders = api.paid_orders

    def watched(*args: object, **kwargs: object) -> object:
        for orders in paid_orders(*args, **kwargs):  # type: ignore[arg-type]
            now = BacktestJob.objects.get(pk=job.pk)
            seen.append((now.done, now.orders, now.state))
            yield orders

    monkeypatch.setattr(running, "paid_orders", watched)

    jobs.run(job.pk, clock=clock)

    assert seen == [(0, 5, "running"), (2, 5, "running"), (4, 5, "running")]


@pytest.mark.usefixtures("small_batches")
def test_who_cancels_stops_the_worker_at_the_next_batch(
    job: BacktestJob, clock: Callable[[], datetime], monkeypatch: pytest.MonkeyPatch, at: datetime
) -> None:
    actor = StaffFactory().pk
    paid_orders = api.paid_orders

    def cancelled_meanwhile(*args: object, **kwargs: object) -> object:
        for number, orders in enumerate(paid_orders(*args, **kwargs)):  # type: ignore[arg-type]
            assert number < 2
            if number == 1:
                jobs.cancel(job.pk, actor_id=actor, at=at)
            yield orders

    monkeypatch.setattr(running, "paid_orders", cancelled_meanwhile)

    jobs.run(job.pk, clock=clock)

    job.refresh_from_db()
    assert (job.state, job.done, job.result) == (BacktestState.CANCELLED, 2, None)
    assert StaffAction.objects.get(action="backtest.cancel").actor_id == actor
    with pytest.raises(jobs.WrongState):
        jobs.cancel(job.pk, actor_id=actor, at=at)


def test_an_error_is_told_and_the_next_job_is_not_kept_from_running(
    job: BacktestJob, clock: Callable[[], datetime], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*args: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(running, "given_for", broken)
    jobs.run(job.pk, clock=clock)

    job.refresh_from_db()
    assert (job.state, job.error) == (BacktestState.FAILED, jobs.BROKE_OFF)


def test_a_job_whose_worker_died_is_taken_up_from_its_beginning(
    job: BacktestJob, clock: Callable[[], datetime], at: datetime, tasks_at_once: None
) -> None:
    BacktestJob.objects.update(state=BacktestState.RUNNING, done=4, orders=5, started_at=at, beat_at=at)
    job.refresh_from_db()

    assert jobs.take_up_stalled(at=at + 59 * SECOND) == []
    assert not jobs.is_stalled(job, at + 59 * SECOND)
    assert jobs.is_stalled(job, at + 61 * SECOND)
    assert jobs.take_up_stalled(at=at + 61 * SECOND) == [job.pk]

    job.refresh_from_db()
    assert (job.state, job.done) == (BacktestState.DONE, 5)


def test_the_tasks_run_a_job_and_look_for_stalled_ones(job: BacktestJob) -> None:
    resume_stalled_backtests()  # It was started years before today.
    run_backtest(job.pk)

    job.refresh_from_db()
    assert job.state == BacktestState.DONE
    assert project.CELERY_BEAT_SCHEDULE["resume stalled backtests"]["task"] == resume_stalled_backtests.name


def test_the_staff_log_keeps_who_asked_what(job: BacktestJob, draft: RuleSet) -> None:
    entry = StaffAction.objects.get(action="backtest.start")

    assert (entry.actor_id, entry.details["rule_set"], entry.details["first"]) == (
        job.created_by_id, draft.pk, "2026-03-01",
    )  # fmt: skip


def test_what_is_tried_is_the_draft_as_it_was_when_the_backtest_was_started(
    job: BacktestJob, draft: RuleSet, clock: Callable[[], datetime]
) -> None:
    save_draft(draft.pk, [SPEND])
    discard_draft(draft.pk)

    jobs.run(job.pk, clock=clock)

    job.refresh_from_db()
    assert job.rule_set_id is None
    assert job.result is not None
    assert job.result["kept"]["candidate"] == 1000


def test_a_draft_that_makes_no_sense_is_refused(draft: RuleSet, at: datetime) -> None:
    EarnRule.objects.filter(rule_set=draft).update(config={"per": "0", "points": 1})

    with pytest.raises(InvalidRules, match=r"config\.per"):
        jobs.start(draft.pk, MARCH, margin=Decimal(10), actor_id=StaffFactory().pk, at=at)

    assert not BacktestJob.objects.exists()


def test_a_published_version_and_the_built_in_rule_can_be_tried_too(shop: Channel, at: datetime) -> None:
    job = jobs.start(0, MARCH, margin=Decimal(10), actor_id=StaffFactory().pk, at=at)

    assert (job.version, job.rule_set_id, [found["code"] for found in job.rules]) == (0, None, ["spend"])


def test_the_lock_of_a_backtest_is_none_of_an_import(job: BacktestJob, clock: Callable[[], datetime]) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND classid = %s", [0x1B0B])
        before = cursor.fetchone()
        jobs.run(job.pk, clock=clock)
        cursor.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND classid = %s", [0x1B0B])
        assert cursor.fetchone() == before
