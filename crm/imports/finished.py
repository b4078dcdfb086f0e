"""Imports that have ended, for those who look at what they brought."""

from datetime import datetime
from typing import NamedTuple

from crm.models import ImportJob


class FinishedImport(NamedTuple):
    """An import into one channel: when it ran, and its files."""

    job_id: int
    channel_id: int
    channel_name: str
    started_at: datetime
    finished_at: datetime
    files: tuple[str, ...]


def finished_imports(limit: int) -> list[FinishedImport]:
    """The imports that ended last, the latest first."""
    jobs = ImportJob.objects.filter(state=ImportJob.State.DONE, started_at__isnull=False, finished_at__isnull=False)
    found = jobs.select_related("channel").prefetch_related("files").order_by("-finished_at")[:limit]
    return [finished for job in found if (finished := _finished(job))]


def finished_import(job_id: int) -> FinishedImport | None:
    """An import by its number; None when there is none that has ended."""
    job = ImportJob.objects.filter(pk=job_id, state=ImportJob.State.DONE).select_related("channel").first()
    return _finished(job) if job else None


def _finished(job: ImportJob) -> FinishedImport | None:
    if job.started_at is None or job.finished_at is None:
        return None
    files = tuple(file.name for file in job.files.all())
    return FinishedImport(job.pk, job.channel_id, job.channel.name, job.started_at, job.finished_at, files)
