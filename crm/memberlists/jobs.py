"""Lists of members as jobs: looked at, confirmed by a person, written by a worker, and taken up again when it dies.

What became of the rows, the figures and the position are saved in the transaction of each batch, and every batch moves
the position on from the value it was read at. A killed worker therefore loses at most the batch it had not committed,
and two workers on one list cannot both write a batch.
"""

import logging
import secrets
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from django.core.files.uploadedfile import UploadedFile
from django.db import InterfaceError, OperationalError, transaction
from django.utils.translation import gettext_noop

from crm import longjobs
from crm.choices import ListKind
from crm.feeds.records import UnreadableFile
from crm.imports.jobs import FILE_CHANGED, Overtaken, WrongState
from crm.imports.locks import MEMBER_LISTS, job_lock
from crm.imports.uploads import shown_name
from crm.later import call_later
from crm.memberlists import importing
from crm.memberlists.importing import ListReport, Terms
from crm.memberlists.staging import keep_problems, take
from crm.models import ImportJob, MemberList
from crm.stafflog import log_action

logger = logging.getLogger(__name__)

State = ImportJob.State
# Large enough that the fixed cost of a batch disappears, small enough that progress moves and locks are short.
BATCH = 5_000
# Kept in English in the database and translated where shown.
BROKE_OFF = gettext_noop("The program met an error and stopped. What was written stays; press Resume to go on.")

_MOVING = (State.CHECKING, State.QUEUED, State.RUNNING)


def create(
    *, kind: ListKind, tool_id: int | None, seen_at: datetime, reason: str, upload: "UploadedFile[Any]",
    actor_id: int | None, at: datetime,
) -> MemberList:  # fmt: skip
    """Keep an upload as a list that waits to be looked at. Raises ``ValueError`` without a reason."""
    if not reason.strip():
        raise ValueError("a list of members needs a reason")
    found = MemberList(
        kind=kind, tool_id=tool_id, seen_at=seen_at, reason=reason, name=shown_name(upload.name or ""),
        created_by_id=actor_id, created_at=at,
    )  # fmt: skip
    # Nobody serves the folder, and the name that somebody else chose is only ever shown.
    found.file.save(f"{secrets.token_hex(16)}.upload", upload, save=False)
    found.save()
    return found


def check_later(list_id: int) -> None:
    """Have a worker look at a list as soon as it is committed."""
    call_later(_task(State.CHECKING), list_id)


def check(list_id: int, *, clock: Callable[[], datetime]) -> None:
    """Look at a list without doing anything of it; then it waits for confirmation, or it has failed.

    Does nothing to one that is not waiting for this, or that another worker looks at.
    """
    with job_lock(list_id, MEMBER_LISTS) as held:
        found = MemberList.objects.get(pk=list_id)
        if held and found.state == State.CHECKING:
            _or_failed(found, clock, lambda: _check(found, clock))


def _check(found: MemberList, clock: Callable[[], datetime]) -> None:
    terms = _terms(found)
    with _opened(found, terms, clock) as (rows, ignored):
        take(0, None)
        report = ListReport(grades=importing.new_grades(terms), ignored=ignored).plus(importing.count(terms))
        with transaction.atomic():
            found.problems.all().delete()
            keep_problems(found.pk)
            MemberList.objects.filter(pk=found.pk, state=State.CHECKING).update(
                state=State.READY, rows=rows, done=0, report=report.as_json(), beat_at=clock()
            )


def confirm(list_id: int, *, actor_id: int | None, at: datetime) -> None:
    """Queue a list on a person's word. Raises ``WrongState`` when it is not waiting for that."""
    with transaction.atomic():
        found = _locked(list_id, [State.READY])
        found.confirmed_by_id, found.confirmed_at = actor_id, at
        _queue(found, State.QUEUED, at)


def resume(list_id: int, *, actor_id: int | None, at: datetime) -> None:
    """Queue a list again that broke off or stands still; it goes on where the last committed batch ended, or is looked
    at again if nobody has confirmed it. Raises ``WrongState``."""
    with transaction.atomic():
        found = _locked(list_id, [State.FAILED, *_MOVING])
        if "code" in found.error:
            raise WrongState(found.state)
        _queue(found, State.QUEUED if found.confirmed_at else State.CHECKING, at)
        log_action("member_list.resume", actor_id=actor_id, at=at, list=list_id)


def discard(list_id: int, *, at: datetime) -> None:
    """Drop a list of which nothing is written, and its file. Raises ``WrongState`` otherwise."""
    with transaction.atomic():
        found = _locked(list_id, [State.CHECKING, State.READY, State.FAILED])
        if found.next_line:
            raise WrongState(found.state)
        MemberList.objects.filter(pk=list_id).update(state=State.CANCELLED, finished_at=at)
        _forget_file(found)


def run(list_id: int, *, clock: Callable[[], datetime], batch: int = BATCH) -> bool:
    """Write a confirmed or broken-off list to its end; false when there was nothing to do or another worker has it.

    A database that goes away leaves it as it is, to be taken up again; any other error marks it as failed.
    """
    with job_lock(list_id, MEMBER_LISTS) as held:
        found = MemberList.objects.get(pk=list_id)
        if not held or found.state not in (State.QUEUED, State.RUNNING):
            return False
        MemberList.objects.filter(pk=list_id).update(state=State.RUNNING, beat_at=clock())
        return _or_failed(found, clock, lambda: _run(found, clock, batch))


