"""One row of an uploaded table of points, read into a record, or refused with the place and the reason. Pure.

Points are money-like, so nothing is guessed here: a number that may mean two things is refused.
"""

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from crm.filekit import CellError, Columns, Row, RowProblem, Table, clean, find_columns, read_table, read_text
from loyalty.grants import columns as c

MOST = 10_000_000  # Points in one row; more is a slip of the finger or a shifted column.
MAX_REASON = 300
MAX_YEARS = 100  # From now; a later end of validity is a slip too.

_WHOLE = re.compile(r"[+-]?(?:[0-9]{1,15}|[0-9]{1,3}(?:,[0-9]{3}){1,4})(?:\.0{1,2})?\Z")
_DECIMAL = re.compile(r"[+-]?[0-9][0-9,]*\.[0-9]*\Z")
_DAY = re.compile(r"([0-9]{4})[-/.年]([0-9]{1,2})[-/.月]([0-9]{1,2})日?(?:[ T]+0{1,2}:00(?::00)?)?\Z")


@dataclass(frozen=True, slots=True)
class GrantRecord:
    """What a row says: whom it means, by one name or several, and how many points (signed). ``valid_through`` is the
    last day on which the points can be spent, ``detail`` what the points were worked out from."""

    line_no: int
    channel: str
    name: str
    member_id: int | None
    email: str
    phone: str
    points: int
    reason: str
    valid_through: date | None
    detail: Mapping[str, Any] | None = None


def point_columns(header: Sequence[str]) -> Columns:
    """Recognise the columns of a table of points. Raises ``UnreadableFile``."""
    return find_columns(header, c.TITLES, c.POINTS, "grant_columns")


def read_rows(table: Table, *, today: date) -> Iterator[GrantRecord | RowProblem]:
    """Read a table from its header on. ``today`` is the programme's day, before which no validity may end.

    Raises ``UnreadableFile`` for a header that does not say enough, and where the file turns out to be damaged.
    """
    return read_table(table, point_columns(table.header), lambda row: _record(row, today))


def _record(row: Row, today: date) -> GrantRecord:
    whom = row.whom()
    record = GrantRecord(
        row.line_no,
        *whom,
        points=row.read(c.POINTS, read_points),
        reason=row.read(c.REASON, _reason),
        valid_through=row.read(c.VALID_THROUGH, lambda cell: read_day(cell, today)),
    )
    if record.points < 0 and record.valid_through is not None:
        raise CellError("validity_of_deduction", "", row.columns.titles[c.VALID_THROUGH])
    return record


def read_points(cell: str) -> int:
    """Read a whole number of points, signed; full-width digits and thousands marks are understood.

    Raises ``CellError``: ``points_missing``, ``formula``, ``points_not_whole``, ``points_unreadable``, ``points_zero``,
    ``points_too_many``.
    """
    text = unicodedata.normalize("NFKC", clean(cell)).strip().replace("\u2212", "-")
    if not text:
        raise CellError("points_missing")
    if text.startswith("="):
        raise CellError("formula", text)
    if not _WHOLE.match(text):
        raise CellError("points_not_whole" if _DECIMAL.match(text) else "points_unreadable", text)
    points = int(text.partition(".")[0].replace(",", ""))
    if not points:
        raise CellError("points_zero", text)
    if abs(points) > MOST:
        raise CellError("points_too_many", text)
    return points


def read_day(cell: str, today: date) -> date | None:
    """Read a day such as 2026-12-31, 2026/12/31 or 2026年12月31日; None when the cell is empty.

    Raises ``CellError``: ``day_unreadable``, ``day_over`` for a day that is past, ``day_too_late``.
    """
    text = unicodedata.normalize("NFKC", clean(cell)).strip()
    if not text:
        return None
    match = _DAY.match(text)
    try:
        day = date(*map(int, match.groups())) if match else None
    except ValueError:
        day = None
    if day is None:
        raise CellError("day_unreadable", text)
    if day < today:
        raise CellError("day_over", text)
    if day.year > today.year + MAX_YEARS:
        raise CellError("day_too_late", text)
    return day


def _reason(cell: str) -> str:
    return read_text(cell, MAX_REASON)
