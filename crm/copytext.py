"""Rows in the text format of COPY, made without a connection: so it can be done in another thread than the one that
talks to the database. The format: PostgreSQL's manual, COPY, "Text Format"."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

_SPECIAL = str.maketrans({"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r"})


def as_copy_text(rows: Iterable[Sequence[object]]) -> bytes:
    """One line a row. A cell is None, a text, a number, a truth value or an aware instant."""
    return "".join(["\t".join([_CELLS[type(cell)](cell) for cell in row]) + "\n" for row in rows]).encode()


def _text(cell: str) -> str:
    return cell.translate(_SPECIAL) if not cell.isprintable() or "\\" in cell else cell


class _Cells(dict[type, Callable[..., str]]):
    """How to write a cell, by its type: a chain of questions would be asked a million times for a large file."""

    def __missing__(self, kind: type) -> Callable[..., str]:
        if not issubclass(kind, StrEnum):
            raise TypeError(f"COPY is not told how to write {kind}")
        self[kind] = str
        return str


_CELLS = _Cells(
    {
        type(None): lambda _cell: r"\N",
        str: _text,
        bool: lambda cell: "t" if cell else "f",
        int: str,
        Decimal: str,
        datetime: datetime.isoformat,
    }
)
