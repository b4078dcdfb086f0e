"""Import jobs: checked, confirmed by a person, run by a worker, and taken up again when that worker dies.

Progress, counts and refused rows are saved in the transaction of each batch, and every batch moves the file's position
on from the value it was read at. A killed worker therefore loses at most the batch it had not committed, and two
workers on one job cannot both record a batch: the second finds the position moved and stops.
"""

import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from django.core.files.uploadedfile import UploadedFile
from django.core.serializers.json import DjangoJSONEncoder
from django.db import InterfaceError, OperationalError, transaction
from django.utils.translation import gettext_noop

from crm import longjobs
from crm.feeds import Profile, UnreadableFile
from crm.imports import pipeline
from crm.imports import uploads as uploaded
from crm.imports.counts import Counts
from crm.imports.locks import IMPORTS, job_lock
from crm.imports.pipeline import Source
from crm.later import call_later
from crm.models import Channel, ImportFile, ImportJob, ImportProblem, ImportProfile
from crm.order_grades import ONCE_A_FILE
from crm.stafflog import log_action

logger = logging.getLogger(__name__)

State = ImportJob.State

# Kept in English in the database and translated where shown.
FILE_CHANGED = gettext_noop("The uploaded file is no longer what was checked, or it is gone. Upload it again.")
BROKE_OFF = gettext_noop("The program met an error and stopped. What was recorded stays; press Resume to go on.")

# What a worker can be sent to do for a job in one of these states.
_MOVING = (State.CHECKING, State.QUEUED, State.RUNNING)


class WrongState(Exception):
    """The job is not in a state that allows this step; somebody else was quicker, or the page is old."""


class Overtaken(Exception):
    """Another worker recorded this batch; this one wrote nothing and stops."""


def create(
    *,
    channel: Channel,
    profile: ImportProfile | None,
    uploads: "Sequence[UploadedFile[Any]]",
    actor_id: int,
    at: datetime,
) -> ImportJob:
    """Keep uploaded files as a new job that waits to be checked. Without a profile their columns say what they are."""
    with transaction.atomic():
        job = ImportJob.objects.create(channel=channel, profile=profile, created_by_id=actor_id, created_at=at)
        files = [uploaded.store(job, upload) for upload in uploads]
        log_action("import.upload", actor_id=actor_id, at=at, job=job.pk, files=[file.name for file in files])
    return job


def check(job_id: int, *, at: datetime) -> None:
    """Look at every file of a job without recording anything; then it waits for confirmation, or it has failed.

    Does nothing to a job that is not waiting for this, or that another worker is checking. A database that goes away
    leaves the job as it is, to be taken up again; any other error marks it as failed.
    """
    with job_lock(job_id) as held:
        job = ImportJob.objects.select_related("channel", "profile").get(pk=job_id)
        if not held or job.state != State.CHECKING:
            return
        unreadable, error = False, ""
        try:
            for file in job.files.all():
                unreadable |= not _check_file(job, file, at)
        except (OperationalError, InterfaceError):
            raise
        except Exception:
            logger.exception("the check of import %s broke off", job_id)
            error = BROKE_OFF
        failed = unreadable or bool(error)
        ImportJob.objects.filter(pk=job_id, state=State.CHECKING).update(
            state=State.FAILED if failed else State.READY, error=error, beat_at=at, finished_at=at if failed else None
        )


def check_later(job_id: int) -> None:
    """Have a worker check a job as soon as its files are committed."""
    call_later(_task(State.CHECKING), job_id)


def _check_file(job: ImportJob, file: ImportFile, at: datetime) -> bool:
    """Inspect one file and keep what was found; false when it cannot be read at all."""
    try:
        found = _source(job, file).inspect(at)
    except UnreadableFile as error:
        params = {name: str(value) for name, value in error.params.items()}
        file.inspection = {"unreadable": {"code": error.code, "params": params}}
    else:
        file.format, file.encoding, file.rows = found.kind, found.encoding, found.rows
        file.inspection = json.loads(json.dumps(asdict(found), cls=DjangoJSONEncoder))
    file.save(update_fields=["format", "encoding", "rows", "inspection"])
    return "unreadable" not in file.inspection


def _source(job: ImportJob, file: ImportFile) -> Source:
    profile = Profile.from_json(job.profile.code, job.profile.settings) if job.profile else None
    return Source(Path(file.file.path), job.channel, profile, file.encoding, file.name)


def confirm(job_id: int, *, actor_id: int, at: datetime) -> None:
    """Queue a checked job on a person's word. Raises ``WrongState`` when it is not waiting for that."""
    _queue(job_id, [State.READY], action="import.confirm", actor_id=actor_id, at=at)


def resume(job_id: int, *, actor_id: int, at: datetime) -> None:
    """Queue a failed or stalled job again; it goes on where the last committed batch ended.

    A job whose files were never all checked is checked again instead: nobody has seen what is in them.
    """
    _queue(job_id, [State.FAILED, *_MOVING], action="import.resume", actor_id=actor_id, at=at)


def run_again(job_id: int, *, actor_id: int, at: datetime) -> None:
    """Queue a finished job from the first row. Rows that are already recorded count as unchanged."""
    with transaction.atomic():
        _queue(job_id, [State.DONE], action="import.again", actor_id=actor_id, at=at)
        ImportProblem.objects.filter(file__job=job_id).delete()
        ImportFile.objects.filter(job=job_id).update(next_line=0, counts={}, done=False)
        ImportJob.objects.filter(pk=job_id).update(started_at=None)


