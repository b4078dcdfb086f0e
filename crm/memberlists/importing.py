"""Importing such lists: first looked at, then written, by the same statements.

What a file would do is counted before it is done, in the same transaction; the preview stops there.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Any

from django.db import connection, transaction

from crm.feeds.opening import open_table
from crm.feeds.records import UnreadableFile
from crm.memberfiles.rows import RowProblem
from crm.memberlists import reading
from crm.memberlists.reading import ListRow
from crm.memberlists.staging import ListProblem, problems, stage
from crm.models import Channel, PlatformTool
from crm.stafflog import log_action

PROBLEMS_SHOWN = 50
MOST_ROWS = 200_000  # A page waits for it; see docs/prices.md for how long.


class ListKind(StrEnum):
    """What a file is about."""

    GRADES = "grades"
    NO_DISCOUNT = "no_discount"
    DISCOUNT_AGAIN = "discount_again"  # Takes members off the list of those without discount.


@dataclass(frozen=True, slots=True)
class Terms:
    """What a person says of a file. ``seen_at`` is when the tool said what is in it, ``reason`` why it is imported, for
    the staff log and for members whose row gives none."""

    kind: ListKind
    seen_at: datetime
    reason: str
    tool_id: int | None = None


@dataclass(frozen=True, slots=True)
class NewGrade:
    """A grade that the tool did not have, and what its buyers pay, as the file says; None where it says nothing, or
    different things."""

    name: str
    percent: Decimal | None


@dataclass(frozen=True, slots=True)
class ListReport:
    """What a file does: to how many members it brings something new, changes something, or says what is known; how many
    rows are ``older`` than what is known, and how many are left out for their ``problems`` (the first ones)."""

    rows: int = 0
    new: int = 0
    changed: int = 0
    unchanged: int = 0
    older: int = 0
    refused: int = 0
    grades: tuple[NewGrade, ...] = ()
    problems: list[ListProblem] = field(default_factory=list)
    ignored: tuple[str, ...] = ()


def look(path: Path, terms: Terms, *, limit: int | None = PROBLEMS_SHOWN) -> ListReport:
    """Read a file and say what it would do. Nothing is written. Raises ``UnreadableFile``."""
    with transaction.atomic():
        return _staged(path, terms, limit)


def import_list(path: Path, terms: Terms, *, file: str, at: datetime, actor_id: int | None) -> ListReport:
    """Do what ``look`` said, in one transaction, and write the staff log; ``file`` is the name it gives the file.

    The same file again changes nothing. Raises ``UnreadableFile``, and ``ValueError`` without a reason.
    """
    if not terms.reason.strip():
        raise ValueError("a list of members needs a reason")
    with transaction.atomic():
        report = _staged(path, terms, PROBLEMS_SHOWN)
        with connection.cursor() as cursor:
            values = _values(terms) | {"at": at, "actor": actor_id, "file": file[:255]}
            for statement in _WRITE[terms.kind]:
                cursor.execute(statement, values)
        log_action(
            f"members.{terms.kind}",
            actor_id=actor_id, at=at, reason=terms.reason, file=file, tool=terms.tool_id, new=report.new,
            changed=report.changed, unchanged=report.unchanged + report.older, refused=report.refused,
        )  # fmt: skip
    return report


_Read = tuple[Callable[..., Any], Callable[..., Any]]
_READ: Mapping[ListKind, _Read] = {
    ListKind.GRADES: (reading.grade_columns, reading.read_grades),
    ListKind.NO_DISCOUNT: (reading.no_discount_columns, reading.read_no_discounts),
    ListKind.DISCOUNT_AGAIN: (reading.no_discount_columns, reading.read_no_discounts),
}


def _staged(path: Path, terms: Terms, limit: int | None) -> ListReport:
    table = open_table(path)
    find, read = _READ[terms.kind]
    columns = find(table.header)
    records = read(table, columns)
    if terms.kind is ListKind.GRADES:
        # Two files of one tool follow one another.
        tool = PlatformTool.objects.select_for_update(no_key=True, of=("self",)).select_related("channel")
        records = in_channel(records, tool.get(pk=terms.tool_id or 0).channel)
    stage(_not_too_many(records), columns.titles)
    with connection.cursor() as cursor:
        if terms.kind is not ListKind.GRADES:
            cursor.execute(_LOCK)
        cursor.execute(_COUNT[terms.kind], _values(terms))
        rows, new, changed, unchanged, older, refused = cursor.fetchone()
        grades = []
        if terms.kind is ListKind.GRADES:
            cursor.execute(_NEW_GRADES, _values(terms))
            grades = [NewGrade(*row) for row in cursor.fetchall()]
    return ListReport(rows, new, changed, unchanged, older, refused, tuple(grades), problems(limit), columns.ignored)


def in_channel(records: Iterable[ListRow | RowProblem], channel: Channel | None) -> Iterator[ListRow | RowProblem]:
    """Look for names in a channel where the rows name none."""
    for record in records:
        if channel is not None and isinstance(record, ListRow) and record.whom.name and not record.whom.channel:
            yield replace(record, whom=record.whom._replace(channel=channel.code))
        else:
            yield record


def _not_too_many(records: Iterable[ListRow | RowProblem]) -> Iterator[ListRow | RowProblem]:
    for number, record in enumerate(records, start=1):
        if number > MOST_ROWS:
            raise UnreadableFile("too_many_rows", limit=MOST_ROWS)
        yield record


def _values(terms: Terms) -> dict[str, Any]:
    return {"tool": terms.tool_id, "seen_at": terms.seen_at, "reason": terms.reason}


# Whether what the file says comes after what is known: of two reports of one instant the greater name stands.
_LATER = "(%(seen_at)s, %(seen_at)s, l.grade) > (m.seen_at, coalesce(m.told_at, m.seen_at), coalesce(g.name, ''))"
_KNOWN = """
  FROM crm_listed AS l
  LEFT JOIN crm_memberplatformgrade AS m ON m.member_id = l.member_id AND m.tool_id = %(tool)s
  LEFT JOIN crm_platformgrade AS g ON g.id = m.grade_id
