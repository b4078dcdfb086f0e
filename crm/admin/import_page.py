"""What the page of an import job shows: made from the job and its files, without further decisions in the template."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.utils.dateparse import parse_datetime
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from crm.feeds import Problem, UnreadableFile
from crm.feeds.messages import KIND_LABELS, describe
from crm.imports.counts import Counts
from crm.imports.uploads import imported_before
from crm.models import ImportFile, ImportJob, ImportProblem, PlatformTool
from crm.order_grades import ONCE_A_FILE

State = ImportJob.State
MASK = "•••"
PROBLEMS_A_PAGE = 50

# Columns that say nothing of a person. Everything else is masked for those who may not see personal data: an unknown
# column is more likely to hold an address than not.
_OPEN_COLUMNS = re.compile("编号|状态|金额|时间|标题|数量|价格|属性|(?<!邮政)编码")
_OPEN_FIELDS = frozenset(
    (
        "order_no", "status", "paid", "refunded", "placed_at", "paid_at", "shipped_at", "completed_at", "closed_at",
        "title", "sku", "line_title", "quantity", "unit_price", "line_amount", "line_refunded", "options",
        "payment_kind",
    )
)  # fmt: skip

# What is counted besides orders, mostly by the upper floors, in words.
EFFECTS: Mapping[str, Promise] = {
    "points_accrued": _("Points earned"),
    "points_pending": _("Points pending"),
    "points_matured": _("Points that became available"),
    "points_reversed": _("Points taken back"),
    "grades": _("Members with a new grade on another tool"),
}


@dataclass(frozen=True)
class ShownProblem:
    """A refused row as a person reads it."""

    file_name: str
    line_no: int
    column: str
    external_no: str
    reason: str


@dataclass(frozen=True)
class ShownFile:
    """One file of the job, before or after it is recorded."""

    file: ImportFile
    kind: str
    unreadable: str  # Why it cannot be read; "" when it can.
    header: Sequence[str]
    samples: Sequence[Sequence[str]]
    unknown: Sequence[str]
    problems: Sequence[ShownProblem]
    records: int
    rejected: int
    first_placed_at: datetime | None
    last_placed_at: datetime | None
    before: ImportFile | None  # The same content, imported earlier.
    grades: Sequence[str]  # What comes of the grades that tools read from order files.


@dataclass(frozen=True)
class Progress:
    """How far a job is. ``remaining`` is in seconds; None before the first batch."""

    done: int
    rows: int
    percent: int
    rate: int
    remaining: int | None


def is_open(column: str, mapped: Mapping[str, str]) -> bool:
    """Say whether a column may be shown to everybody. ``mapped`` has the profile's columns, by field."""
    if mapped:
        return column in {header for name, header in mapped.items() if name in _OPEN_FIELDS}
    return bool(_OPEN_COLUMNS.search(column))


def mapped_columns(job: ImportJob) -> Mapping[str, str]:
    """Return the columns of the job's profile by field; nothing without one."""
    columns: Mapping[str, str] = job.profile.settings.get("columns", {}) if job.profile else {}
    return columns


def tools_reading(job: ImportJob) -> list[PlatformTool]:
    """The tools whose grades come with the orders of a job's channel."""
    return list(PlatformTool.objects.filter(channel=job.channel_id, from_orders=True))


def grades_in_words(found: Mapping[str, Any], tools: Sequence[PlatformTool]) -> list[str]:
    """What a file brings of the grades that these tools read from order files. Nothing of one that is not read."""
    said = []
    for tool in tools if found.get("header") else ():
        facts = {"tool": tool.name, "column": tool.order_column}
        if tool.order_column in found["recognised"]:
            text = _("“%(tool)s”: no grades, because the import reads column “%(column)s” as a field of the order.")
        elif tool.order_column not in found["header"]:
            text = _("“%(tool)s”: no grades, because the file has no column “%(column)s”.")
        elif found["kind"] == "taobao_details":
            text = _(
                "“%(tool)s”: no grades, because this list does not name the buyers. Import the order list as well."
            )
        else:
            text = _("“%(tool)s”: grades are read from column “%(column)s”.")
        said.append(str(text) % facts)
    return said


def shown_file(job: ImportJob, file: ImportFile, tools: Sequence[PlatformTool], *, full: bool) -> ShownFile:
    """Prepare one file for the preview. ``full`` shows personal data."""
    found: dict[str, Any] = file.inspection
    mapped = mapped_columns(job)
    header: list[str] = found.get("header", [])
    shown = [full or is_open(column, mapped) for column in header]
    samples = [
        [
            cell if not cell or place >= len(shown) or shown[place] else MASK
            for place, cell in enumerate(row[: len(header)])
        ]
        for row in found.get("samples", [])
    ]
    problems = [
        shown_problem(file.name, Problem(**problem), mapped, full=full) for problem in found.get("problems", [])
    ]
    unreadable = found.get("unreadable")
    return ShownFile(
        file=file,
        kind=str(KIND_LABELS.get(file.format, "")),
        unreadable=describe(UnreadableFile(unreadable["code"], **unreadable["params"])) if unreadable else "",
        header=header,
        samples=samples,
        unknown=found.get("unknown", []),
        problems=problems,
        records=found.get("records", 0),
        rejected=found.get("rejected_rows", 0),
        first_placed_at=parse_datetime(found.get("first_placed_at") or ""),
        last_placed_at=parse_datetime(found.get("last_placed_at") or ""),
        before=imported_before(file) if job.state == State.READY else None,
        grades=grades_in_words(found, tools),
    )


def masked(problem: Problem, mapped: Mapping[str, str], *, full: bool) -> Problem:
    """Take the value out of a problem that stands in a column with personal data."""
    if full or is_open(problem.column, mapped) or problem.code in ONCE_A_FILE:
        return problem
    return replace(problem, value=MASK if problem.value else "")


def shown_problem(file_name: str, problem: Problem, mapped: Mapping[str, str], *, full: bool) -> ShownProblem:
    """Prepare one problem for a table."""
    reason = describe(masked(problem, mapped, full=full))
    return ShownProblem(file_name, problem.line_no, problem.column, problem.external_no, reason)


def stored_problem(row: ImportProblem) -> Problem:
    """Return what was stored of a refused row as the feed gave it."""
    return Problem(row.line_no, row.column, row.code, row.value, row.external_no)


def progress(files: Sequence[ImportFile]) -> Progress:
    """Work out how far the files of a job are, from what is committed."""
    counts = [Counts.from_json(file.counts) for file in files]
    done, rows = sum(count.rows for count in counts), sum(file.rows for file in files)
    seconds = sum(count.seconds for count in counts)
    rate = done / seconds if seconds > 0 else 0.0
    return Progress(
        done=done,
        rows=rows,
        percent=min(100, done * 100 // rows) if rows else 0,
        rate=round(rate),
        remaining=round((rows - done) / rate) if rate > 0 else None,
    )


def figures(counts: Counts) -> list[tuple[Promise, int]]:
    """Name the figures of a finished import, in the order people ask for them."""
    own = [
        (_("New orders"), counts.orders_new),
        (_("Updated orders"), counts.orders_updated),
        (_("Unchanged orders"), counts.orders_unchanged),
        (_("New members"), counts.members_new),
        (_("Refunds"), counts.refunds),
    ]
    effects = [
        (label, counts.effects.get(name, 0))
        for name, label in EFFECTS.items()
        # Most shops have no tool that reads orders.
        if name != "grades" or name in counts.effects
    ]
    return [*own, *effects, (_("Refused rows"), counts.rejected)]
