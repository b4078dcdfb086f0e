"""Columns of the tables that staff upload to the store, found by their titles in Chinese or English, and their rows."""

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from crm.filekit import UnreadableFile, file_in_words, is_blank, open_table

_NOISE = re.compile(r"[\s_\-:;.*/()\[\]]+")
_SHOWN = 20

UNREADABLE: Mapping[str, Promise] = MappingProxyType(
    {
        "columns_missing": _(
            "The first row has to name the columns. Missing: %(missing)s. Found: %(found)s."
        ),
        "too_many_rows": _("The file has more than %(limit)s rows. Split it into several files."),
    }
)  # fmt: skip

Titles = Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True)
class TableRow:
    """A row that is not blank: its line in the file, and the cells of the fields that were asked for."""

    line_no: int
    cells: Mapping[str, str]


def read_columns(
    path: Path, titles: Titles, *, most: int, optional: Titles = MappingProxyType({})
) -> Iterator[TableRow]:
    """Yield the rows of a table, at most ``most``, with the cells of the columns that ``titles`` name, trimmed.

    The first title of a field is the one that refusals ask for; columns of ``optional`` may be missing. A row that
    ends early has empty cells. Raises ``UnreadableFile`` where the file as a whole is of no use; what that means,
    ``whole_file_in_words`` says.
    """
    table = open_table(path)
    fields = {_plain(title): field for field, names in (*titles.items(), *optional.items()) for title in names}
    places: dict[str, int] = {}
    for place, title in enumerate(table.header):
        field = fields.get(_plain(title))
        if field is not None and field in places:
            raise UnreadableFile("double_column", first=table.header[places[field]], second=title)
        if field is not None:
            places[field] = place
    if missing := [names[0] for field, names in titles.items() if field not in places]:
        found = ", ".join(title for title in table.header[:_SHOWN] if title)
        raise UnreadableFile("columns_missing", missing=", ".join(missing), found=found or "–")
    rows = 0
    for line_no, cells in table.rows():
        if is_blank(cells):
            continue
        rows += 1
        if rows > most:
            raise UnreadableFile("too_many_rows", limit=f"{most:,}")
        yield TableRow(line_no, {field: _cell(cells, place) for field, place in places.items()})
    if not rows:
        raise UnreadableFile("only_header")


def whole_file_in_words(error: UnreadableFile) -> str:
    """Say why a file cannot be read at all, and what to do."""
    return file_in_words(UNREADABLE, error.code, {name: str(value) for name, value in error.params.items()})


def _cell(cells: Sequence[str], place: int) -> str:
    return cells[place].strip().lstrip("\ufeff") if place < len(cells) else ""


def _plain(title: str) -> str:
    """A title without regard to case, width, blanks and punctuation."""
    return _NOISE.sub("", unicodedata.normalize("NFKC", title).casefold())
