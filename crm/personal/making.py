"""Files of everything held about a member that take too long for a request: asked for, made by a worker, fetched, gone.

Each has a row with where it lies; the file is written beside its place and put there when it is whole. A worker that
dies leaves a row without a sign of life, which is taken up again and made from the beginning.
"""

import logging
import secrets
import shutil
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import IO

from django.conf import settings
from django.db import InterfaceError, OperationalError, transaction
from django.utils.translation import get_language, override

from crm import longjobs
from crm.imports.locks import DATA_FILES, job_lock
from crm.later import call_later
from crm.models import DataFile, Member
from crm.personal.file import everything_held, shown_tables
from crm.personal.registry import Erasure, ErasureRules

logger = logging.getLogger(__name__)

State = DataFile.State
# What is packed in half a second on an idle machine, and within two where the machine is busy.
AT_ONCE_ROWS = 10_000
_MOVING = (State.QUEUED, State.RUNNING)
_TASK = "crm.tasks.make_data_file"
_STRAY_AFTER = timedelta(days=1)


def made_at_once(member_id: int) -> bool:
    """Whether so little is held about a member that his file can be made while he waits. A query a table until there
    is more than enough."""
    left = AT_ONCE_ROWS
    for table in shown_tables():
        rows = table.model_class()._default_manager.filter(table.of(member_id)).order_by()
        left -= rows[: left + 1].count()
        if left < 0:
            return False
    return True


def ask_for_file(member_id: int, user_id: int, at: datetime) -> DataFile:
    """Have a worker make the file, for this login alone, in the language of the page. One that is being made is not
    begun anew; one that was made before gives way."""
    with transaction.atomic():
        Member.objects.select_for_update(no_key=True).only("pk").get(pk=member_id)
        found = DataFile.objects.filter(member=member_id, asked_by=user_id).first()
        if found is not None and found.state in _MOVING:
            return found
        if found is not None:
            _forget([found])
        asked = DataFile.objects.create(
            member_id=member_id, asked_by_id=user_id, language=get_language() or settings.LANGUAGE_CODE,
            name=f"{secrets.token_hex(16)}.zip", asked_at=at,
        )  # fmt: skip
        call_later(_TASK, asked.pk)
    return asked


def asked_file(member_id: int, user_id: int, at: datetime) -> DataFile | None:
    """Return the file that this login has asked for, however far it is; None when there is none, or its days are over.
    One query."""
    found = DataFile.objects.filter(member=member_id, asked_by=user_id).first()
    return found if found is not None and at < found.kept_until else None


def opened(file: DataFile) -> IO[bytes] | None:
    """Open a file that was made; None where it is not there."""
    try:
        return _place(file.name).open("rb") if file.state == State.DONE else None
    except FileNotFoundError:
        return None


def make(file_id: int, *, clock: Callable[[], datetime]) -> bool:
    """Make a file that was asked for; false when there is nothing to do, or another worker does it.

    A database that goes away leaves it to be taken up again; any other error is its end.
    """
    with job_lock(file_id, DATA_FILES) as held:
        asked = DataFile.objects.filter(pk=file_id, state__in=_MOVING).first()
        if not held or asked is None:
            return False
        mine = DataFile.objects.filter(pk=file_id)
        mine.update(state=State.RUNNING, beat_at=clock())
        try:
            size = _write(asked, clock())
        except (OperationalError, InterfaceError):
            raise
        except Exception:
            logger.exception("file of personal data %s broke off", file_id)
            mine.update(state=State.FAILED)
            return True
        # The member may have been erased meanwhile: then there is no row, and no file either.
        if not mine.filter(state=State.RUNNING).update(state=State.DONE, made_at=clock(), size=size):
            _place(asked.name).unlink(missing_ok=True)
    return True


def take_up_stalled(*, at: datetime) -> list[int]:
    """Dispatch every file that waits or is made without a sign of life and that no live session works on."""
    return longjobs.take_up(DataFile.objects.all(), _MOVING, DATA_FILES, lambda _state: _TASK, at=at, made="asked_at")


def forget_old(at: datetime) -> int:
    """Delete files whose days are over, and what lies in the folder without a row; returns how many rows there were."""
    with transaction.atomic():
        over = list(DataFile.objects.filter(asked_at__lte=at - DataFile.KEPT))
        _forget(over)
    known = set(DataFile.objects.values_list("name", flat=True))
    for path in _folder().iterdir() if _folder().is_dir() else ():
        # Of a worker that died in the middle, or whose row went while it worked.
        stray = path.name.removesuffix(".part") not in known
        if stray and path.stat().st_mtime < (at - _STRAY_AFTER).timestamp():
            path.unlink(missing_ok=True)
    return len(over)


def _forget_files_of(erasure: Erasure) -> None:
    _forget(list(DataFile.objects.filter(member=erasure.member_id)))


ERASURE_RULES = ErasureRules(act=_forget_files_of)


def _forget(files: list[DataFile]) -> None:
    """Delete rows, and the files once that is committed."""
    DataFile.objects.filter(pk__in=[file.pk for file in files]).delete()
    for file in files:
        transaction.on_commit(partial(_place(file.name).unlink, missing_ok=True))


def _write(asked: DataFile, at: datetime) -> int:
    """Write the file to its place, whole or not at all; returns its size in bytes."""
    place = _place(asked.name)
    place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = place.with_suffix(".zip.part")
    with override(asked.language), everything_held(asked.member_id, at) as made, part.open("wb") as target:
        part.chmod(0o600)
        shutil.copyfileobj(made, target)
    part.replace(place)
    return place.stat().st_size


def _place(name: str) -> Path:
    return _folder() / name


def _folder() -> Path:
    """Nobody serves it."""
    return Path(settings.MEDIA_ROOT) / "personal"