"""
_COUNT_GRADES = f"""
SELECT count(*),
       count(*) FILTER (WHERE l.code = '' AND m.id IS NULL),
       count(*) FILTER (WHERE l.code = '' AND l.grade <> coalesce(g.name, '') AND {_LATER}),
       count(*) FILTER (WHERE l.code = '' AND m.id IS NOT NULL AND l.grade = coalesce(g.name, '')),
       count(*) FILTER (WHERE l.code = '' AND l.grade <> coalesce(g.name, '') AND NOT {_LATER}),
       count(*) FILTER (WHERE l.code <> '')
{_KNOWN}
"""
_NEW_GRADES = """
SELECT l.grade, CASE WHEN count(DISTINCT l.percent) = 1 THEN min(l.percent) END
  FROM crm_listed AS l
 WHERE l.code = '' AND l.grade <> ''
   AND NOT EXISTS (SELECT FROM crm_platformgrade AS g WHERE g.tool_id = %(tool)s AND g.name = l.grade)
 GROUP BY l.grade ORDER BY l.grade
"""
# Files bring grades in; what a grade takes off is the seller's word, and a file says it only where nobody has.
_ADD_GRADES = f"""
INSERT INTO crm_platformgrade (tool_id, name, discount_percent)
SELECT %(tool)s, n.grade, n.percent FROM ({_NEW_GRADES}) AS n (grade, percent)
"""
_FILL_PERCENTS = """
UPDATE crm_platformgrade AS g SET discount_percent = n.percent
  FROM (SELECT l.grade, min(l.percent) AS percent FROM crm_listed AS l
         WHERE l.code = '' GROUP BY l.grade HAVING count(DISTINCT l.percent) = 1) AS n
 WHERE g.tool_id = %(tool)s AND g.name = n.grade AND g.discount_percent IS NULL
"""
# In ascending order, as everybody does who writes for many members.
_WRITE_GRADES = """
INSERT INTO crm_memberplatformgrade AS m (member_id, tool_id, grade_id, seen_at, source)
SELECT l.member_id, %(tool)s, g.id, %(seen_at)s, %(file)s
  FROM crm_listed AS l
  LEFT JOIN crm_platformgrade AS g ON g.tool_id = %(tool)s AND g.name = l.grade
 WHERE l.code = '' ORDER BY l.member_id
ON CONFLICT (member_id, tool_id) DO UPDATE
   SET grade_id = excluded.grade_id, seen_at = excluded.seen_at, told_at = NULL, source = excluded.source,
       order_no = ''
 WHERE (excluded.seen_at, excluded.seen_at,
        coalesce((SELECT x.name FROM crm_platformgrade AS x WHERE x.id = excluded.grade_id), ''))
     > (m.seen_at, coalesce(m.told_at, m.seen_at),
        coalesce((SELECT x.name FROM crm_platformgrade AS x WHERE x.id = m.grade_id), ''))
"""

_LOCK = """
SELECT id FROM crm_member WHERE id IN (SELECT member_id FROM crm_listed WHERE code = '') ORDER BY id FOR NO KEY UPDATE
"""
_ON_THE_LIST = "EXISTS (SELECT FROM crm_nodiscount AS n WHERE n.member_id = l.member_id AND n.until IS NULL)"
_COUNT_LISTED = """
SELECT count(*), {new}, {changed},
       count(*) FILTER (WHERE l.code = '' AND {known}), 0, count(*) FILTER (WHERE l.code <> '')
  FROM crm_listed AS l
"""
_PUT_ON = f"""
INSERT INTO crm_nodiscount (member_id, since, reason, added_by_id, until_reason)
SELECT l.member_id, %(at)s, coalesce(nullif(l.reason, ''), %(reason)s), %(actor)s, ''
  FROM crm_listed AS l
 WHERE l.code = '' AND NOT {_ON_THE_LIST} ORDER BY l.member_id
"""
_TAKE_OFF = """
UPDATE crm_nodiscount AS n
   SET until = greatest(n.since, %(at)s), until_reason = coalesce(nullif(l.reason, ''), %(reason)s)
  FROM crm_listed AS l
 WHERE l.code = '' AND n.member_id = l.member_id AND n.until IS NULL
"""

_COUNT: Mapping[ListKind, str] = {
    ListKind.GRADES: _COUNT_GRADES,
    ListKind.NO_DISCOUNT: _COUNT_LISTED.format(
        new=f"count(*) FILTER (WHERE l.code = '' AND NOT {_ON_THE_LIST})", changed="0", known=_ON_THE_LIST
    ),
    ListKind.DISCOUNT_AGAIN: _COUNT_LISTED.format(
        new="0", changed=f"count(*) FILTER (WHERE l.code = '' AND {_ON_THE_LIST})", known=f"NOT {_ON_THE_LIST}"
    ),
}
_WRITE: Mapping[ListKind, tuple[str, ...]] = {
    ListKind.GRADES: (_ADD_GRADES, _FILL_PERCENTS, _WRITE_GRADES),
    ListKind.NO_DISCOUNT: (_PUT_ON,),
    ListKind.DISCOUNT_AGAIN: (_TAKE_OFF,),
}
