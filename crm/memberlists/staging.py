"""From what a file says to whom each row means, in temporary tables that are gone with the transaction."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

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

_RAW = f"""
CREATE TEMPORARY TABLE crm_list_raw (
    {RAW_COLUMNS}, grade text, percent numeric(5, 2), reason text, {RAW_PROBLEM}
) ON COMMIT DROP
"""

# Of several rows about one member the first one counts; the others say where it stands.
_LISTED = f"""
CREATE TEMPORARY TABLE crm_listed ON COMMIT DROP AS
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


@dataclass(frozen=True, slots=True)
class ListProblem:
    """A row that is left out: the line, the column and what stands there, the code, and whom it seems to mean."""

    line_no: int
    column: str
    value: str
    code: str
    who: str
    contact: str


def stage(records: Iterable[ListRow | RowProblem], titles: Mapping[str, str]) -> None:
    """Put what a file says into ``crm_listed``: a row a line, with the member it means or what is wrong with it."""
    with connection.cursor() as cursor:
        # A preview and its import may share a transaction.
        cursor.execute("DROP TABLE IF EXISTS crm_list_raw, crm_listed")
        cursor.execute(_RAW)
        with cursor.copy("COPY crm_list_raw FROM STDIN") as copy:
            for record in records:
                copy.write_row(_raw(record))
        cursor.execute("ANALYZE crm_list_raw")
        cursor.execute(_LISTED, column_titles(titles))
        cursor.execute("ANALYZE crm_listed")


def problems(limit: int | None) -> list[ListProblem]:
    """The rows of the staged file that are left out, in the order of the file."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT line_no, col, value, code, who, contact FROM crm_listed WHERE code <> '' ORDER BY line_no LIMIT %s",
            [limit],
        )
        return [ListProblem(*row) for row in cursor.fetchall()]


def _raw(record: ListRow | RowProblem) -> tuple[Any, ...]:
    if isinstance(record, RowProblem):
        problem = (record.code, record.column[:120], record.value[:200], record.who[:250], record.contact[:254])
        return (record.line_no, "", "", None, "", "", "", None, "", *problem)
    whom = (record.whom.channel, record.whom.name, record.whom.member_id, record.whom.email, record.whom.phone)
    return (record.line_no, *whom, record.grade, record.percent, record.reason, "", "", "", "", "")
