"""Lists of members as jobs: looked at, confirmed, written, killed, taken up again, and never written twice."""

from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext
from pytest_django import DjangoCaptureOnCommitCallbacks

from crm import longjobs, tasks
from crm.choices import ListKind
from crm.imports.jobs import WrongState
from crm.imports.locks import MEMBER_LISTS, job_lock
from crm.memberlists import importing, jobs
from crm.models import (
    Channel,
    ImportJob,
    Member,
    MemberList,
    MemberPlatformGrade,
    NoDiscount,
    PlatformGrade,
    PlatformTool,
    StaffAction,
)
from tests.cast import NOON
from tests.crm.memberlists.lists import import_list, said, ticking, uploaded
from tests.factories import IdentityFactory, MemberFactory, PlatformToolFactory

pytestmark = pytest.mark.django_db

State = ImportJob.State
Commits = DjangoCaptureOnCommitCallbacks
# Seven known buyers, and three rows that are left out.
TEXT = "平台昵称,等级,折扣\n" + "\n".join(
    f"{name},{grade},{pays}"
    for name, grade, pays in [
        ("buyer0", "金牌", "90%"), ("buyer1", "银牌", "95%"), ("nobody", "金牌", "90%"), ("buyer2", "金牌", "90%"),
        ("buyer3", "", ""), ("buyer4", "银牌", "96%"), ("buyer5", "金牌", ""), ("buyer0", "金牌", "90%"),
        ("buyer6", "无", ""),
    ]
)  # fmt: skip


class Killed(BaseException):
    """The worker's process is gone: nothing after this runs, no handler either."""


