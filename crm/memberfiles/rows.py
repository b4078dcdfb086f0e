"""One row of an uploaded table, read into a record, or refused with the place and the reason. Pure."""

import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

from crm.feeds.cells import CellError, clean, read_email, read_id, read_phone
from crm.feeds.records import UnreadableFile
from crm.feeds.tables import Table, fitted, is_blank
from crm.memberfiles import columns as c
from crm.memberfiles.columns import Columns

Value = TypeVar("Value")
Record = TypeVar("Record")

MAX_ROWS = 500_000
MAX_NAME = 120

# What no text of the database holds, or nobody can see.
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")


class Whom(NamedTuple):
    """The names of a member that a row gives: at least one of them, apart from the channel."""

    channel: str
    name: str
    member_id: int | None
    email: str
    phone: str


@dataclass(frozen=True, slots=True)
class RowProblem:
    """A row that is refused. ``who`` and ``contact`` are whom it seems to mean, the second an address or a phone."""

    line_no: int
    column: str
    code: str
    value: str
    who: str
    contact: str


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


def read_table(table: Table, columns: Columns, read: Callable[[Row], Record]) -> Iterator[Record | RowProblem]:
    """Read the rows of a table whose columns are known, each by ``read``.

    Raises ``UnreadableFile``, also where the file turns out to be damaged.
    """
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
            yield RowProblem(line_no, error.column, error.code, visible(error.value), *_seemingly(cells, columns))
    if not rows:
        raise UnreadableFile("only_header")


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


def read_text(cell: str, longest: int) -> str:
    """Read a text of one line. Raises ``CellError``: ``value_too_long``."""
    text = " ".join(clean(cell).split())
    if len(text) > longest:
        raise CellError("value_too_long", text)
    return text


def visible(text: str) -> str:
    """A text in which what cannot be stored or seen is marked."""
    return _CONTROL.sub("\ufffd", text)


def _visible_only(cell: str) -> str:
    if _CONTROL.search(cell):
        raise CellError("control_characters", cell)
    return cell


def _name(cell: str) -> str:
    return read_id(cell, MAX_NAME)


def _nobody(cells: Sequence[str], columns: Columns) -> CellError:
    """Why nobody is meant: nothing stands there, or a mail address or phone that is masked or cut."""
    for field in (c.EMAIL, c.PHONE):
        if text := columns.cell(cells, field).strip():
            return CellError("contact_unreadable", text, columns.titles[field])
    field = next(field for field in c.IDENTITIES if field in columns.titles)
    return CellError("nobody", "", columns.titles[field])


def _seemingly(cells: Sequence[str], columns: Columns) -> tuple[str, str]:
    """Whom a refused row seems to mean, as it stands there; rows that are cut short leave cells out."""

    def seen(field: str) -> str:
        place = columns.places.get(field, len(cells))
        return visible(clean(cells[place]))[:MAX_NAME] if place < len(cells) else ""

    member = seen(c.MEMBER)
    name = " · ".join(filter(None, (seen(c.CHANNEL), seen(c.NAME)))) if seen(c.NAME) else ""
    return name or (f"#{member.removeprefix('#')}" if member else ""), seen(c.EMAIL) or seen(c.PHONE)
