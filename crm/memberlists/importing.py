"""What such lists do: counted before it is done, and done by the same statements on the rows that were taken."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Self

from django.db import connection

from crm.choices import ListKind
from crm.feeds.opening import open_table
from crm.feeds.records import UnreadableFile
from crm.memberfiles.rows import RowProblem
from crm.memberlists import reading
from crm.memberlists.reading import ListRow
from crm.memberlists.staging import staged
from crm.models import Channel, PlatformTool

MOST_ROWS = 500_000


@dataclass(frozen=True, slots=True)
class Terms:
    """What a person says of a file. ``seen_at`` is when the tool said what is in it, ``reason`` why it is imported, for
    the staff log and for members whose row gives none; ``file`` its name."""

    kind: ListKind
    seen_at: datetime
    reason: str
    tool_id: int | None = None
    file: str = ""
    actor_id: int | None = None


@dataclass(frozen=True, slots=True)
class NewGrade:
    """A grade that the tool did not have, and what its buyers pay, as the file says; None where it says nothing, or
    different things."""

    name: str
    percent: Decimal | None


@dataclass(frozen=True, slots=True)
class ListReport:
    """What rows do: to how many members they bring something new, change something, or say what is known; how many
    are ``older`` than what is known, and how many are left out. ``ignored`` are columns that mean nothing here."""

    rows: int = 0
    new: int = 0
    changed: int = 0
    unchanged: int = 0
    older: int = 0
    refused: int = 0
    grades: tuple[NewGrade, ...] = ()
    ignored: tuple[str, ...] = ()

    def plus(self, other: "ListReport") -> "ListReport":
        """The figures of these rows and others of the same file."""
        figures = {name: getattr(self, name) + getattr(other, name) for name in _FIGURES}
        return replace(self, grades=self.grades or other.grades, ignored=self.ignored or other.ignored, **figures)

    def as_json(self) -> dict[str, Any]:
        """What ``from_json`` reads."""
        grades = [[grade.name, grade.percent and str(grade.percent)] for grade in self.grades]
        return {name: getattr(self, name) for name in _FIGURES} | {"grades": grades, "ignored": list(self.ignored)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Read what ``as_json`` wrote; nothing gives the report of no rows."""
        grades = [NewGrade(name, percent and Decimal(percent)) for name, percent in data.get("grades", [])]
        figures = {name: data.get(name, 0) for name in _FIGURES}
        return cls(grades=tuple(grades), ignored=tuple(data.get("ignored", [])), **figures)


_FIGURES = ("rows", "new", "changed", "unchanged", "older", "refused")


@contextmanager
def opened(path: Path, terms: Terms, progress: Callable[[int], None]) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Read and judge a whole file, so that its rows can be taken for the duration of the block; gives how many there
    are and the columns that mean nothing. Raises ``UnreadableFile``."""
    table = open_table(path)
    find, read = _READ[terms.kind]
    columns = find(table.header)
    records = read(table, columns)
    if terms.kind is ListKind.GRADES:
        records = in_channel(records, PlatformTool.objects.select_related("channel").get(pk=terms.tool_id or 0).channel)
    with staged(_not_too_many(records), columns.titles, progress) as rows:
        yield rows, columns.ignored


def count(terms: Terms) -> ListReport:
    """What the rows that were taken would do."""
    with connection.cursor() as cursor:
        cursor.execute(_COUNT[terms.kind], _values(terms))
        return ListReport(*cursor.fetchone())


def new_grades(terms: Terms) -> tuple[NewGrade, ...]:
    """The grades of the whole file that its tool does not have."""
    if terms.kind is not ListKind.GRADES:
        return ()
    with connection.cursor() as cursor:
        cursor.execute(_NEW_GRADES, _values(terms))
        return tuple(NewGrade(*row) for row in cursor.fetchall())


def lock(terms: Terms) -> None:
    """Have whoever writes for the same tool, or for the members that were taken, take turns. First thing of a
    transaction."""
    with connection.cursor() as cursor:
        cursor.execute(_LOCK_TOOL if terms.kind is ListKind.GRADES else _LOCK_MEMBERS, _values(terms))


def add_grades(terms: Terms) -> None:
    """Give the tool the grades of the whole file, and what the file says that their buyers pay."""
    with connection.cursor() as cursor:
        for statement in (_ADD_GRADES, _FILL_PERCENTS):
            cursor.execute(statement, _values(terms))


def write(terms: Terms, *, at: datetime) -> None:
    """Do what ``count`` said."""
    with connection.cursor() as cursor:
        cursor.execute(_WRITE[terms.kind], _values(terms) | {"at": at})


_Read = tuple[Callable[..., Any], Callable[..., Any]]
_READ: Mapping[ListKind, _Read] = {
    ListKind.GRADES: (reading.grade_columns, reading.read_grades),
    ListKind.NO_DISCOUNT: (reading.no_discount_columns, reading.read_no_discounts),
    ListKind.DISCOUNT_AGAIN: (reading.no_discount_columns, reading.read_no_discounts),
}


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
    return {
        "tool": terms.tool_id, "seen_at": terms.seen_at, "reason": terms.reason, "file": terms.file[:255],
        "actor": terms.actor_id,
    }  # fmt: skip


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
  FROM crm_list_judged AS l
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
  FROM (SELECT l.grade, min(l.percent) AS percent FROM crm_list_judged AS l
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

_LOCK_TOOL = "SELECT id FROM crm_platformtool WHERE id = %(tool)s FOR NO KEY UPDATE"
_LOCK_MEMBERS = """
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
SELECT l.member_id,
       -- Whoever was taken off a moment ago by another clock is on it again after that.
       greatest(%(at)s, (SELECT max(n.until) FROM crm_nodiscount AS n WHERE n.member_id = l.member_id)),
       coalesce(nullif(l.reason, ''), %(reason)s), %(actor)s, ''
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
_WRITE: Mapping[ListKind, str] = {
    ListKind.GRADES: _WRITE_GRADES,
    ListKind.NO_DISCOUNT: _PUT_ON,
    ListKind.DISCOUNT_AGAIN: _TAKE_OFF,
}
