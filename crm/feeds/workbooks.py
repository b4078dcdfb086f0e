"""XLSX workbooks as rows of text cells, read as a stream and with limits on how far the archive may expand."""

import datetime as dt
import warnings
import xml.etree.ElementTree as ET
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from openpyxl import load_workbook
from openpyxl.utils.exceptions import InvalidFileException

from crm.feeds.records import UnreadableFile
from crm.feeds.tables import Row, header_of, is_blank

MAX_UNPACKED_BYTES = 2 * 1024**3
MAX_STRINGS_BYTES = 128 * 1024**2  # The one part of a workbook that has to be held in memory.
MAX_EXPANSION = 200
ALWAYS_ALLOWED_BYTES = 16 * 1024**2
MAX_ROWS = 1_048_576  # What the format itself allows.
MAX_CELL_LENGTH = 32_767
EXACT_BELOW = 1e15  # A larger number in a cell has lost its last digits.

_DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    KeyError,
    ValueError,
    IndexError,
    ET.ParseError,
    InvalidFileException,
)


def is_workbook(path: Path) -> bool:
    """Tell an XLSX workbook from other ZIP files. Raises ``UnreadableFile`` for an archive that is broken."""
    try:
        with zipfile.ZipFile(path) as archive:
            return "xl/workbook.xml" in archive.namelist()
    except zipfile.BadZipFile:
        raise UnreadableFile("damaged_archive") from None


def cell_text(value: Any) -> str:
    """Write a cell's value as a platform's CSV would: dates in full, numbers without an exponent.

    A number too large to be exact keeps its exponent, so that an order number ruined that way is recognised.
    """
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, float):
        if abs(value) >= EXACT_BELOW:
            return f"{value:.5E}"
        # Fifteen digits are what a spreadsheet shows; the rest is noise of binary fractions.
        return format(Decimal(f"{value:.15g}"), "f")
    if isinstance(value, dt.datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    if isinstance(value, dt.date):
        return f"{value:%Y-%m-%d}"
    return str(value)


def _refuse_bombs(path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        parts = archive.infolist()
    unpacked = sum(part.file_size for part in parts)
    strings = sum(part.file_size for part in parts if part.filename.lower().endswith("sharedstrings.xml"))
    bloated = any(
        part.file_size > ALWAYS_ALLOWED_BYTES and part.file_size > MAX_EXPANSION * max(part.compress_size, 1)
        for part in parts
    )
    if bloated or unpacked > MAX_UNPACKED_BYTES or strings > MAX_STRINGS_BYTES:
        raise UnreadableFile("expands_too_far")


@contextmanager
def _first_sheet(path: Path) -> Iterator[Any]:
    # By name, openpyxl would refuse a workbook that is not called .xlsx, and uploads are stored under names of ours.
    with path.open("rb") as file:
        with warnings.catch_warnings():
            # Platforms leave out the default style, which openpyxl finds worth a warning and we do not.
            warnings.simplefilter("ignore")
            book = load_workbook(file, read_only=True, data_only=True, keep_links=False)
        try:
            if not book.worksheets:
                raise UnreadableFile("empty")
            sheet = book.worksheets[0]
            # The stated dimension of a sheet is often wrong, and rows would be cut to it.
            sheet.reset_dimensions()
            yield sheet
        finally:
            book.close()


def _records(path: Path) -> Iterator[Row]:
    try:
        with _first_sheet(path) as sheet:
            for line_no, values in enumerate(sheet.iter_rows(values_only=True), start=1):
                if line_no > MAX_ROWS:
                    raise UnreadableFile("too_many_rows", limit=MAX_ROWS)
                cells = [cell_text(value) for value in values]
                if any(len(cell) > MAX_CELL_LENGTH for cell in cells):
                    raise UnreadableFile("record_too_long", line=line_no)
                if not is_blank(cells):
                    yield line_no, cells
    except _DAMAGE:
        raise UnreadableFile("damaged_archive") from None


@dataclass(frozen=True, slots=True)
class WorkbookTable:
    """The first sheet of a workbook as header and rows."""

    path: Path
    header: tuple[str, ...]
    encoding: str = "xlsx"
    delimiter: str = ""

    def rows(self) -> Iterator[Row]:
        """Yield each row after the header with its number in the sheet. Raises ``UnreadableFile``."""
        width = len(self.header)
        records = _records(self.path)
        next(records)
        for line_no, cells in records:
            # A workbook leaves out the empty cells at the end of a row, so a short row is nothing to worry about.
            yield line_no, cells + [""] * (width - len(cells))


def open_workbook(path: Path) -> WorkbookTable:
    """Open the first sheet of a workbook. Raises ``UnreadableFile``."""
    _refuse_bombs(path)
    for line_no, cells in _records(path):
        return WorkbookTable(path, header_of(cells, line_no))
    raise UnreadableFile("empty")
