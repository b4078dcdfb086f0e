"""What a feed reads from: a header and rows of text cells, whether the file is delimited text or a workbook."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Protocol, TypeAlias, TypeVar

from crm.feeds.cells import CellError
from crm.feeds.records import UnreadableFile

Value = TypeVar("Value")
Row: TypeAlias = tuple[int, list[str]]  # The line where it begins, counted from 1, and its cells.
# The widest exports have some eighty. What has this many is no table, and every row of it would have as many cells.
MAX_COLUMNS = 1000


class Table(Protocol):
    """A file whose header has been read."""

    @property
    def encoding(self) -> str:
        """How the text is encoded; "xlsx" for a workbook."""

    @property
    def delimiter(self) -> str:
        """What parts the cells; "" for a workbook."""

    @property
    def header(self) -> tuple[str, ...]:
        """The column names without the blanks around them."""

    def rows(self) -> Iterator[Row]:
        """Yield the rows after the header. Each call reads the file again from its beginning."""


def header_of(cells: Iterable[str], line_no: int) -> tuple[str, ...]:
    """Take column names from the header's cells: stripped, and without the empty ones at the end.

    Raises ``UnreadableFile`` when there are more of them than ``MAX_COLUMNS``.
    """
    names = [cell.strip().lstrip("\ufeff").strip() for cell in cells]
    while names and not names[-1]:
        names.pop()
    if len(names) > MAX_COLUMNS:
        raise UnreadableFile("record_too_long", line=line_no)
    return tuple(names)


def is_blank(cells: Iterable[str]) -> bool:
    """Tell a row of nothing but empty cells, as spreadsheets leave them at the end of a file."""
    return not any(cell.strip() for cell in cells)


def fitted(cells: list[str], width: int) -> list[str]:
    """Give a row as many cells as the header has; empty cells too many are normal (a comma at the end of the line).

    Raises ``CellError``: ``short_row`` (the file may be cut off), ``extra_cells`` (a comma or quote is not escaped).
    """
    if len(cells) < width:
        raise CellError("short_row", str(len(cells)))
    if not is_blank(cells[width:]):
        raise CellError("extra_cells", next(cell for cell in cells[width:] if cell.strip()))
    return cells[:width]


class Columns:
    """The columns of one header, found by name. Of columns with the same name the first one counts."""

    def __init__(self, header: tuple[str, ...]) -> None:
        self.header = header
        self.width = len(header)
        self._places: dict[str, int] = {}
        for place, name in enumerate(header):
            if name:
                self._places.setdefault(name, place)

    def find(self, *names: str) -> int | None:
        """Give the place of the first of these names that the header has."""
        return next((self._places[name] for name in names if name in self._places), None)

    def name(self, place: int | None) -> str:
        """Give the name of the column at a place; "" for one that the header lacks."""
        return "" if place is None else self.header[place]

    def read(self, cells: list[str], place: int | None, reader: Callable[[str], Value]) -> Value:
        """Read the cell at a place; a column that the header lacks reads as an empty cell.

        Raises what the reader raises, with the column's name.
        """
        try:
            return reader("" if place is None else cells[place])
        except CellError as error:
            error.column = self.name(place)
            raise

    def rest(self, *used: int | None) -> Mapping[str, int]:
        """Name every column but the ``used`` ones, with its place; a name that comes again is marked with *."""
        names: dict[str, int] = {}
        for place, name in enumerate(self.header):
            if place not in used:
                label = name or f"#{place + 1}"
                while label in names:
                    label += "*"
                names[label] = place
        return names
