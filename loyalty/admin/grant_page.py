"""What the page of a grant shows: made from the grant and its rows, without further decisions in the template."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from crm.adminkit import masked_email, masked_phone
from crm.filekit import Cell
from loyalty.grants.messages import describe_file, describe_row
from loyalty.grants.posting import Counts
from loyalty.grants.preview import Preview
from loyalty.models import Grant, GrantRow

State = Grant.State
ROWS_SHOWN = 50
SAMPLE = 5
MASK = "•••"
# What these say names a person by his phone or his mail address.
_OF_CONTACTS = ("contact_unreadable", "unknown_contact", "ambiguous_contact")
_AT_ONCE = 2_000


@dataclass(frozen=True, slots=True)
class ShownRow:
    """A row of a grant as a person reads it."""

    line_no: int
    member_id: int | None
    member: str
    who: str
    points: int
    column: str
    outcome: str
    reason: str


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a grant is. ``remaining`` is in seconds; None before the first batch."""

    done: int
    rows: int
    percent: int
    rate: int
    remaining: int | None


def shown_row(row: GrantRow, *, full: bool) -> ShownRow:
    """Prepare one row. ``full`` shows phones and mail addresses."""
    return ShownRow(
        line_no=row.line_no,
        member_id=row.member_id,
        member=str(row.member) if row.member else "",
        who=row.who or (row.contact if full else _masked(row.contact)),
        points=row.points,
        column=row.column,
        outcome=str(GrantRow.Outcome(row.outcome).label) if row.outcome else "",
        reason=_reason(row, full=full),
    )


def _masked(contact: str) -> str:
    return masked_email(contact) if "@" in contact else masked_phone(contact)


def _reason(row: GrantRow, *, full: bool) -> str:
    if not row.code:
        return ""
    hidden = row.code in _OF_CONTACTS and not full
    return describe_row(row.code, row.column, MASK if hidden and row.value else row.value)


def refused_rows(grant: Grant) -> "QuerySet[GrantRow]":
    """The rows that are not posted, those left out on purpose among them, in the order of the file."""
    return grant.rows.exclude(code="").select_related("member").order_by("line_no")


def short_rows(grant: Grant, *, full: bool) -> list[ShownRow]:
    """The first deductions for which a balance did not suffice at the check."""
    return _shown(grant.rows.filter(short=True), ROWS_SHOWN, full=full)


def sample_rows(grant: Grant, *, full: bool) -> list[ShownRow]:
    """The first rows that can be posted."""
    return _shown(grant.rows.filter(code="", before=None), SAMPLE, full=full)


def repeated_rows(grant: Grant, *, full: bool) -> list[ShownRow]:
    """The first rows that an earlier grant has given."""
    return _shown(grant.rows.filter(before__isnull=False), ROWS_SHOWN, full=full)


def _shown(rows: "QuerySet[GrantRow]", limit: int, *, full: bool) -> list[ShownRow]:
    return [shown_row(row, full=full) for row in rows.select_related("member").order_by("line_no")[:limit]]


def unreadable(grant: Grant) -> str:
    """Why the file cannot be read; "" when it can."""
    found = grant.inspection.get("unreadable")
    return describe_file(found["code"], found["params"]) if found else ""


def progress(grant: Grant) -> Progress:
    """Work out how far a grant is, from what is committed."""
    counts = Counts(**grant.counts)
    figures = Preview.from_json(grant.figures)
    rows = max(figures.usual.rows + figures.repeats.rows, counts.rows)
    rate = counts.rows / counts.seconds if counts.seconds > 0 else 0.0
    return Progress(
        done=counts.rows,
        rows=rows,
        percent=min(100, counts.rows * 100 // rows) if rows else 0,
        rate=round(rate),
        remaining=round((rows - counts.rows) / rate) if rate > 0 else None,
    )


def result(grant: Grant) -> list[tuple[Promise, int]]:
    """Name the figures of a grant that was run, in the order people ask for them."""
    counts = Counts(**grant.counts)
    figures = Preview.from_json(grant.figures)
    left_out = 0 if grant.with_duplicates else grant.rows.filter(code="duplicate").count()
    return [
        (gettext_lazy("Rows posted"), counts.given),
        (gettext_lazy("Points given"), counts.points_given),
        (gettext_lazy("Points taken away"), counts.points_taken),
        (gettext_lazy("Rows given before"), counts.repeated),
        (gettext_lazy("Rows refused"), counts.refused + figures.refused),
        *([(gettext_lazy("Duplicate rows left out"), left_out)] if left_out else []),
    ]


def titles() -> list[str]:
    """The columns of the report."""
    return [
        _("Line"), _("Member id"), _("Member"), _("Whom the row names"), _("Points"), _("Outcome"), _("Column"),
        _("Problem"),
    ]  # fmt: skip


def report(grant: Grant, *, full: bool, refused_only: bool) -> Iterator[Sequence[Cell]]:
    """Every row of a grant, or those that were refused, for a download; some thousand are held in memory at a time."""
    rows = refused_rows(grant) if refused_only else grant.rows.select_related("member").order_by("line_no")
    after = -1
    while page := list(rows.filter(line_no__gt=after)[:_AT_ONCE]):
        for row in page:
            shown = shown_row(row, full=full)
            outcome = shown.outcome or _expected(row)
            yield (
                shown.line_no,
                shown.member_id,
                shown.member,
                shown.who,
                shown.points,
                outcome,
                shown.column,
                shown.reason,
            )
        after = page[-1].line_no


def _expected(row: GrantRow) -> str:
    """What becomes of a row that has not had its turn."""
    if row.code:
        return _("Left out") if row.code == "duplicate" else _("Refused")
    return str(GrantRow.Outcome.REPEATED.label) if row.before_id else ""


def steps(grant: Grant, *, stalled: bool) -> dict[str, Any]:
    """Which steps the grant allows in its state; who may take them is the page's business."""
    started = bool(grant.next_seq)
    readable = not grant.inspection.get("unreadable")
    return {
        "can_confirm": grant.state == State.READY,
        "can_decide": grant.state == State.WAITING,
        "can_cancel": grant.state in (State.CHECKING, State.READY, State.WAITING, State.FAILED) and not started,
        "can_resume": readable and (grant.state == State.FAILED or stalled),
    }
