"""Uploaded order files have their time: the night deletes those whose import is over. What came of their rows stays.

A file is removed before that is written down, both under the lock of its job: a night that dies in between finds it
again, and nobody starts a job whose files are just going.
"""

import logging
from datetime import datetime, timedelta
from typing import NamedTuple

from django.conf import settings
from django.db.models import Exists, OuterRef
from django.db.models.functions import Coalesce

from crm.models import ImportFile, ImportJob

logger = logging.getLogger(__name__)

State = ImportJob.State
# Nothing of these moves by itself any more.
_AT_REST = (State.READY, State.DONE, State.FAILED, State.CANCELLED)
# What the look at a file has kept of its rows, for the preview.
_OF_THE_ROWS = ("samples", "problems")


class Forgotten(NamedTuple):
    """Files that were deleted, and the last import that was looked at; None when no more are due."""

    files: int
    last: int | None


def forget_order_files(at: datetime, after: int, most: int) -> Forgotten:
    """Delete the files of at most ``most`` imports numbered above ``after`` that have been at rest for longer than
    ``ORDER_FILE_DAYS``. An import that nobody has confirmed by then is called off. To be called in a transaction.

    With 0 days or fewer nothing is deleted.
    """
    if settings.ORDER_FILE_DAYS <= 0:
        return Forgotten(0, None)
    files = ImportFile.objects.filter(job=OuterRef("pk"), removed_at=None)
    jobs = list(
        ImportJob.objects.select_for_update(skip_locked=True, of=("self",))
        .annotate(rested_at=Coalesce("finished_at", "beat_at", "created_at"))
        .filter(Exists(files), pk__gt=after, state__in=_AT_REST,
                rested_at__lte=at - timedelta(days=settings.ORDER_FILE_DAYS))
        .order_by("pk")[:most]
    )  # fmt: skip
    if not jobs:
        return Forgotten(0, None)
    number = 0
    for file in ImportFile.objects.filter(job__in=jobs, removed_at=None).order_by("pk"):
        number += _forget(file, at)
    unconfirmed = [job.pk for job in jobs if job.state == State.READY]
    ImportJob.objects.filter(pk__in=unconfirmed).update(state=State.CANCELLED, finished_at=at)
    return Forgotten(number, jobs[-1].pk)


def _forget(file: ImportFile, at: datetime) -> bool:
    """Delete one file and write it down; a disk that does not let it go is told in the log, and asked again by the next
    night."""
    try:
        file.file.delete(save=False)
    except OSError:
        logger.exception("order file %s cannot be deleted", file.pk)
        return False
    file.removed_at = at
    file.inspection = {**file.inspection, **{key: [] for key in _OF_THE_ROWS if key in file.inspection}}
    file.save(update_fields=["file", "removed_at", "inspection"])
    return True
