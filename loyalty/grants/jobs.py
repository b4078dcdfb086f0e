"""Grants as jobs: run by a worker batch by batch, and taken up again when that worker dies.

Outcomes, counts and the position are saved in the transaction of each batch, and every batch moves the position on from
the value it was read at. A killed worker therefore loses at most the batch it had not committed, and two workers on one
grant cannot both record a batch. Even if they could, the journal's keys would let nothing be given twice.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime

from django.db import InterfaceError, OperationalError, transaction

from crm.api import call_later, job_lock, log_action, longjobs
from loyalty.grants.approval import WrongState
from loyalty.grants.making import LOCKS
from loyalty.grants.messages import BROKE_OFF
from loyalty.grants.posting import Counts, next_rows, post_rows
from loyalty.models import Grant

logger = logging.getLogger(__name__)

State = Grant.State
# Large enough that the fixed cost of a batch disappears, small enough that progress moves and locks are short.
BATCH = 2_000
# What a worker can be sent to do for a grant in one of these states.
MOVING = (State.CHECKING, State.QUEUED, State.RUNNING)


class Overtaken(Exception):
    """Another worker recorded this batch; this one wrote nothing and stops."""


def check_later(grant_id: int) -> None:
    """Have a worker check a grant as soon as it is committed."""
    call_later(_task(State.CHECKING), grant_id)


Prepare = Callable[[Grant, datetime], None]


def run(grant_id: int, *, clock: Callable[[], datetime], batch: int = BATCH, prepare: Prepare | None = None) -> bool:
    """Run a queued or broken-off grant to its end; false when there was nothing to do or another worker has it.

    ``clock`` gives the time at the start and at every batch. A database that goes away leaves the grant as it is, to be
    taken up again; any other error marks it as failed. ``prepare`` is called first, at
    every start.
    """
    with job_lock(grant_id, LOCKS) as held:
        if not held:
            return False
        grant = Grant.objects.get(pk=grant_id)
        if grant.state not in (State.QUEUED, State.RUNNING):
            return False
        at = clock()
        Grant.objects.filter(pk=grant_id).update(state=State.RUNNING, beat_at=at, started_at=grant.started_at or at)
        try:
            if prepare is not None:
                prepare(grant, clock())
            while _run_batch(grant, clock(), batch):
                pass
        except Overtaken:
            logger.warning("grant %s: another worker was quicker", grant_id)
            return False
        except (OperationalError, InterfaceError):
            raise
        except Exception:
            logger.exception("grant %s broke off", grant_id)
            Grant.objects.filter(pk=grant_id).update(state=State.FAILED, error=BROKE_OFF, finished_at=clock())
            return True
        _finish(grant, clock())
        return True


def _run_batch(grant: Grant, at: datetime, limit: int) -> bool:
    """Post the next rows and move the position on, both or neither; false when no row is left. Raises Overtaken."""
    begun = time.monotonic()
    rows = next_rows(grant.pk, grant.next_seq, limit)
    if not rows:
        return False
    counts = Counts(**grant.counts)
    with transaction.atomic():
        counts.add(post_rows(grant, rows, at=at))
        counts.seconds += time.monotonic() - begun
        position = rows[-1].seq
        if not _moved_on(grant, position, counts, at):
            raise Overtaken
    grant.next_seq, grant.counts = position, asdict(counts)
    return True


def _moved_on(grant: Grant, position: int, counts: Counts, at: datetime) -> bool:
    """Move the position on from where this worker read it; false when another one has moved it already."""
    here = Grant.objects.filter(pk=grant.pk, state=State.RUNNING, next_seq=grant.next_seq)
    return bool(here.update(next_seq=position, counts=asdict(counts), beat_at=at))


def _finish(grant: Grant, at: datetime) -> None:
    with transaction.atomic():
        done = Grant.objects.filter(pk=grant.pk, state=State.RUNNING).update(state=State.DONE, finished_at=at)
        if done:
            counts = {name: value for name, value in grant.counts.items() if name != "seconds"}
            log_action("grant.done", actor_id=grant.made_by_id, at=at, reason=grant.reason, grant=grant.pk, **counts)


def resume(grant_id: int, *, actor_id: int, at: datetime) -> None:
    """Queue a grant again that broke off or stands still; it goes on where the last committed batch ended, or is
    checked again if it never was. Raises WrongState."""
    with transaction.atomic():
        grant = Grant.objects.select_for_update().get(pk=grant_id)
        if grant.state not in (State.FAILED, *MOVING) or "unreadable" in grant.inspection:
            raise WrongState(grant.state)
        grant.state = State.QUEUED if grant.confirmed_at else State.CHECKING
        grant.beat_at, grant.finished_at, grant.error = at, None, ""
        grant.save(update_fields=["state", "beat_at", "finished_at", "error"])
        log_action("grant.resume", actor_id=actor_id, at=at, grant=grant_id)
        call_later(_task(State(grant.state)), grant_id)


def take_up_stalled(*, at: datetime) -> list[int]:
    """Dispatch every grant that waits or runs without a sign of life and that no live session works on."""
    return longjobs.take_up(
        Grant.objects.all(), MOVING, LOCKS, lambda state: _task(State(state)), at=at, made="made_at"
    )


def is_stalled(grant: Grant, at: datetime) -> bool:
    """Say whether a grant should be moving, shows no sign of life, and no live session works on it."""
    return longjobs.is_stalled(grant, MOVING, LOCKS, at, made="made_at")


def _task(state: State) -> str:
    return "loyalty.tasks.check_grant" if state == State.CHECKING else "loyalty.tasks.run_grant"
