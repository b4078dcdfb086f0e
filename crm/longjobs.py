"""Long jobs whose worker died, or whose message was lost: told from those that are merely slow, and sent again.

A job is a row with a ``state`` and ``beat_at``, its last sign of life, that a worker renews; until there is one, the
column ``made`` counts. Whoever works on a job holds its lock (``crm.imports.locks``).
"""

from collections.abc import Callable, Collection
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Q, QuerySet

from crm.imports.locks import locked_jobs
from crm.later import call_worker

# A job without a sign of life for so long is taken up again.
STALLED_AFTER = timedelta(seconds=60)


def take_up(
    jobs: "QuerySet[Any]",
    moving: Collection[str],
    sort: int,
    task: Callable[[str], str],
    *,
    at: datetime,
    made: str = "created_at",
) -> list[int]:
    """Send every one of these jobs that is in a state ``moving``, shows no sign of life and has no live session working
    on it. ``sort`` is that of its lock, ``task`` gives the task of a state."""
    silent = Q(beat_at__lt=at - STALLED_AFTER) | Q(("beat_at", None), (f"{made}__lt", at - STALLED_AFTER))
    waiting = jobs.filter(silent, state__in=moving).order_by("pk").values_list("pk", "state")
    locked = locked_jobs(sort)
    stalled = [(job_id, state) for job_id, state in waiting if job_id not in locked]
    # Renewing the sign of life keeps the next minute's round from sending the same job again.
    jobs.filter(pk__in=[job_id for job_id, _state in stalled]).update(beat_at=at)
    for job_id, state in stalled:
        call_worker(task(state), job_id)
    return [job_id for job_id, _state in stalled]


def is_silent(job: Any, moving: Collection[str], at: datetime, *, made: str = "created_at") -> bool:
    """Whether a job should be moving and has shown no sign of life for too long."""
    return job.state in moving and (job.beat_at or getattr(job, made)) < at - STALLED_AFTER


def is_stalled(job: Any, moving: Collection[str], sort: int, at: datetime, *, made: str = "created_at") -> bool:
    """Whether a job should be moving, shows no sign of life, and no live session works on it."""
    return is_silent(job, moving, at, made=made) and job.pk not in locked_jobs(sort)
