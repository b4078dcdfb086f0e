"""From what a file says to whom each row means, in temporary tables."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from typing import Any, TypeVar

from django.db import connection

from crm.memberfiles.rows import RowProblem
from crm.memberfiles.whom import (
    CONTACT,
    RAW_COLUMNS,
    RAW_PROBLEM,
    WHO,
    WRONG_COLUMN,
    WRONG_VALUE,
    column_titles,
    judged_rows,
)
from crm.memberlists.reading import ListRow

Item = TypeVar("Item")

_RAW = f"""
CREATE TEMPORARY TABLE crm_list_raw (
    {RAW_COLUMNS}, grade text, percent numeric(5, 2), reason text, {RAW_PROBLEM}
)
"""

# Of several rows about one member the first one counts; the others say where it stands.
_JUDGED = f"""
CREATE TEMPORARY TABLE crm_list_judged AS
WITH {judged_rows("crm_list_raw")}, placed AS (
    SELECT j.*, row_number() OVER same AS occurrence, first_value(j.line_no) OVER same AS first_line,
           first_value(j.grade) OVER same AS first_grade
      FROM judged AS j
    WINDOW same AS (PARTITION BY j.verdict = '', j.found_id ORDER BY j.line_no)
), said AS (
    SELECT p.*, CASE WHEN p.verdict <> '' THEN p.verdict WHEN p.occurrence = 1 THEN ''
                     WHEN p.grade = p.first_grade THEN 'duplicate' ELSE 'differs' END AS outcome
      FROM placed AS p
)
SELECT f.line_no, CASE WHEN f.outcome = '' THEN f.found_id END AS member_id, f.grade, f.percent, f.reason,
       f.outcome AS code, {WHO} AS who, {CONTACT} AS contact,
       CASE f.verdict WHEN '' THEN ''{WRONG_COLUMN} ELSE f.col END AS col,
       CASE f.verdict WHEN '' THEN f.first_line::text{WRONG_VALUE} ELSE f.value END AS value
  FROM said AS f
"""
_EMPTY = """
CREATE INDEX ON crm_list_judged (line_no);
ANALYZE crm_list_judged;
CREATE TEMPORARY TABLE crm_listed AS SELECT * FROM crm_list_judged LIMIT 0
"""
_TAKE = """
INSERT INTO crm_listed SELECT * FROM crm_list_judged WHERE line_no > %(after)s ORDER BY line_no LIMIT %(limit)s
"""
_DROP = "DROP TABLE IF EXISTS crm_list_raw, crm_list_judged, crm_listed"
_KEEP_PROBLEMS = """
INSERT INTO crm_memberlistproblem (list_id, line_no, "column", value, code, who, contact)
SELECT %(list)s, line_no, left(col, 120), left(value, 200), code, left(who, 250), left(contact, 254)
  FROM crm_listed WHERE code <> '' ORDER BY line_no
"""
_CHUNK = 10_000  # Rows between two signs of life.


@contextmanager
def staged(
    records: Iterable[ListRow | RowProblem], titles: Mapping[str, str], progress: Callable[[int], None]
) -> Iterator[int]:
    """Put what a file says into ``crm_list_judged``, a row a line with the member it means or what is wrong with it,
    for the duration of the block; gives how many rows there are. ``progress`` is told how many were read so far.

    The tables are the session's and not a transaction's, so that a list can be written in several.
    """
    with connection.cursor() as cursor:
        # A worker that was interrupted may have left them.
        cursor.execute(_DROP)
        cursor.execute(_RAW)
        rows = 0
        for chunk in batched(records, _CHUNK):
            with cursor.copy("COPY crm_list_raw FROM STDIN") as copy:
                for record in chunk:
                    copy.write_row(_raw(record))
            rows += len(chunk)
            progress(rows)
        cursor.execute("ANALYZE crm_list_raw")
        cursor.execute(_JUDGED, column_titles(titles))
        cursor.execute(_EMPTY)
    try:
        yield rows
    finally:
        # After a lost connection there is nothing to drop: the tables went with it.
        if connection.connection is not None and not connection.connection.closed and not connection.needs_rollback:
            with connection.cursor() as cursor:
                cursor.execute(_DROP)


def take(after: int, limit: int | None) -> tuple[int, int]:
    """Put the next rows, those behind the line ``after``, into ``crm_listed``, and return how many they are and which
    line is the last one."""
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE crm_listed")
        cursor.execute(_TAKE, {"after": after, "limit": limit})
        cursor.execute("ANALYZE crm_listed")
        cursor.execute("SELECT count(*), coalesce(max(line_no), 0) FROM crm_listed")
        number, last = cursor.fetchone()
        return number, last


def keep_problems(list_id: int) -> None:
    """Write down the rows of ``crm_listed`` that are left out."""
    with connection.cursor() as cursor:
        cursor.execute(_KEEP_PROBLEMS, {"list": list_id})


def batched(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Cut a stream into lists."""
    stream = iter(items)
    while chunk := list(islice(stream, size)):
        yield chunk


def _raw(record: ListRow | RowProblem) -> tuple[Any, ...]:
    if isinstance(record, RowProblem):
        problem = (record.code, record.column[:120], record.value[:200], record.who[:250], record.contact[:254])
        return (record.line_no, "", "", None, "", "", "", None, "", *problem)
    whom = (record.whom.channel, record.whom.name, record.whom.member_id, record.whom.email, record.whom.phone)
    return (record.line_no, *whom, record.grade, record.percent, record.reason, "", "", "", "", "")
