"""Tables as files that people open in a spreadsheet: CSV piece by piece, XLSX without holding it in memory."""

import csv
import io
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from typing import IO, Any

from openpyxl import Workbook
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE

from crm.imports.cells import guarded

Cell = str | int | None

ROWS_A_SHEET = 1_048_576  # What the format allows, the titles included.
_BOM = "\ufeff"  # Without it, Excel takes UTF-8 for the local encoding and shows Chinese as noise.


def csv_pieces(titles: Sequence[str], rows: Iterable[Sequence[Cell]]) -> Iterator[str]:
    """The file as text, piece by piece: the byte order mark with the titles, then one piece a row."""
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(titles)
    yield _BOM + _taken(buffer)
    for row in rows:
        writer.writerow([_safe(cell) for cell in row])
        yield _taken(buffer)


def csv_line(cells: Sequence[Cell]) -> str:
    """One row as text, its end included."""
    buffer = io.StringIO()
    csv.writer(buffer).writerow([_safe(cell) for cell in cells])
    return buffer.getvalue()


def xlsx_file(titles: Sequence[str], rows: Iterable[Sequence[Cell]]) -> IO[bytes]:
    """The file on disk, without a name, ready to be read; it is gone when it is closed. A full sheet is followed by
    another one."""
    book = Workbook(write_only=True)
    free = 0
    for row in rows:
        if not free:
            sheet = _new_sheet(book, titles)
            free = ROWS_A_SHEET - 1
        sheet.append([_safe(cell) for cell in row])
        free -= 1
    if not book.worksheets:
        _new_sheet(book, titles)
    with ExitStack() as stack:
        file = stack.enter_context(tempfile.TemporaryFile())
        book.save(file)
        file.seek(0)
        stack.pop_all()  # Whoever reads it closes it.
        return file


def _new_sheet(book: Workbook, titles: Sequence[str]) -> Any:
    sheet = book.create_sheet()
    sheet.append(list(titles))
    return sheet


def _safe(cell: Cell) -> Cell:
    """Text that no program takes for a formula, and without characters that a workbook cannot hold."""
    return guarded(ILLEGAL_CHARACTERS_RE.sub("", cell)) if isinstance(cell, str) else cell


def _taken(buffer: io.StringIO) -> str:
    text = buffer.getvalue()
    buffer.seek(0)
    buffer.truncate()
    return text
