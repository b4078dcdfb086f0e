"""Grades on other tools that come with orders: a column of the order files that a tool's settings name.

What a tool writes there is kept with each order as it stands (``raw``), so every feed brings it, whichever columns it
has fields for. Of all reports of a member the newest order stands; of one order the report that knows of the latest
step; of two that know the same the greater name. So files may come in any order, twice and in pieces.

Runs in the transaction of a batch, under the channel's lock and those of its members (``crm.orders``).
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db.backends.utils import CursorWrapper

from crm.feeds.cells import CellError
from crm.feeds.records import Problem
from crm.memberlists.reading import read_grade

# A tool has a handful. What has more is another column, such as a remark, and must not fill the list of grades.
MOST_GRADES = 100
# What can be wrong with a grade while its order is recorded.
REMARKS = (
    "grade_unpriced", "grade_unreadable", "grade_differs", "grade_too_many", "grade_of_nobody", "grade_without_time",
)  # fmt: skip
# Told once a file, not once a row.
ONCE_A_FILE = frozenset({"grade_unpriced"})

_SAID = """
SELECT DISTINCT t.id, t.order_column, s.raw ->> t.order_column
  FROM crm_platformtool AS t
  JOIN crm_stage_order AS s ON s.raw ->> t.order_column IS NOT NULL
 WHERE t.channel_id = %(channel)s AND t.from_orders
 ORDER BY 1, 3
"""
# Files of lists write for the same tools; whoever adds grades to one takes turns.
_LOCK = "SELECT id FROM crm_platformtool WHERE id = ANY (%(tools)s) ORDER BY id FOR NO KEY UPDATE"
_GRADES = "SELECT tool_id, name, discount_percent IS NOT NULL FROM crm_platformgrade WHERE tool_id = ANY (%(tools)s)"
_ADD_GRADES = """
INSERT INTO crm_platformgrade (tool_id, name) SELECT * FROM unnest(%(tools)s::bigint[], %(names)s::text[])
"""
_REPORTS = """
SELECT w.tool_id, w.name, w.said, s.external_no, s.line_no, s.buyer, i.member_id,
       coalesce(s.placed_at, s.paid_at) AS seen_at,
       greatest(s.placed_at, s.paid_at, s.shipped_at, s.completed_at, s.closed_at) AS told_at
  FROM crm_platformtool AS t
  JOIN crm_stage_order AS s ON s.raw ->> t.order_column IS NOT NULL
  JOIN unnest(%(tools)s::bigint[], %(saids)s::text[], %(names)s::text[]) AS w (tool_id, said, name)
    ON w.tool_id = t.id AND w.said = s.raw ->> t.order_column
  LEFT JOIN crm_identity AS i ON i.channel_id = %(channel)s AND i.external_id = s.buyer
"""
# In ascending order, as everybody does who writes for many members.
_WRITE = f"""
INSERT INTO crm_memberplatformgrade AS m (member_id, tool_id, grade_id, seen_at, told_at, source, order_no)
SELECT DISTINCT ON (r.member_id, r.tool_id)
       r.member_id, r.tool_id, g.id, r.seen_at, r.told_at, %(source)s, r.external_no
  FROM ({_REPORTS}) AS r
  LEFT JOIN crm_platformgrade AS g ON g.tool_id = r.tool_id AND g.name = r.name
 WHERE r.name IS NOT NULL AND r.member_id IS NOT NULL AND r.seen_at IS NOT NULL
 ORDER BY r.member_id, r.tool_id, r.seen_at DESC, r.told_at DESC, r.name DESC, r.external_no DESC
    ON CONFLICT (member_id, tool_id) DO UPDATE
   SET grade_id = excluded.grade_id, seen_at = excluded.seen_at, told_at = excluded.told_at,
       source = excluded.source, order_no = excluded.order_no
 WHERE (excluded.seen_at, excluded.told_at,
        coalesce((SELECT x.name FROM crm_platformgrade AS x WHERE x.id = excluded.grade_id), ''))
     > (m.seen_at, coalesce(m.told_at, m.seen_at),
        coalesce((SELECT x.name FROM crm_platformgrade AS x WHERE x.id = m.grade_id), ''))
"""
# The rows of which nothing comes: what stands there is no grade, or nobody can be told to have it, or since when.
_REFUSED = f"""
SELECT r.line_no, r.tool_id, r.said, r.external_no, r.buyer IS NULL
  FROM ({_REPORTS}) AS r
 WHERE r.name IS NULL OR r.member_id IS NULL OR r.seen_at IS NULL
 ORDER BY r.line_no, r.tool_id
