"""Walking through the rows of a table: one record a row, or one record a run of neighbouring rows of the same order."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import ClassVar, Protocol, TypeAlias

from crm.feeds.cells import CellError
from crm.feeds.records import OrderRecord, Problem
from crm.feeds.tables import Columns, Row, fitted, is_blank

Item: TypeAlias = OrderRecord | Problem
# An order with more lines than this is a column that was mapped wrongly; and a run has to be held in memory.
MAX_RUN = 10_000


class Feed(Protocol):
    """Reads the rows of one kind of file. Made for one header; holds no state between rows."""

    kind: ClassVar[str]

    @property
    def recognised(self) -> tuple[str, ...]:
        """The columns that it has a field for."""

    def read(self, rows: Iterable[Row], start_line: int = 0) -> Iterator[Item]:
        """Yield a record or a problem for each row or run, leaving out those that begin before ``start_line``."""


def each_row(
    rows: Iterable[Row], width: int, start_line: int, parse: Callable[[int, list[str]], Item]
) -> Iterator[Item]:
    """Yield what ``parse`` makes of each row that is not blank."""
    for line_no, cells in rows:
        if line_no < start_line:
            continue
        if len(cells) != width:
            try:
                cells[:] = fitted(cells, width)
            except CellError as error:
                if not is_blank(cells):
                    yield Problem(line_no, "", error.code, error.value)
                continue
        item = parse(line_no, cells)
        if type(item) is Problem and is_blank(cells):
            continue
        yield item


@dataclass(slots=True)
class Run:
    """Neighbouring rows that carry the same order number."""

    order_no: str
    line_no: int
    rows: list[Row]
    count: int = 1


def each_run(
    rows: Iterable[Row],
    columns: Columns,
    place: int,
    read_number: Callable[[str], str],
    start_line: int,
) -> Iterator[Run | Problem]:
    """Group the rows by the order number in the column at ``place``; a row without a usable one is a problem.

    A run is given out whole or not at all: one that is too long is a single problem that counts its rows.
    """
    run: Run | None = None
    for line_no, cells in rows:
        try:
            order_no = read_number(cells[place] if place < len(cells) else "")
        except CellError as error:
            if is_blank(cells):
                continue
            if run is not None and run.line_no >= start_line:
                yield _finished(run, columns.header[place])
            run = None
            if line_no >= start_line:
                code = "short_row" if len(cells) < columns.width else error.code
                yield Problem(line_no, columns.header[place], code, error.value)
            continue
        if run is not None and run.order_no == order_no:
            run.count += 1
            if run.count <= MAX_RUN:
                run.rows.append((line_no, cells))
            continue
        if run is not None and run.line_no >= start_line:
            yield _finished(run, columns.header[place])
        run = Run(order_no, line_no, [(line_no, cells)])
    if run is not None and run.line_no >= start_line:
        yield _finished(run, columns.header[place])


def _finished(run: Run, column: str) -> Run | Problem:
    if run.count > MAX_RUN:
        return Problem(run.line_no, column, "too_many_lines", str(run.count), run.order_no, rows=run.count)
    return run


def other_cells(rows: list[Row], places: list[tuple[str, int]], cleaned: Callable[[str], str]) -> dict[str, str]:
    """Collect the columns that have no field of their own from all rows of a run, each different value once."""
    raw: dict[str, str] = {}
    for name, place in places:
        values = dict.fromkeys(value for _line_no, cells in rows if (value := cleaned(cells[place])))
        if values:
            raw[name] = "\n".join(values)
    return raw