@pytest.fixture(autouse=True)
def folder(settings: object, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = tmp_path  # type: ignore[attr-defined]


@pytest.fixture
def tool(shop: Channel) -> PlatformTool:
    for number in range(7):
        member = MemberFactory(name=f"buyer{number}")
        IdentityFactory(channel=shop, member=member, external_id=f"buyer{number}")
    return PlatformToolFactory(name="会员关系管理", channel=shop)


@pytest.fixture
def queued(tool: PlatformTool) -> MemberList:
    found = uploaded(TEXT, tool)
    jobs.confirm(found.pk, actor_id=None, at=NOON)
    return MemberList.objects.get(pk=found.pk)


def kill_after(batches: int, monkeypatch: pytest.MonkeyPatch, error: BaseException | None = None) -> None:
    """Let the worker die in the batch after so many, before it is committed."""
    whole, done = importing.write, count()

    def write(*args: Any, **kwargs: Any) -> None:
        whole(*args, **kwargs)
        if next(done) == batches:
            raise error or Killed

    monkeypatch.setattr(importing, "write", write)


def left(found: MemberList) -> tuple[object, ...]:
    """All that a list leaves behind."""
    found.refresh_from_db()
    return (
        sorted(MemberPlatformGrade.objects.values_list("member__name", "grade__name", "seen_at", "source")),
        sorted(PlatformGrade.objects.values_list("name", "discount_percent")),
        list(found.problems.values_list("line_no", "code")),
        said(found),
        found.state,
    )


class TestChecking:
    def test_a_list_waits_for_a_persons_word_with_all_its_figures(self, tool: PlatformTool) -> None:
        found = uploaded(TEXT, tool)

        assert (found.state, found.rows, found.next_line) == (State.READY, 9, 0)
        report = said(found)
        assert (report.rows, report.new, report.refused) == (9, 6, 3)
        assert [(grade.name, grade.percent) for grade in report.grades] == [("金牌", 90), ("银牌", None)]
        assert list(found.problems.values_list("line_no", "code")) == [
            (4, "unknown_name"), (6, "grade_missing"), (9, "duplicate"),
        ]  # fmt: skip

    def test_every_row_that_is_left_out_is_kept_however_many(self, tool: PlatformTool) -> None:
        found = uploaded("平台昵称,等级\n" + "\n".join(f"x{number},金牌" for number in range(300)), tool)

        assert found.problems.count() == said(found).refused == 300

    def test_a_file_that_cannot_be_read_has_failed_and_cannot_be_resumed(self, tool: PlatformTool) -> None:
        found = uploaded("姓名,电话号\na,b", tool)

        assert (found.state, found.error["code"]) == (State.FAILED, "not_grades")
        with pytest.raises(WrongState):
            jobs.resume(found.pk, actor_id=None, at=NOON)

    def test_a_list_without_a_reason_is_refused(self, tool: PlatformTool) -> None:
        with pytest.raises(ValueError, match="needs a reason"):
            uploaded(TEXT, tool, reason=" ")

    def test_a_discarded_list_leaves_no_file(
        self, tool: PlatformTool, django_capture_on_commit_callbacks: Commits
    ) -> None:
        found = uploaded(TEXT, tool)
        path = Path(found.file.path)
        with django_capture_on_commit_callbacks(execute=True):
            jobs.discard(found.pk, at=NOON)

        assert (left(found)[-1], path.exists()) == (State.CANCELLED, False)
        with pytest.raises(WrongState):
            jobs.confirm(found.pk, actor_id=None, at=NOON)


class TestRunning:
    def test_batch_by_batch_comes_to_the_same_as_at_once(
        self, queued: MemberList, tool: PlatformTool, shop: Channel
    ) -> None:
        assert jobs.run(queued.pk, clock=ticking(), batch=2)
        in_batches = left(queued)
        MemberPlatformGrade.objects.all().delete()
        PlatformGrade.objects.all().delete()

        assert left(import_list(TEXT, tool)) == in_batches

    def test_the_file_is_removed_when_all_of_it_is_written(
        self, queued: MemberList, django_capture_on_commit_callbacks: Commits
    ) -> None:
        path = Path(queued.file.path)
        with django_capture_on_commit_callbacks(execute=True):
            jobs.run(queued.pk, clock=ticking())

        assert not path.exists()

    def test_it_goes_to_a_worker_after_the_commit_and_once(
        self, tool: PlatformTool, monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Commits
    ) -> None:
        sent: list[int] = []
        monkeypatch.setattr(tasks.run_member_list, "delay", sent.append)
        found = uploaded(TEXT, tool)
        with django_capture_on_commit_callbacks(execute=True):
            jobs.confirm(found.pk, actor_id=None, at=NOON)
            assert sent == []
        with pytest.raises(WrongState):
            jobs.confirm(found.pk, actor_id=None, at=NOON)

        assert sent == [found.pk]

    def test_a_list_that_is_done_is_not_written_again(self, queued: MemberList) -> None:
        jobs.run(queued.pk, clock=ticking())

        assert not jobs.run(queued.pk, clock=ticking())
        assert StaffAction.objects.count() == 1

    def test_another_worker_that_has_it_is_left_alone(
        self, queued: MemberList, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        whole = importing.count

        def overtaken(terms: Any) -> Any:
            MemberList.objects.filter(pk=queued.pk).update(next_line=3)
            return whole(terms)

        monkeypatch.setattr(importing, "count", overtaken)
        assert not jobs.run(queued.pk, clock=ticking(), batch=2)
        assert not MemberPlatformGrade.objects.exists()

    def test_a_batch_costs_the_same_queries_however_many_rows_it_has(self, tool: PlatformTool) -> None:
        costs = []
        for number in (2, 7):
            found = uploaded(TEXT, tool)
            jobs.confirm(found.pk, actor_id=None, at=NOON)
            with CaptureQueriesContext(connection) as seen:
                jobs.run(found.pk, clock=ticking(), batch=number + 2)
            costs.append(sum("crm_memberplatformgrade" in query["sql"] for query in seen))

        assert costs == [3 * 2, 1 * 2]


class TestKilled:
    @pytest.mark.parametrize("batches", range(5))
    def test_a_worker_that_is_killed_is_replaced_and_nothing_is_lost_or_done_twice(
        self, batches: int, queued: MemberList, tool: PlatformTool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with monkeypatch.context() as patch:
            kill_after(batches, patch)
            with pytest.raises(Killed):
                jobs.run(queued.pk, clock=ticking(), batch=2)
        queued.refresh_from_db()
        assert (queued.state, queued.done) == (State.RUNNING, 2 * batches)

        assert jobs.run(queued.pk, clock=ticking(), batch=2)

        broken = left(queued)
        MemberPlatformGrade.objects.all().delete()
        PlatformGrade.objects.all().delete()
        assert left(import_list(TEXT, tool)) == broken
        assert StaffAction.objects.filter(action="members.grades").count() == 2

    def test_it_is_found_and_sent_again_by_the_scheduler(
        self, queued: MemberList, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        sent: list[int] = []
        monkeypatch.setattr(tasks.run_member_list, "delay", sent.append)
        later = NOON + 2 * longjobs.STALLED_AFTER

        assert jobs.take_up_stalled(at=NOON) == []
        assert jobs.is_stalled(queued, later)
        assert jobs.take_up_stalled(at=later) == jobs.take_up_stalled(at=later + timedelta(minutes=2)) == sent[:1]
        assert sent == [queued.pk] * 2

    def test_not_while_a_live_session_works_on_it(self, queued: MemberList) -> None:
        with job_lock(queued.pk, MEMBER_LISTS):
            assert jobs.take_up_stalled(at=NOON + 2 * longjobs.STALLED_AFTER) == []

    def test_a_database_that_goes_away_leaves_it_as_it_is(
        self, queued: MemberList, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        kill_after(1, monkeypatch, OperationalError("gone"))
        with pytest.raises(OperationalError):
            jobs.run(queued.pk, clock=ticking(), batch=2)

        queued.refresh_from_db()
        assert (queued.state, queued.done) == (State.RUNNING, 2)

    def test_any_other_error_marks_it_as_failed_and_a_person_resumes_it(
        self, queued: MemberList, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with monkeypatch.context() as patch:
            kill_after(1, patch, RuntimeError("a bug"))
            jobs.run(queued.pk, clock=ticking(), batch=2)
        queued.refresh_from_db()
        assert (queued.state, queued.error) == (State.FAILED, {"said": jobs.BROKE_OFF})

        jobs.resume(queued.pk, actor_id=None, at=NOON)
        jobs.run(queued.pk, clock=ticking(), batch=2)

        queued.refresh_from_db()
        assert (queued.state, said(queued).rows, MemberPlatformGrade.objects.count()) == (State.DONE, 9, 6)


class TestWithoutDiscount:
    def test_a_list_that_is_killed_puts_nobody_on_it_twice(
        self, tool: PlatformTool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        found = uploaded("平台昵称\n" + "\n".join(f"buyer{n}" for n in range(7)), kind=ListKind.NO_DISCOUNT)
        jobs.confirm(found.pk, actor_id=None, at=NOON)
        with monkeypatch.context() as patch:
            kill_after(2, patch)
            with pytest.raises(Killed):
                jobs.run(found.pk, clock=ticking(), batch=2)
        assert NoDiscount.objects.count() == 4

        jobs.run(found.pk, clock=ticking(NOON + timedelta(hours=1)), batch=2)

        assert NoDiscount.objects.filter(until=None).count() == 7
        found.refresh_from_db()
        assert (said(found).new, said(found).unchanged) == (7, 0)

    def test_who_was_taken_off_by_a_later_clock_is_put_on_after_that(self, tool: PlatformTool) -> None:
        member = Member.objects.get(name="buyer0")
        later = NOON + timedelta(minutes=1)
        NoDiscount.objects.create(member=member, since=NOON - timedelta(days=1), until=later, reason="A reseller")

        import_list("平台昵称\nbuyer0", kind=ListKind.NO_DISCOUNT)

        assert NoDiscount.objects.get(until=None).since == later
