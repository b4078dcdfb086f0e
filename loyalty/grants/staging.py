"""From what a file says to the rows of a grant: whom each row means, which are the same, which were given before.

Records go by COPY into a temporary table and from there in one statement into the rows, so that memory stays small and
a hundred thousand rows take seconds. Whom a row means is the ground floor's to say (``crm.memberfiles.whom``).
"""

import json
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Any

from django.db import connection
from django.db.models import QuerySet

from crm.filekit import (
    CONTACT,
    MAX_ROWS,
    RAW_COLUMNS,
    RAW_PROBLEM,
    WHO,
    WRONG_COLUMN,
    WRONG_VALUE,
    RowProblem,
    channels_of,
    column_titles,
    judged_rows,
)
from loyalty.grants.rows import GrantRecord

_TABLE = "loyalty_grant_raw"
_RAW = f"""
CREATE TEMPORARY TABLE {_TABLE} (
    {RAW_COLUMNS}, points bigint, reason text, valid_through date, detail jsonb, {RAW_PROBLEM}
) ON COMMIT DROP
"""
_COPY = f"COPY {_TABLE} FROM STDIN"
CHANNELS = channels_of(_TABLE)

_ROWS = f"""
INSERT INTO loyalty_grantrow (
    grant_id, line_no, seq, who, contact, member_id, points, reason, valid_through, detail, fact, repetition, before_id,
    short, code, "column", value, outcome
)
WITH {judged_rows(_TABLE)}, placed AS (
    SELECT j.*,
           row_number() OVER alike AS occurrence,
           first_value(j.line_no) OVER alike AS first_line,
           row_number() OVER (PARTITION BY j.verdict = '' ORDER BY j.found_id, j.points < 0, j.line_no) AS place
      FROM judged AS j
    WINDOW alike AS (
        PARTITION BY j.verdict = '', j.found_id, j.points, j.reason, j.valid_through ORDER BY j.line_no
    )
), facts AS MATERIALIZED (
    SELECT s.*, CASE WHEN s.verdict = '' THEN sha256(convert_to(concat_ws(
               '|', s.found_id, s.points, s.occurrence, coalesce(to_char(s.valid_through, 'YYYY-MM-DD'), ''), s.reason
           ), 'UTF8')) END AS fact
      FROM placed AS s
)
SELECT %(grant)s, f.line_no, CASE WHEN f.verdict = '' THEN f.place END,
       {WHO},
       {CONTACT},
       CASE WHEN f.verdict = '' THEN f.found_id END, f.points, f.reason, f.valid_through, f.detail, f.fact, 0,
       b.grant_id, FALSE,
       CASE WHEN f.verdict = '' AND f.occurrence > 1 THEN 'duplicate' ELSE f.verdict END,
       CASE f.verdict{WRONG_COLUMN}
           ELSE f.col
       END,
       CASE f.verdict
           WHEN '' THEN CASE WHEN f.occurrence > 1 THEN f.first_line::text ELSE '' END{WRONG_VALUE}
           ELSE f.value
       END,
       ''
  FROM facts AS f
  LEFT JOIN LATERAL (
      SELECT g.grant_id FROM loyalty_grantrow AS g
       WHERE g.fact = f.fact AND g.outcome = 'given' ORDER BY g.repetition DESC LIMIT 1
  ) AS b ON TRUE
 ORDER BY f.line_no
"""

# Deductions of a member are tried in their order, after what he is given; a debt is settled by that first. What was
# taken before is not taken again.
_SHORT = """
WITH takers AS (
    SELECT r.member_id, coalesce(sum(r.points) FILTER (WHERE r.points > 0 AND r.code = ''), 0) AS given
      FROM loyalty_grantrow AS r
     WHERE r.grant_id = %(grant)s AND r.seq IS NOT NULL AND r.before_id IS NULL
     GROUP BY r.member_id
    HAVING bool_or(r.points < 0)
), holdings AS (
    SELECT t.member_id, greatest(t.given + least(coalesce(a.balance, 0), 0), 0) + (
               SELECT coalesce(sum(l.remaining), 0) FROM loyalty_lot AS l
                WHERE l.account_id = t.member_id AND l.open AND NOT l.pending
                  AND (l.expires_at IS NULL OR l.expires_at > %(at)s)
           ) AS points
      FROM takers AS t
      LEFT JOIN loyalty_account AS a ON a.member_id = t.member_id
)
UPDATE loyalty_grantrow AS r SET short = TRUE
  FROM (
      SELECT t.id, h.points, sum(-t.points) OVER (PARTITION BY t.member_id ORDER BY t.seq) AS wanted
        FROM loyalty_grantrow AS t
        JOIN holdings AS h ON h.member_id = t.member_id
       WHERE t.grant_id = %(grant)s AND t.points < 0 AND t.seq IS NOT NULL AND t.before_id IS NULL AND t.code = ''
  ) AS taken
 WHERE r.id = taken.id AND taken.wanted > taken.points
"""


def stage_records(records: Iterable[GrantRecord | RowProblem]) -> None:
    """Put what a file says into the temporary table. Needs a transaction, at whose end the table is gone."""
    with connection.cursor() as cursor:
        cursor.execute(_RAW)
        with cursor.copy(_COPY) as copy:
            for record in records:
                copy.write_row(_raw(record))


def stage_members(chosen: "QuerySet[Any]", points: int, valid_through: date | None) -> int:
    """Put chosen members, all with the same points, into the temporary table; the answer is how many. ``chosen`` is a
    query of them, which the database runs by itself, so that a hundred thousand do not pass through here."""
    query, parameters = chosen.order_by().values("pk").query.sql_with_params()
    with connection.cursor() as cursor:
        cursor.execute(_RAW)
        cursor.execute(
            "INSERT INTO loyalty_grant_raw SELECT row_number() OVER (ORDER BY c.id), '', '', c.id, '', '', %s, '', %s,"
            f" NULL, '', '', '', '', '' FROM (SELECT DISTINCT id FROM ({query}) AS m (id)) AS c LIMIT %s",
            [points, valid_through, *parameters, MAX_ROWS + 1],
        )
        return int(cursor.rowcount)


def write_rows(grant_id: int, titles: Mapping[str, str], *, at: datetime) -> None:
    """Make the rows of a grant from the temporary table, and mark the deductions for which a balance does not suffice
    ``at`` that instant. ``titles`` are the names of the file's columns, by field."""
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE loyalty_grant_raw")
        cursor.execute(_ROWS, {"grant": grant_id, **column_titles(titles)})
        # The next statements meet a table that may have been empty a moment ago, and would be planned for that.
        cursor.execute("ANALYZE loyalty_grantrow")
        cursor.execute(_SHORT, {"grant": grant_id, "at": at})


def forget_records() -> None:
    """Drop the temporary table, so that the next one can be made in the same transaction."""
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE loyalty_grant_raw")


def _raw(record: GrantRecord | RowProblem) -> tuple[Any, ...]:
    if isinstance(record, RowProblem):
        problem = (record.code, record.column[:120], record.value[:200], record.who[:250], record.contact[:254])
        return (record.line_no, "", "", None, "", "", 0, "", None, None, *problem)
    return (
        record.line_no, record.channel, record.name, record.member_id, record.email, record.phone, record.points,
        record.reason, record.valid_through, record.detail and json.dumps(record.detail), "", "", "", "", "",
    )  # fmt: skip