"""
_FIRST_LINES = f"""
SELECT DISTINCT ON (r.tool_id, r.name) r.tool_id, r.name, r.line_no, r.external_no
  FROM ({_REPORTS}) AS r WHERE r.name <> '' ORDER BY r.tool_id, r.name, r.line_no
"""


@dataclass(slots=True)
class GradeReport:
    """How many members have another grade now than before, or one of a newer order; and what a person has to look
    at."""

    members: int = 0
    remarks: list[Problem] = field(default_factory=list)


@dataclass(slots=True)
class _Said:
    """What stands in one tool's column: the grade that is meant ("" for none), or why there is none."""

    tool_id: int
    column: str
    text: str
    name: str | None
    error: str = ""


def record_grades(cursor: CursorWrapper, channel_id: int, source: str) -> GradeReport:
    """Keep the grades of the staged orders. ``source`` names the file. One query where no tool reads the channel's
    orders or none of them has its column."""
    cursor.execute(_SAID, {"channel": channel_id})
    said = [_read(*row) for row in cursor.fetchall()]
    if not said:
        return GradeReport()
    priced = _known_grades(cursor, said)
    values: dict[str, Any] = {
        "channel": channel_id, "source": source[:255], "tools": [each.tool_id for each in said],
        "saids": [each.text for each in said], "names": [each.name for each in said],
    }  # fmt: skip
    cursor.execute(_WRITE, values)
    report = GradeReport(cursor.rowcount)
    columns = {each.tool_id: each.column for each in said}
    errors = {(each.tool_id, each.text): each.error for each in said if each.error}
    cursor.execute(_REFUSED, values)
    report.remarks = [
        Problem(line_no, columns[tool_id], errors.get((tool_id, text)) or _lack(no_buyer), text, external_no, rows=0)
        for line_no, tool_id, text, external_no, no_buyer in cursor.fetchall()
    ]
    if not all(priced.values()):
        cursor.execute(_FIRST_LINES, values)
        report.remarks += [
            Problem(line_no, columns[tool_id], "grade_unpriced", name, external_no, rows=0)
            for tool_id, name, line_no, external_no in cursor.fetchall()
            if not priced[tool_id, name]
        ]
    return report


def _lack(no_buyer: bool) -> str:
    return "grade_of_nobody" if no_buyer else "grade_without_time"


def _read(tool_id: int, column: str, text: str) -> _Said:
    if "\n" in text:
        return _Said(tool_id, column, text, None, "grade_differs")  # The rows of one order say different things.
    try:
        return _Said(tool_id, column, text, read_grade(text))
    except CellError:
        return _Said(tool_id, column, text, None, "grade_unreadable")


def _known_grades(cursor: CursorWrapper, said: Sequence[_Said]) -> Mapping[tuple[int, str], bool]:
    """Add the grades that their tools do not have yet, and return which of those that were named have a price.

    What would be one too many for a tool becomes an error of its text.
    """
    tools = sorted({each.tool_id for each in said})
    cursor.execute(_LOCK, {"tools": tools})
    cursor.execute(_GRADES, {"tools": tools})
    known: dict[tuple[int, str], bool] = {(tool_id, name): priced for tool_id, name, priced in cursor.fetchall()}
    numbers: dict[int, int] = defaultdict(int)
    for tool_id, _name in known:
        numbers[tool_id] += 1
    new: list[tuple[int, str]] = []
    for each in said:
        if not each.name or (each.tool_id, each.name) in known:
            continue
        if numbers[each.tool_id] >= MOST_GRADES:
            each.name, each.error = None, "grade_too_many"
            continue
        numbers[each.tool_id] += 1
        known[each.tool_id, each.name] = False
        new.append((each.tool_id, each.name))
    if new:
        cursor.execute(
            _ADD_GRADES, {"tools": [tool_id for tool_id, _name in new], "names": [name for _id, name in new]}
        )
    return {(each.tool_id, each.name): known[each.tool_id, each.name] for each in said if each.name}


def without_repetition(remarks: Iterable[Problem], told: set[tuple[str, str]]) -> list[Problem]:
    """Leave out what a file has been told already; what is told now is put into ``told``."""
    fresh = []
    for remark in remarks:
        key = (remark.code, remark.value)
        if remark.code in ONCE_A_FILE:
            if key in told:
                continue
            told.add(key)
        fresh.append(remark)
    return fresh