def discard(job_id: int, *, actor_id: int, at: datetime) -> None:
    """Cancel a job that has recorded nothing yet and remove its files. Raises ``WrongState`` otherwise."""
    with transaction.atomic():
        job = ImportJob.objects.select_for_update().get(pk=job_id)
        files = list(job.files.all())
        if job.state not in (State.CHECKING, State.READY, State.FAILED) or any(file.next_line for file in files):
            raise WrongState(job.state)
        job.state, job.finished_at = State.CANCELLED, at
        job.save(update_fields=["state", "finished_at"])
        log_action("import.discard", actor_id=actor_id, at=at, job=job_id)
        for file in files:
            transaction.on_commit(partial(file.file.delete, save=False))


def _queue(job_id: int, states: list[State], *, action: str, actor_id: int, at: datetime) -> None:
    with transaction.atomic():
        job = ImportJob.objects.select_for_update().get(pk=job_id)
        files = list(job.files.all())
        if job.state not in states or any("unreadable" in file.inspection or file.removed_at for file in files):
            raise WrongState(job.state)
        job.state = State.QUEUED if all(file.inspection for file in files) else State.CHECKING
        job.beat_at, job.finished_at, job.error = at, None, ""
        job.save(update_fields=["state", "beat_at", "finished_at", "error"])
        log_action(action, actor_id=actor_id, at=at, job=job_id)
        call_later(_task(State(job.state)), job_id)


def _task(state: State) -> str:
    return "crm.tasks.check_import" if state == State.CHECKING else "crm.tasks.run_import"


def take_up_stalled(*, at: datetime) -> list[int]:
    """Dispatch every job that waits or runs without a sign of life and that no live session works on."""
    return longjobs.take_up(ImportJob.objects.all(), _MOVING, IMPORTS, lambda state: _task(State(state)), at=at)


def is_stalled(job: ImportJob, at: datetime) -> bool:
    """Say whether a job should be moving, shows no sign of life, and no live session works on it."""
    return longjobs.is_stalled(job, _MOVING, IMPORTS, at)


def run(job_id: int, *, clock: Callable[[], datetime]) -> bool:
    """Run a queued or broken-off job to its end; false when there was nothing to do or another worker has it.

    ``clock`` gives the time at the start and at every batch. A database that goes away leaves the job as it is, to be
    taken up again; any other error marks it as failed.
    """
    at = clock()
    with job_lock(job_id) as held:
        if not held:
            return False
        job = ImportJob.objects.select_related("channel", "profile").get(pk=job_id)
        if job.state not in (State.QUEUED, State.RUNNING):
            return False
        job.state, job.beat_at, job.started_at = State.RUNNING, at, job.started_at or at
        job.save(update_fields=["state", "beat_at", "started_at"])
        try:
            for file in job.files.filter(done=False):
                _run_file(job, file, clock)
        except Overtaken:
            logger.warning("import %s: another worker was quicker", job_id)
            return False
        except UnreadableFile as error:
            logger.warning("import %s: %s", job_id, error.code)
            _fail(job_id, FILE_CHANGED, clock())
            return True
        except (OperationalError, InterfaceError):
            raise
        except Exception:
            logger.exception("import %s broke off", job_id)
            _fail(job_id, BROKE_OFF, clock())
            return True
        _finish(job, clock())
        return True


def _run_file(job: ImportJob, file: ImportFile, clock: Callable[[], datetime]) -> None:
    counts = Counts.from_json(file.counts)
    next_line = file.next_line

    def save(batch: pipeline.Batch) -> None:
        nonlocal next_line
        counts.add(batch.counts)
        moved = ImportFile.objects.filter(pk=file.pk, next_line=next_line, done=False).update(
            next_line=batch.next_line, counts=counts.as_json(), done=batch.last
        )
        if not moved:
            raise Overtaken
        next_line = batch.next_line
        ImportProblem.objects.bulk_create(
            ImportProblem(
                file_id=file.pk,
                line_no=problem.line_no,
                column=problem.column[:120],
                code=problem.code,
                value=problem.value[:200],
                external_no=problem.external_no[:64],
            )
            for problem in batch.problems
        )
        ImportJob.objects.filter(pk=job.pk).update(beat_at=clock())

    told = set(file.problems.filter(code__in=ONCE_A_FILE).values_list("code", "value"))
    pipeline.run_file(
        _source(job, file), at=clock(), read_at=job.started_at, start_line=file.next_line, save=save, told=told
    )


def _fail(job_id: int, error: str, at: datetime) -> None:
    ImportJob.objects.filter(pk=job_id).update(state=State.FAILED, error=error, finished_at=at)


def _finish(job: ImportJob, at: datetime) -> None:
    with transaction.atomic():
        done = ImportJob.objects.filter(pk=job.pk, state=State.RUNNING).update(state=State.DONE, finished_at=at)
        if done:
            log_action("import.done", actor_id=job.created_by_id, at=at, job=job.pk, **totals(job).as_json())


def totals(job: ImportJob) -> Counts:
    """Return the figures of all files of a job together, as last committed."""
    sums = Counts()
    for counts in job.files.values_list("counts", flat=True):
        sums.add(Counts.from_json(counts))
    return sums
