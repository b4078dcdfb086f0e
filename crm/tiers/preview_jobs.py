"""Previews of tier schemes as jobs: started by a person, made by a worker with progress, taken up again when it dies.

Nothing is kept of a preview that breaks off: it takes half a minute for a million members, so whoever takes it up
begins anew.
"""

import logging
from collections.abc import Callable
from datetime import datetime

from django.db import InterfaceError, OperationalError, transaction
from django.utils.translation import gettext_noop

from crm import longjobs
from crm.imports.locks import PREVIEWS, job_lock
from crm.later import call_later
from crm.models import SchemePreview
from crm.stafflog import log_action
from crm.tiers.preview import preview
from crm.tiers.schemebook import InvalidScheme, content_of, draft_problems, find_scheme

logger = logging.getLogger(__name__)

State = SchemePreview.State

# Kept in English in the database and translated where shown.
BROKE_OFF = gettext_noop("The program met an error and stopped. Nothing was changed; start the preview again.")

_MOVING = (State.QUEUED, State.RUNNING)
_TASK = "crm.tasks.run_scheme_preview"


def start(scheme_id: int, *, actor_id: int, at: datetime) -> SchemePreview:
    """Have a worker see what a scheme, a draft mostly, would do to all members. The staff log keeps who asked.

    Raises TierScheme.DoesNotExist, and InvalidScheme for one that could not be published.
    """
    with transaction.atomic():
        if found := draft_problems(scheme_id):
            raise InvalidScheme(found)
        job = SchemePreview.objects.create(scheme_id=scheme_id, created_by_id=actor_id, created_at=at)
        log_action("tier_scheme.preview", actor_id=actor_id, at=at, job=job.pk, scheme=scheme_id)
        call_later(_TASK, job.pk)
    return job


def run(job_id: int, *, clock: Callable[[], datetime]) -> bool:
    """Make a preview that waits or broke off, from its beginning; false when there was nothing to do or another worker
    is at it.

    ``clock`` gives the time at the start and at every chunk. A database that goes away leaves the job as it is, to be
    taken up again; any other error marks it as failed.
    """
    with job_lock(job_id, PREVIEWS) as held:
        at = clock()
        mine = held and SchemePreview.objects.filter(pk=job_id, state__in=_MOVING).update(
            state=State.RUNNING, beat_at=at, done=0
        )
        if not mine:
            return False
        running = SchemePreview.objects.filter(pk=job_id, state=State.RUNNING)

        def progress(done: int, members: int) -> None:
            running.update(done=done, members=members, beat_at=clock())

        try:
            scheme = find_scheme(running.values_list("scheme", flat=True).get())
            found = preview(scheme, at=at, progress=progress)
            running.update(state=State.DONE, result=found.as_json(), content=content_of(scheme), finished_at=clock())
        except (OperationalError, InterfaceError):
            raise
        except Exception:
            logger.exception("preview %s broke off", job_id)
            running.update(state=State.FAILED, error=BROKE_OFF, finished_at=clock())
        return True


def is_moving(job: SchemePreview) -> bool:
    """Whether the preview waits or runs."""
    return job.state in _MOVING


def is_stalled(job: SchemePreview, at: datetime) -> bool:
    """Whether a preview that waits or runs has given no sign of life for too long. It is taken up again by itself."""
    return longjobs.is_silent(job, _MOVING, at)


def take_up_stalled(*, at: datetime) -> list[int]:
    """Dispatch every job that waits or runs without a sign of life and that no live session works on."""
    return longjobs.take_up(SchemePreview.objects.all(), _MOVING, PREVIEWS, lambda _state: _TASK, at=at)
