"""Rows in the text format of COPY, made without a connection: so it can be done in another thread than the one that
talks to the database. The format: PostgreSQL's manual, COPY, "Text Format"."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from decimal import Decimal

from crm.choices import OrderStatus, RefundStatus

_SPECIAL = str.maketrans({"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r"})


def as_copy_text(rows: Iterable[Sequence[object]]) -> bytes:
    """One line a row. A cell is None, a text, a number, a truth value or an aware instant."""
    return "".join(["\t".join([_CELLS[type(cell)](cell) for cell in row]) + "\n" for row in rows]).encode()


def _text(cell: str) -> str:
    return cell.translate(_SPECIAL) if not cell.isprintable() or "\\" in cell else cell


# By type and not by a chain of questions, for there are a million cells to a large file.
_CELLS: dict[type, Callable[..., str]] = {
    type(None): lambda _cell: r"\N",
    str: _text,
    OrderStatus: str,
    RefundStatus: str,
    bool: lambda cell: "t" if cell else "f",
    int: str,
    Decimal: str,
    datetime: datetime.isoformat,
}
