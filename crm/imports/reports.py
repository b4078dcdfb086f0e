"""Refused rows as a file that people open in a spreadsheet."""

import csv
import io
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from django.utils.translation import gettext as _

from crm.feeds.messages import describe
from crm.feeds.records import Problem
from crm.imports.cells import guarded

_BOM = "\ufeff"  # Without it, Excel takes UTF-8 for the local encoding and shows Chinese as noise.


@dataclass(frozen=True, slots=True)
class RefusedRow:
    """A refused row and the file it stands in."""

    file_name: str
    problem: Problem


def header() -> list[str]:
    """Return the column titles in the current language."""
    return [_("File"), _("Line"), _("Column"), _("Reason"), _("Order number"), _("Value")]


def cells(row: RefusedRow) -> list[str]:
    """Return one refused row as cells that are safe to open."""
    problem = row.problem
    return [
        guarded(row.file_name),
        str(problem.line_no),
        guarded(problem.column),
        guarded(str(describe(problem))),
        guarded(problem.external_no),
        guarded(problem.value),
    ]


def csv_lines(rows: Iterable[RefusedRow]) -> Iterator[str]:
    """Give the file piece by piece: the byte order mark with the titles, then one piece a row."""
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(header())
    yield _BOM + _taken(buffer)
    for row in rows:
        writer.writerow(cells(row))
        yield _taken(buffer)


def _taken(buffer: io.StringIO) -> str:
    text = buffer.getvalue()
    buffer.seek(0)
    buffer.truncate()
    return text


class RefusedRowsFile:
    """A file of refused rows that comes into being with the first of them, readable by its owner only."""

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self.written = 0
        self._file: io.TextIOBase | None = None

    def __enter__(self) -> "RefusedRowsFile":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()

    def add(self, rows: Iterable[RefusedRow]) -> None:
        """Append refused rows; without a path they are only counted."""
        for row in rows:
            self.written += 1
            if self.path is None:
                continue
            if self._file is None:
                self._file = self._open(self.path)
            csv.writer(self._file).writerow(cells(row))

    @staticmethod
    def _open(path: Path) -> io.TextIOBase:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        file = os.fdopen(descriptor, "w", encoding="utf-8-sig", newline="")
        csv.writer(file).writerow(header())
        return file
