"""The rows of such lists, read into records. Pure."""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType

from crm.feeds.cells import CellError
from crm.feeds.tables import Table
from crm.memberfiles.columns import IDENTITY_TITLES, Columns, Titles, find_columns
from crm.memberfiles.rows import Row, RowProblem, Whom, read_table, read_text

GRADE, PERCENT, REASON = "grade", "percent", "reason"
MAX_GRADE, MAX_REASON = 60, 300

GRADE_TITLES: Titles = MappingProxyType(
    {
        **IDENTITY_TITLES,
        GRADE: ("grade", "等级", "会员等级", "level", "tier", "买家等级", "客户等级", "会员级别", "等级名称"),
        PERCENT: ("pays", "折扣", "memberprice", "discount", "会员折扣", "等级折扣", "折扣率"),
    }
)
NO_DISCOUNT_TITLES: Titles = MappingProxyType(
    {**IDENTITY_TITLES, REASON: ("reason", "原因", "理由", "说明", "备注", "remark", "note")}
)

# What a tool writes for a buyer without a grade.
_NONE = frozenset({"无", "-", "–", "—", "none", "没有", "无等级", "非会员"})
_NUMBER = re.compile(r"[0-9]{1,3}(\.[0-9]{1,4})?\Z")


@dataclass(frozen=True, slots=True)
class ListRow:
    """Whom a row names, and what it says of him: his grade ("" for none) with what its buyers pay in percent, or why he
    is on a list."""

    line_no: int
    whom: Whom
    grade: str = ""
    percent: Decimal | None = None
    reason: str = ""


def grade_columns(header: tuple[str, ...]) -> Columns:
    """Recognise the columns of a table of grades. Raises ``UnreadableFile``."""
    return find_columns(header, GRADE_TITLES, GRADE, "not_grades")


def read_grades(table: Table, columns: Columns) -> Iterator[ListRow | RowProblem]:
    """Read a table of grades. Raises ``UnreadableFile``."""
    return read_table(table, columns, _grade_row)


def no_discount_columns(header: tuple[str, ...]) -> Columns:
    """Recognise the columns of a list of members. Raises ``UnreadableFile``."""
    return find_columns(header, NO_DISCOUNT_TITLES, "", "not_members")


def read_no_discounts(table: Table, columns: Columns) -> Iterator[ListRow | RowProblem]:
    """Read a list of members. Raises ``UnreadableFile``."""
    return read_table(table, columns, _member_row)


def read_grade(cell: str) -> str:
    """Read the name of a grade; "" where the tool says that there is none. Raises ``CellError``: ``grade_missing``,
    ``value_too_long``."""
    name = read_text(cell, MAX_GRADE)
    if not name:
        raise CellError("grade_missing")
    return "" if name.casefold() in _NONE else name


def read_percent(cell: str) -> Decimal | None:
    """Read what is paid of the list price: "95%", "9.5折", "95", "0.95"; None when the cell is empty.

    A number of at most 1 is a part, one above 10 a percentage; one in between is in tenths only where it says 折.
    Raises ``CellError``: ``percent_unreadable``.
    """
    text = unicodedata.normalize("NFKC", cell).replace(" ", "")
    if not text:
        return None
    number = text.removesuffix("%").removesuffix("折")
    if not _NUMBER.match(number):
        raise CellError("percent_unreadable", text)
    value = Decimal(number)
    if text.endswith("折"):
        value = value * 10 if value <= 10 else value
    elif not text.endswith("%"):
        value = value * 100 if value <= 1 else value
        if value <= 10:
            raise CellError("percent_unreadable", text)
    if not 0 < value <= 100 or value != value.quantize(Decimal("0.01")):
        raise CellError("percent_unreadable", text)
    return value


def _grade_row(row: Row) -> ListRow:
    return ListRow(row.line_no, row.whom(), row.read(GRADE, read_grade), row.read(PERCENT, read_percent))


def _member_row(row: Row) -> ListRow:
    return ListRow(row.line_no, row.whom(), reason=row.read(REASON, lambda cell: read_text(cell, MAX_REASON)))
