"""Everything that the shop holds about a member, as one file: tables for people, and the same once more for programs.

A ZIP with a text that says what is what, a CSV for each table with something in it, and one JSON document with all of
them. It is written to the disk table by table, in one reading of each, so that memory stays small.
"""

import io
import json
import shutil
import tempfile
import zipfile
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from typing import IO

from django.conf import settings
from django.utils import timezone
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from crm.personal.reading import as_cell, as_json, column_titles, readable, rows_of
from crm.personal.registry import PersonalTable, personal_tables
from crm.tablefiles import csv_line

DOCUMENT = "everything.json"
GUIDE = "README.txt"
# Without it, Excel takes UTF-8 for the local encoding and shows Chinese as noise.
_BOM = "\ufeff"


@dataclass(frozen=True, slots=True)
class _Written:
    table: PersonalTable
    rows: int


def shown_tables() -> list[PersonalTable]:
    """Return the tables that are in the file."""
    return [table for table in personal_tables() if table.fields]


def everything_held(member_id: int, at: datetime) -> IO[bytes]:
    """The file on disk, without a name, ready to be read; it is gone when it is closed. Titles are in the language of
    the page; one query for each table."""
    with ExitStack() as stack:
        file = stack.enter_context(tempfile.TemporaryFile())
        with tempfile.TemporaryFile("w+b") as scratch, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:
            document = io.TextIOWrapper(scratch, encoding="utf-8", write_through=True)
            head = {"shop": settings.SHOP_NAME, "member": member_id, "made_at": at.isoformat()}
            document.write(f'{json.dumps(head, ensure_ascii=False)[:-1]}, "tables": {{')
            written = []
            for place, table in enumerate(shown_tables()):
                document.write(f"{',' if place else ''}\n{json.dumps(table.name)}: [")
                written.append(_Written(table, _write(packed, document, table, member_id, at)))
                document.write("]")
            document.write("\n}}\n")
            scratch.seek(0)
            with packed.open(_entry(DOCUMENT, at), "w") as target:
                shutil.copyfileobj(scratch, target)
            packed.writestr(_entry(GUIDE, at), _BOM + _guide(member_id, written, at))
            document.detach()
        file.seek(0)
        stack.pop_all()  # Whoever reads it closes it.
        return file


def _write(
    packed: zipfile.ZipFile, document: io.TextIOWrapper, table: PersonalTable, member_id: int, at: datetime
) -> int:
    """Write the rows of a table to both; return how many there were. A table without rows is in the document only."""
    rows = rows_of(table, member_id)
    first = next(rows, None)
    if first is None:
        return 0
    labels, number = readable(table), 0
    with packed.open(_entry(f"{table.name}.csv", at), "w") as target:
        target.write((_BOM + csv_line(column_titles(table))).encode())
        for row in chain([first], rows):
            cells = [as_cell(value, known) for value, known in zip(row, labels, strict=True)]
            target.write(csv_line(cells).encode())
            document.write(f"{',' if number else ''}\n{as_json(table, row)}")
            number += 1
    return number


def _entry(name: str, at: datetime) -> zipfile.ZipInfo:
    """A file in the ZIP with the time it was made at; without one, programs show 1980."""
    moment = timezone.localtime(at)
    entry = zipfile.ZipInfo(name, (moment.year, moment.month, moment.day, moment.hour, moment.minute, moment.second))
    entry.compress_type = zipfile.ZIP_DEFLATED
    return entry


def _guide(member_id: int, written: list[_Written], at: datetime) -> str:
    """What is in the file, for people."""
    lines = [
        _("What %(shop)s holds about you") % {"shop": settings.SHOP_NAME},
        "",
        _("Your number here: %(member)s. Made on %(day)s.")
        % {"member": member_id, "day": f"{timezone.localtime(at):%Y-%m-%d %H:%M}"},
        "",
        _("The tables can be opened in any spreadsheet. %(document)s has all of them once more, for programs.")
        % {"document": DOCUMENT},
        "",
    ]
    for table in written:
        if table.rows:
            said = ngettext("%(rows)s row", "%(rows)s rows", table.rows) % {"rows": table.rows}
            lines.append(f"{table.table.name}.csv – {capfirst(table.table.shown_title())} ({said})")
    lines += [
        "",
        _(
            "Not in here: one-time codes, of which the shop keeps only a hash for ten minutes, and files of orders "
            "that the shop has uploaded, in which you are one of many; what they said of you stands in these tables."
        ),
    ]
    if settings.SHOP_CONTACT:
        lines += ["", _("Questions about it: %(contact)s") % {"contact": settings.SHOP_CONTACT}]
    return "\r\n".join([*lines, ""])
