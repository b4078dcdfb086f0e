"""Import jobs: checked, confirmed, run, killed, taken up again, and never run twice."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import OperationalError, connection
from pytest_django import DjangoCaptureOnCommitCallbacks

from crm import orders, tasks
from crm.imports import jobs, pipeline
from crm.imports.counts import Counts
from crm.imports.locks import job_lock, locked_jobs
from crm.models import Channel, ImportFile, ImportJob, ImportProblem, Member, Order, StaffAction, User
from loyalty.models import Entry
from tests.crm.files import COMPLETED, PAID, Trade, order_list
from tests.factories import StaffFactory

State = ImportJob.State

TRADES = [
    Trade(number, f"buyer{number % 4}", f"{number}.50", COMPLETED if number % 2 else PAID) for number in range(1, 11)
]
DAMAGED = Trade(11, "mei_chen", no="3.51531E+16")


@pytest.fixture(autouse=True)
def uploads(settings: object, tmp_path: Path) -> None:
    """Uploads land in the test's own folder."""
    settings.MEDIA_ROOT = tmp_path  # type: ignore[attr-defined]


@pytest.fixture
def dispatched(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The jobs that were sent to a worker, who is not at home."""
    sent: list[int] = []
    monkeypatch.setattr(tasks.run_import, "delay", sent.append)
    return sent


@pytest.fixture
def owner(db: None) -> User:
    user: User = StaffFactory(username="owner")
    return user


@pytest.fixture
def clock(at: datetime) -> Callable[[], datetime]:
    """A clock that moves on by a second each time it is read."""
    seconds = count()
    return lambda: at + timedelta(seconds=next(seconds))


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three rows a batch, so that ten rows are four batches."""
    whole = pipeline.run_file
    monkeypatch.setattr(pipeline, "run_file", lambda source, **kwargs: whole(source, **{**kwargs, "size": 3}))


def upload(
    shop: Channel, owner: User, at: datetime, trades: Sequence[Trade] = TRADES, name: str = "march.csv"
) -> ImportJob:
    content = order_list(trades).encode("gbk")
    job = jobs.create(channel=shop, profile=None, uploads=[SimpleUploadedFile(name, content)], actor_id=owner.pk, at=at)
    jobs.check(job.pk, at=at)
    job.refresh_from_db()
    return job


@pytest.fixture
def ready(shop: Channel, owner: User, at: datetime) -> ImportJob:
    """An upload that has been checked."""
    return upload(shop, owner, at)


@pytest.fixture
def queued(ready: ImportJob, owner: User, at: datetime, dispatched: list[int]) -> ImportJob:
    """An upload that has been confirmed, and whose worker has not come yet."""
    jobs.confirm(ready.pk, actor_id=owner.pk, at=at)
    ready.refresh_from_db()
    return ready


def digest() -> tuple[object, ...]:
    """All that an import leaves behind, without ids and instants of recording."""
    return (
        sorted(Order.objects.values_list("external_no", "status", "paid", "member__identities__external_id")),
        sorted(Entry.objects.values_list("key", "points", "pending")),
        Member.objects.count(),
    )


def test_a_checked_file_says_what_it_holds_and_nothing_is_written(ready: ImportJob) -> None:
    file = ready.files.get()
    assert ready.state == State.READY
    assert (file.name, file.format, file.encoding, file.rows) == ("march.csv", "taobao_orders", "gb18030", 10)
    assert not Order.objects.exists()


def test_an_unreadable_file_fails_the_job_and_says_why(shop: Channel, owner: User, at: datetime) -> None:
    picture = SimpleUploadedFile("orders.csv", b"\x89PNG\r\n\x1a\n" + bytes(64))
    job = jobs.create(channel=shop, profile=None, uploads=[picture], actor_id=owner.pk, at=at)
    jobs.check(job.pk, at=at)
    job.refresh_from_db()
    assert job.state == State.FAILED
    assert job.files.get().inspection["unreadable"]["code"] == "image"


def test_a_job_with_an_unreadable_file_cannot_be_resumed(shop: Channel, owner: User, at: datetime) -> None:
    job = upload(shop, owner, at, [])
    assert job.state == State.FAILED
    with pytest.raises(jobs.WrongState):
        jobs.resume(job.pk, actor_id=owner.pk, at=at)


def test_confirmation_sends_the_job_to_a_worker_after_the_commit(
    ready: ImportJob,
    owner: User,
    at: datetime,
    dispatched: list[int],
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        jobs.confirm(ready.pk, actor_id=owner.pk, at=at)
        assert dispatched == []
    assert dispatched == [ready.pk]


def test_a_second_confirmation_is_refused(queued: ImportJob, owner: User, at: datetime) -> None:
    with pytest.raises(jobs.WrongState):
        jobs.confirm(queued.pk, actor_id=owner.pk, at=at)


def test_a_broker_that_is_away_does_not_lose_the_confirmation(
    ready: ImportJob, owner: User, at: datetime, monkeypatch: pytest.MonkeyPatch,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:  # fmt: skip
    def away(job_id: int) -> None:
        raise tasks.run_import.OperationalError

    monkeypatch.setattr(tasks.run_import, "delay", away)
    with django_capture_on_commit_callbacks(execute=True):
        jobs.confirm(ready.pk, actor_id=owner.pk, at=at)
    ready.refresh_from_db()
    assert ready.state == State.QUEUED


def test_a_run_records_everything_and_counts_it(queued: ImportJob, clock: Callable[[], datetime]) -> None:
    assert jobs.run(queued.pk, clock=clock)
    queued.refresh_from_db()
    counts = jobs.totals(queued)
    assert queued.state == State.DONE
    assert (counts.rows, counts.orders_new, counts.members_new, counts.rejected) == (10, 10, 4, 0)
    assert counts.effects["points_accrued"] == 1 + 3 + 5 + 7 + 9
    assert counts.effects["points_pending"] == 2 + 4 + 6 + 8 + 10


def test_refused_rows_are_kept_with_their_place(
    shop: Channel, owner: User, at: datetime, clock: Callable[[], datetime], dispatched: list[int]
) -> None:
    job = upload(shop, owner, at, [*TRADES, DAMAGED])
    jobs.confirm(job.pk, actor_id=owner.pk, at=at)
    jobs.run(job.pk, clock=clock)
    problem = ImportProblem.objects.get()
    assert (problem.line_no, problem.code, problem.value) == (12, "id_damaged", "3.51531E+16")


class Killed(BaseException):
    """The worker's process is gone: nothing after this runs, no handler either."""


def kill_after(batches: int, monkeypatch: pytest.MonkeyPatch, error: BaseException | None = None) -> None:
    """Let the worker die while it records the batch after so many."""
    whole, done = orders.record_prepared, count()

    def record(*args: Any, **kwargs: Any) -> object:
        report = whole(*args, **kwargs)
        if next(done) == batches:
            raise error or Killed
        return report

    monkeypatch.setattr(pipeline, "record_prepared", record)


@pytest.fixture
def broken_off(
    queued: ImportJob, small_batches: None, clock: Callable[[], datetime], monkeypatch: pytest.MonkeyPatch
) -> ImportJob:
    """A job whose worker was killed in its third batch."""
    with monkeypatch.context() as patch:
        kill_after(2, patch)
        with pytest.raises(Killed):
            jobs.run(queued.pk, clock=clock)
    queued.refresh_from_db()
    return queued


def test_a_killed_worker_leaves_whole_batches_and_their_progress(broken_off: ImportJob) -> None:
    file = broken_off.files.get()
    assert broken_off.state == State.RUNNING
    assert Order.objects.count() == Counts.from_json(file.counts).rows == 6
    assert not file.done


def test_the_next_run_goes_on_where_the_last_batch_ended(broken_off: ImportJob, clock: Callable[[], datetime]) -> None:
    jobs.run(broken_off.pk, clock=clock)
    counts = jobs.totals(broken_off)
    assert (counts.rows, counts.orders_new, counts.orders_unchanged) == (10, 10, 0)
    interrupted = digest()
    assert interrupted[2] == 4
    assert len(interrupted[1]) == 10  # type: ignore[arg-type]


def test_a_stalled_job_is_taken_up_by_the_scheduler(broken_off: ImportJob, at: datetime, dispatched: list[int]) -> None:
    assert jobs.take_up_stalled(at=at + timedelta(seconds=30)) == []
    assert jobs.take_up_stalled(at=at + timedelta(minutes=5)) == [broken_off.pk]
    assert dispatched == [broken_off.pk]


def test_a_job_taken_up_is_not_sent_again_the_next_minute(
    broken_off: ImportJob, at: datetime, dispatched: list[int]
) -> None:
    jobs.take_up_stalled(at=at + timedelta(minutes=5))
    assert jobs.take_up_stalled(at=at + timedelta(minutes=5, seconds=59)) == []


def test_a_confirmed_job_whose_message_was_lost_is_taken_up(
    queued: ImportJob, at: datetime, dispatched: list[int]
) -> None:
    assert jobs.take_up_stalled(at=at + timedelta(minutes=2)) == [queued.pk]


@pytest.fixture
def unchecked(shop: Channel, owner: User, at: datetime) -> ImportJob:
    """A large upload whose worker never came to check it."""
    content = SimpleUploadedFile("march.csv", order_list(TRADES).encode("gbk"))
    return jobs.create(channel=shop, profile=None, uploads=[content], actor_id=owner.pk, at=at)


def test_a_check_that_was_lost_is_taken_up(
    unchecked: ImportJob, at: datetime, monkeypatch: pytest.MonkeyPatch, dispatched: list[int]
) -> None:
    sent: list[int] = []
    monkeypatch.setattr(tasks.check_import, "delay", sent.append)
    assert jobs.take_up_stalled(at=at + timedelta(seconds=61)) == [unchecked.pk]
    assert (sent, dispatched) == ([unchecked.pk], [])


def test_a_check_that_a_worker_is_busy_with_is_not_stalled(unchecked: ImportJob, at: datetime) -> None:
    later = at + timedelta(seconds=61)
    assert jobs.is_stalled(unchecked, later)
    with job_lock(unchecked.pk):
        assert not jobs.is_stalled(unchecked, later)
        assert jobs.take_up_stalled(at=later) == []


def test_a_check_that_breaks_off_fails_the_job_and_resuming_checks_again(
    unchecked: ImportJob,
    owner: User,
    at: datetime,
    monkeypatch: pytest.MonkeyPatch,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    monkeypatch.setattr(tasks.check_import, "delay", lambda job_id: jobs.check(job_id, at=at))
    with monkeypatch.context() as broken:
        broken.setattr(jobs, "_check_file", lambda *_: 1 // 0)
        jobs.check(unchecked.pk, at=at)
    unchecked.refresh_from_db()
    assert (unchecked.state, unchecked.error) == (State.FAILED, jobs.BROKE_OFF)

    with django_capture_on_commit_callbacks(execute=True):
        jobs.resume(unchecked.pk, actor_id=owner.pk, at=at)
    unchecked.refresh_from_db()
    assert (unchecked.state, unchecked.error) == (State.READY, "")
    assert not Order.objects.exists()


def test_a_broker_that_is_away_does_not_lose_an_upload(
    unchecked: ImportJob,
    monkeypatch: pytest.MonkeyPatch,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    def away(job_id: int) -> None:
        raise tasks.check_import.OperationalError

    monkeypatch.setattr(tasks.check_import, "delay", away)
    with django_capture_on_commit_callbacks(execute=True):
        jobs.check_later(unchecked.pk)
    unchecked.refresh_from_db()
    assert unchecked.state == State.CHECKING


def test_a_job_that_waits_for_a_person_is_left_alone(ready: ImportJob, at: datetime, dispatched: list[int]) -> None:
    assert jobs.take_up_stalled(at=at + timedelta(days=2)) == []


@pytest.fixture
def another_session() -> Iterator[psycopg.Connection]:
    """A database session beside the test's own, as another worker has."""
    with psycopg.connect(**connection.get_connection_params() | {"context": None, "cursor_factory": None}) as session:
        yield session


def test_a_job_that_another_worker_holds_is_not_run(
    queued: ImportJob, clock: Callable[[], datetime], another_session: psycopg.Connection
) -> None:
    another_session.execute("SELECT pg_advisory_lock(%s, %s)", [0x1B0B, queued.pk])
    assert jobs.run(queued.pk, clock=clock) is False
    assert not Order.objects.exists()


def test_a_job_that_another_worker_holds_does_not_count_as_stalled(
    queued: ImportJob, at: datetime, dispatched: list[int], another_session: psycopg.Connection
) -> None:
    another_session.execute("SELECT pg_advisory_lock(%s, %s)", [0x1B0B, queued.pk])
    assert locked_jobs() == {queued.pk}
    assert jobs.take_up_stalled(at=at + timedelta(minutes=5)) == []
    another_session.close()


def test_the_lock_is_free_after_the_run(queued: ImportJob) -> None:
    with job_lock(queued.pk) as held:
        assert held
        assert locked_jobs() == {queued.pk}
    assert locked_jobs() == set()


def test_a_batch_that_another_worker_recorded_is_not_recorded_twice(
    queued: ImportJob, small_batches: None, clock: Callable[[], datetime], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = orders.record_prepared

    def record(*args: object, **kwargs: object) -> object:
        # The other worker has moved the file on between our reading its position and our committing the batch.
        ImportFile.objects.filter(job=queued.pk).update(next_line=5)
        return whole(*args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(pipeline, "record_prepared", record)
    assert jobs.run(queued.pk, clock=clock) is False
    assert not Order.objects.exists()


def test_a_finished_job_runs_once(queued: ImportJob, clock: Callable[[], datetime]) -> None:
    jobs.run(queued.pk, clock=clock)
    before = digest()
    assert jobs.run(queued.pk, clock=clock) is False
    assert digest() == before


def test_running_again_by_hand_changes_nothing_and_says_so(
    queued: ImportJob, owner: User, at: datetime, clock: Callable[[], datetime]
) -> None:
    jobs.run(queued.pk, clock=clock)
    before = digest()
    jobs.run_again(queued.pk, actor_id=owner.pk, at=at)
    jobs.run(queued.pk, clock=clock)
    counts = jobs.totals(queued)
    assert (counts.rows, counts.orders_new, counts.orders_unchanged) == (10, 0, 10)
    assert digest() == before


@pytest.mark.usefixtures("small_batches")
def test_an_error_of_the_program_fails_the_job_and_keeps_what_was_recorded(
    queued: ImportJob, owner: User, at: datetime, clock: Callable[[], datetime], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        kill_after(2, patch, ZeroDivisionError())
        jobs.run(queued.pk, clock=clock)
    queued.refresh_from_db()
    assert queued.state == State.FAILED
    assert queued.error == jobs.BROKE_OFF
    assert Order.objects.count() == 6
    jobs.resume(queued.pk, actor_id=owner.pk, at=at)
    jobs.run(queued.pk, clock=clock)
    assert jobs.totals(queued).orders_new == 10


def test_a_database_that_goes_away_leaves_the_job_to_be_taken_up(
    queued: ImportJob, small_batches: None, clock: Callable[[], datetime], monkeypatch: pytest.MonkeyPatch
) -> None:
    kill_after(1, monkeypatch, OperationalError())
    with pytest.raises(OperationalError):
        jobs.run(queued.pk, clock=clock)
    queued.refresh_from_db()
    assert queued.state == State.RUNNING


def test_a_file_that_vanished_fails_the_job(queued: ImportJob, clock: Callable[[], datetime]) -> None:
    file = queued.files.get()
    file.file.storage.delete(str(file.file.name))
    jobs.run(queued.pk, clock=clock)
    queued.refresh_from_db()
    assert (queued.state, queued.error) == (State.FAILED, jobs.FILE_CHANGED)


def test_a_discarded_job_removes_its_file(
    ready: ImportJob, owner: User, at: datetime, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    path = Path(ready.files.get().file.path)
    with django_capture_on_commit_callbacks(execute=True):
        jobs.discard(ready.pk, actor_id=owner.pk, at=at)
    ready.refresh_from_db()
    assert ready.state == State.CANCELLED
    assert not path.exists()


def test_a_job_that_has_recorded_something_cannot_be_discarded(
    broken_off: ImportJob, owner: User, at: datetime
) -> None:
    ImportJob.objects.filter(pk=broken_off.pk).update(state=State.FAILED)
    with pytest.raises(jobs.WrongState):
        jobs.discard(broken_off.pk, actor_id=owner.pk, at=at)


def test_every_step_of_a_person_is_in_the_staff_log(
    queued: ImportJob, owner: User, clock: Callable[[], datetime]
) -> None:
    jobs.run(queued.pk, clock=clock)
    log = StaffAction.objects.order_by("pk").values_list("action", "actor__username")
    assert list(log) == [("import.upload", "owner"), ("import.confirm", "owner"), ("import.done", "owner")]


def test_an_upload_is_stored_under_a_name_of_ours_for_us_only(ready: ImportJob) -> None:
    file = ready.files.get()
    path = Path(file.file.path)
    assert "march" not in path.name
    assert path.stat().st_mode & 0o077 == 0
    assert len(file.sha256) == 64
