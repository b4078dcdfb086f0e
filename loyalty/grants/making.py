"""Making a grant: from an uploaded file, from members chosen on a list, or from an adjustment above the limit."""

import hashlib
import json
import logging
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

from django.core.files.uploadedfile import UploadedFile
from django.db import InterfaceError, OperationalError, transaction
from django.db.models import QuerySet

from crm.api import job_lock, log_action
from crm.filekit import MAX_ROWS, Columns, Table, UnreadableFile, open_table, shown_name
from loyalty.grants.messages import BROKE_OFF, FILE_GONE
from loyalty.grants.preview import preview, weigh
from loyalty.grants.rows import point_columns, read_rows
from loyalty.grants.staging import forget_records, stage_members, stage_records, write_rows
from loyalty.models import Grant, GrantRow
from loyalty.validity import programme_zone

logger = logging.getLogger(__name__)

LOCKS = 0x1B0D  # Grants among the locks of jobs.
MAX_BYTES = 50 * 1024**2
State = Grant.State


class TooManyMembers(Exception):
    """More members were chosen than one grant may have."""


def upload(
    file: "UploadedFile[Any]", *, actor_id: int, at: datetime, source: Grant.Source = Grant.Source.FILE
) -> Grant:
    """Keep an uploaded file as a new grant that waits to be checked.

    It lies under a name of ours, which nothing serves, and is deleted once its rows are in the database.
    """
    digest = hashlib.sha256()
    for chunk in file.chunks():
        digest.update(chunk)
    file.seek(0)
    name = shown_name(file.name or "")
    with transaction.atomic():
        grant = Grant(source=source, made_by_id=actor_id, made_at=at, name=name, sha256=digest.hexdigest())
        grant.file.save(f"{secrets.token_hex(16)}.upload", file, save=False)
        grant.save()
        log_action("grant.make", actor_id=actor_id, at=at, grant=grant.pk, file=name)
    return grant


# Stages what a table says, and names its columns. Runs in the transaction of the check.
StageTable = Callable[[Grant, Table, datetime], Columns]
# Looks at the rows that were made of it.
JudgeRows = Callable[[Grant, datetime], None]


@dataclass(frozen=True, slots=True)
class Reading:
    """How the files of one source are read. ``judge`` may change what the check thinks of the rows."""

    stage: StageTable
    judge: JudgeRows | None = None


def check(grant_id: int, *, at: datetime, readings: Mapping[Grant.Source, Reading] | None = None) -> None:
    """Read the file of a grant into its rows; then it waits for confirmation, or it has failed.

    Does nothing to a grant that is not waiting for this, or that another worker is checking. A database that goes away
    leaves it as it is, to be taken up again; any other error marks it as failed. ``readings`` says how files of other
    sources than plain points are read.
    """
    with job_lock(grant_id, LOCKS) as held:
        grant = Grant.objects.get(pk=grant_id)
        if not held or grant.state != State.CHECKING:
            return
        try:
            with transaction.atomic():
                _read_file(grant, (readings or {}).get(Grant.Source(grant.source), _POINTS), at)
        except UnreadableFile as error:
            params = {name: str(value) for name, value in error.params.items()}
            _failed(grant, at, inspection={"unreadable": {"code": error.code, "params": params}})
            grant.file.delete(save=False)
        except (OperationalError, InterfaceError):
            raise
        except Exception:
            logger.exception("the check of grant %s broke off", grant_id)
            _failed(grant, at, error=BROKE_OFF)


def _read_file(grant: Grant, reading: Reading, at: datetime) -> None:
    if not grant.file or not Path(grant.file.path).exists():
        _failed(grant, at, error=FILE_GONE)
        return
    table = open_table(Path(grant.file.path))
    columns = reading.stage(grant, table, at)
    grant.encoding = table.encoding
    grant.inspection = {"columns": dict(columns.titles), "ignored": list(columns.ignored)}
    _ready(grant, columns.titles, at, reading.judge)
    transaction.on_commit(lambda: grant.file.delete(save=False))


def _stage_points(grant: Grant, table: Table, at: datetime) -> Columns:
    stage_records(read_rows(table, today=at.astimezone(programme_zone()).date()))
    return point_columns(table.header)


_POINTS = Reading(_stage_points)


def _ready(grant: Grant, titles: Mapping[str, str], at: datetime, judge: JudgeRows | None = None) -> None:
    """Make the rows of what was staged, and wait for the maker's word."""
    write_rows(grant.pk, titles, at=at)
    if judge is not None:
        judge(grant, at)
    forget_records()
    weight = weigh(grant.pk, with_duplicates=False, with_repeats=False)
    grant.figures = preview(grant.pk).as_json()
    grant.points_moved, grant.largest = weight.total, weight.largest
    grant.state, grant.beat_at = State.READY, at
    grant.save()


def _failed(grant: Grant, at: datetime, *, inspection: dict[str, Any] | None = None, error: str = "") -> None:
    grant.state, grant.finished_at, grant.error = State.FAILED, at, error
    grant.inspection = inspection or {}
    grant.save(update_fields=["state", "finished_at", "error", "inspection"])


def choose(chosen: "QuerySet[Any]", points: int, *, valid_through: date | None, actor_id: int, at: datetime) -> Grant:
    """Make a grant of ``points`` for each of the chosen members; it waits for the maker's confirmation at once.

    Raises TooManyMembers.
    """
    with transaction.atomic():
        grant = Grant.objects.create(
            made_by_id=actor_id, made_at=at, source=Grant.Source.MEMBERS, inspection={"points": points}
        )
        members = stage_members(chosen, points, valid_through)
        if members > MAX_ROWS:
            raise TooManyMembers
        _ready(grant, {}, at)
        log_action("grant.make", actor_id=actor_id, at=at, grant=grant.pk, members=members, points=points)
    return grant


def propose_adjustment(
    member_id: int, points: int, *, token: str, reason: str, actor_id: int, at: datetime, limits: tuple[int, int]
) -> tuple[Grant, bool]:
    """Have an adjustment of one account wait for a second person; ``limits`` are those for a grant and for a member.

    The second answer is false when the same ``token`` has done so already.
    """
    with transaction.atomic():
        grant, made = Grant.objects.get_or_create(
            token=token,
            defaults={
                "made_by_id": actor_id,
                "made_at": at,
                "confirmed_at": at,
                "source": Grant.Source.ADJUSTMENT,
                "state": State.WAITING,
                "reason": reason,
                "points_moved": abs(points),
                "largest": abs(points),
                "total_limit": limits[0],
                "member_limit": limits[1],
            },
        )
        if made:
            fact = hashlib.sha256(json.dumps(["adjustment", member_id, token]).encode()).digest()
            GrantRow.objects.create(
                grant=grant, line_no=1, seq=1, who=f"#{member_id}", member_id=member_id, points=points, fact=fact
            )
            grant.figures = preview(grant.pk).as_json()
            grant.save(update_fields=["figures"])
            log_action(
                "grant.confirm", actor_id=actor_id, at=at, reason=reason, member_id=member_id, grant=grant.pk,
                points=points,
            )  # fmt: skip
    return grant, made
