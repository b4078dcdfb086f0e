"""One row of an uploaded table, read into a record, or refused with the place and the reason. Pure.

Points are money-like, so nothing is guessed here: a number that may mean two things is refused.
"""

import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, NamedTuple, TypeVar

from crm.filekit import CellError, Table, UnreadableFile, clean, fitted, is_blank, read_email, read_id, read_phone
from loyalty.grants import columns as c
from loyalty.grants.columns import Columns, find_columns

Value = TypeVar("Value")

MOST = 10_000_000  # Points in one row; more is a slip of the finger or a shifted column.
MAX_ROWS = 500_000
MAX_NAME, MAX_REASON = 120, 300
MAX_YEARS = 100  # From now; a later end of validity is a slip too.

_WHOLE = re.compile(r"[+-]?(?:[0-9]{1,15}|[0-9]{1,3}(?:,[0-9]{3}){1,4})(?:\.0{1,2})?\Z")
_DECIMAL = re.compile(r"[+-]?[0-9][0-9,]*\.[0-9]*\Z")
_DAY = re.compile(r"([0-9]{4})[-/.年]([0-9]{1,2})[-/.月]([0-9]{1,2})日?(?:[ T]+0{1,2}:00(?::00)?)?\Z")
# What no text of the database holds, or nobody can see.
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")


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


@dataclass(frozen=True, slots=True)
class RowProblem:
    """A row that is refused. ``who`` and ``contact`` are whom it seems to mean, the second an address or a phone."""

    line_no: int
    column: str
    code: str
    value: str
    who: str
    contact: str


def read_rows(table: Table, *, today: date) -> Iterator[GrantRecord | RowProblem]:
    """Read a table from its header on. ``today`` is the programme's day, before which no validity may end.

    Raises ``UnreadableFile`` for a header that does not say enough, and where the file turns out to be damaged.
    """
    return read_table(table, find_columns(table.header), lambda row: _record(row, today))


def read_table(
    table: Table, columns: Columns, read: "Callable[[Row], GrantRecord]"
) -> Iterator[GrantRecord | RowProblem]:
    """Read the rows of a table whose columns are known, each by ``read``. Raises ``UnreadableFile``."""
    rows = 0
    for line_no, cells in table.rows():
        if is_blank(cells):
            continue
        rows += 1
        if rows > MAX_ROWS:
            raise UnreadableFile("too_many_rows", limit=MAX_ROWS)
        try:
            yield read(Row(line_no, fitted(cells, len(table.header)), columns))
        except CellError as error:
            yield RowProblem(line_no, error.column, error.code, _visible(error.value), *_whom(cells, columns))
    if not rows:
        raise UnreadableFile("only_header")


class Whom(NamedTuple):
    """The names of a member that a row gives: at least one of them, apart from the channel."""

    channel: str
    name: str
    member_id: int | None
    email: str
    phone: str


@dataclass(frozen=True, slots=True)
class Row:
    """The cells of a row under their columns."""

    line_no: int
    cells: Sequence[str]
    columns: Columns

    def read(self, field: str, reader: Callable[[str], Value]) -> Value:
        """Read the cell of a field. Raises ``CellError`` with the name of its column."""
        cell = self.columns.cell(self.cells, field)
        try:
            return reader(_visible_only(cell))
        except CellError as error:
            error.column = self.columns.titles.get(field, "")
            raise

    def whom(self) -> Whom:
        """Read whom the row names. Raises ``CellError``, also when it names nobody."""
        whom = Whom(
            self.read(c.CHANNEL, _name), self.read(c.NAME, _name), self.read(c.MEMBER, read_member_id),
            self.read(c.EMAIL, read_email), self.read(c.PHONE, read_phone),
        )  # fmt: skip
        if whom.member_id is None and not (whom.name or whom.email or whom.phone):
            raise _nobody(self.cells, self.columns)
        return whom


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


def read_member_id(cell: str) -> int | None:
    """Read a member's number, with or without the # that pages write before it; None when the cell is empty.

    Raises ``CellError``: ``id_damaged``, ``member_unreadable``.
    """
    text = unicodedata.normalize("NFKC", read_id(cell)).strip().removeprefix("#")
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise CellError("member_unreadable", text)
    return int(text)


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


def _name(cell: str) -> str:
    return read_id(cell, MAX_NAME)


def _reason(cell: str) -> str:
    text = " ".join(clean(cell).split())
    if len(text) > MAX_REASON:
        raise CellError("value_too_long", text)
    return text


def _nobody(cells: Sequence[str], columns: Columns) -> CellError:
    """Why nobody is meant: nothing stands there, or a mail address or phone that is masked or cut."""
    for field in (c.EMAIL, c.PHONE):
        if text := columns.cell(cells, field).strip():
            return CellError("contact_unreadable", text, columns.titles[field])
    field = next(field for field in c.IDENTITIES if field in columns.titles)
    return CellError("nobody", "", columns.titles[field])


def _whom(cells: Sequence[str], columns: Columns) -> tuple[str, str]:
    """Whom a refused row seems to mean, as it stands there; rows that are cut short leave cells out."""

    def seen(field: str) -> str:
        place = columns.places.get(field, len(cells))
        return _visible(clean(cells[place]))[:MAX_NAME] if place < len(cells) else ""

    member = seen(c.MEMBER)
    name = " · ".join(filter(None, (seen(c.CHANNEL), seen(c.NAME)))) if seen(c.NAME) else ""
    return name or (f"#{member.removeprefix('#')}" if member else ""), seen(c.EMAIL) or seen(c.PHONE)


def _visible_only(cell: str) -> str:
    if _CONTROL.search(cell):
        raise CellError("control_characters", cell)
    return cell


def _visible(text: str) -> str:
    return _CONTROL.sub("\ufffd", text)