def _or_failed(found: MemberList, clock: Callable[[], datetime], work: Callable[[], None]) -> bool:
    """Do a job's work; an error becomes its end. False when another worker was quicker."""
    try:
        work()
    except Overtaken:
        logger.warning("list %s: another worker was quicker", found.pk)
        return False
    except UnreadableFile as error:
        params = {name: str(value) for name, value in error.params.items()}
        _fail(found, {"code": error.code, "params": params}, clock())
    except FileNotFoundError:
        _fail(found, {"code": "", "said": FILE_CHANGED}, clock())
    except (OperationalError, InterfaceError):
        raise
    except Exception:
        logger.exception("list %s broke off", found.pk)
        _fail(found, {"said": BROKE_OFF}, clock())
    return True


def _run(found: MemberList, clock: Callable[[], datetime], batch: int) -> None:
    terms = _terms(found)
    with _opened(found, terms, clock) as (_rows, ignored):
        while _run_batch(found, terms, ignored, clock(), batch):
            pass
    with transaction.atomic():
        done = MemberList.objects.filter(pk=found.pk, state=State.RUNNING).update(state=State.DONE, finished_at=clock())
        if done:
            _log_what_came_of_it(found, clock())
            _forget_file(found)


def _run_batch(found: MemberList, terms: Terms, ignored: tuple[str, ...], at: datetime, limit: int) -> bool:
    """Write the next rows and move the position on, both or neither; false when no row is left. Raises Overtaken."""
    with transaction.atomic():
        number, last = take(found.next_line, limit)
        if not number:
            return False
        importing.lock(terms)
        before = ListReport.from_json(found.report)
        if not found.next_line:
            # The first batch begins the account of what is done, in the place of what would be.
            found.problems.all().delete()
            before = ListReport(grades=importing.new_grades(terms), ignored=ignored)
            if terms.kind is ListKind.GRADES:
                importing.add_grades(terms)
        report = before.plus(importing.count(terms)).as_json()
        importing.write(terms, at=at)
        keep_problems(found.pk)
        here = MemberList.objects.filter(pk=found.pk, state=State.RUNNING, next_line=found.next_line)
        if not here.update(next_line=last, done=report["rows"], report=report, beat_at=at):
            raise Overtaken
    found.next_line, found.report = last, report
    return True


def _log_what_came_of_it(found: MemberList, at: datetime) -> None:
    report = ListReport.from_json(found.report)
    log_action(
        f"members.{found.kind}", actor_id=found.confirmed_by_id, at=at, reason=found.reason, list=found.pk,
        file=found.name, tool=found.tool_id, new=report.new, changed=report.changed,
        unchanged=report.unchanged + report.older, refused=report.refused,
    )  # fmt: skip


def take_up_stalled(*, at: datetime) -> list[int]:
    """Dispatch every list that waits or runs without a sign of life and that no live session works on."""
    return longjobs.take_up(MemberList.objects.all(), _MOVING, MEMBER_LISTS, lambda state: _task(State(state)), at=at)


def is_stalled(found: MemberList, at: datetime) -> bool:
    """Say whether a list should be moving, shows no sign of life, and no live session works on it."""
    return longjobs.is_stalled(found, _MOVING, MEMBER_LISTS, at)


def _terms(found: MemberList) -> Terms:
    kind = ListKind(found.kind)
    return Terms(kind, found.seen_at, found.reason, found.tool_id, found.name, found.confirmed_by_id)


def _opened(
    found: MemberList, terms: Terms, clock: Callable[[], datetime]
) -> AbstractContextManager[tuple[int, tuple[str, ...]]]:
    reading = MemberList.objects.filter(pk=found.pk)

    def progress(rows: int) -> None:
        if found.state == State.CHECKING:
            reading.update(done=rows, beat_at=clock())
        else:
            reading.update(beat_at=clock())

    return importing.opened(Path(found.file.path), terms, progress)


def _locked(list_id: int, states: list[State]) -> MemberList:
    found = MemberList.objects.select_for_update(of=("self",)).get(pk=list_id)
    if found.state not in states:
        raise WrongState(found.state)
    return found


def _queue(found: MemberList, state: State, at: datetime) -> None:
    found.state, found.beat_at, found.finished_at, found.error = state, at, None, {}
    found.save(update_fields=["state", "beat_at", "finished_at", "error", "confirmed_by", "confirmed_at"])
    call_later(_task(state), found.pk)


def _task(state: State) -> str:
    return "crm.tasks.check_member_list" if state == State.CHECKING else "crm.tasks.run_member_list"


def _fail(found: MemberList, error: dict[str, Any], at: datetime) -> None:
    MemberList.objects.filter(pk=found.pk).update(state=State.FAILED, error=error, finished_at=at)


def _forget_file(found: MemberList) -> None:
    """Remove the uploaded file, which names persons and is of no more use; what became of its rows stays."""
    transaction.on_commit(partial(found.file.delete, save=False))
