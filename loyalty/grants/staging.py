"""From what a file says to the rows of a grant: whom each row means, which are the same, which were given before.

Records go by COPY into a temporary table and from there in one statement into the rows, so that memory stays small and
a hundred thousand rows take seconds. Whom a row means is found by exact names only: a member's number, his name on a
channel, or an address or phone that exactly one member has. When a row has several of them, all must mean him.
"""

import json
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Any

from django.db import connection
from django.db.models import QuerySet

from loyalty.grants import columns as c
from loyalty.grants.rows import MAX_ROWS, GrantRecord, RowProblem

_RAW = """
CREATE TEMPORARY TABLE loyalty_grant_raw (
    line_no integer, channel text, name text, member_no bigint, email text, phone text, points bigint, reason text,
    valid_through date, detail jsonb, code text, col text, value text, who text, contact text
) ON COMMIT DROP
"""
_COPY = "COPY loyalty_grant_raw FROM STDIN"

# Which channel a row means, by code or name.
CHANNELS = """
    SELECT r.channel AS given, (
               SELECT min(k.id) FROM crm_channel AS k
                WHERE lower(k.code) = lower(r.channel) OR k.name = r.channel HAVING count(*) = 1
           ) AS id
      FROM (SELECT DISTINCT channel FROM loyalty_grant_raw WHERE name <> '' AND channel <> '') AS r
     UNION ALL
    -- A shop with one channel need not name it.
    SELECT '', min(k.id) FROM crm_channel AS k HAVING count(*) = 1
"""

# Both tables keep addresses in lower case or have an index on that, and phones as digits.
_HOLDERS = """
    SELECT held.contact, array_agg(DISTINCT held.member_id) AS members
      FROM (
          SELECT {own} AS contact, m.id AS member_id FROM crm_member AS m
           WHERE m.{field} <> '' AND {own} IN (SELECT {field} FROM loyalty_grant_raw WHERE {field} <> '')
           UNION ALL
          SELECT i.{field}, i.member_id FROM crm_identity AS i
           WHERE i.{field} <> '' AND i.{field} IN (SELECT {field} FROM loyalty_grant_raw WHERE {field} <> '')
      ) AS held
     GROUP BY 1
"""

_ROWS = f"""
INSERT INTO loyalty_grantrow (
    grant_id, line_no, seq, who, contact, member_id, points, reason, valid_through, detail, fact, repetition, before_id,
    short, code, "column", value, outcome
)
WITH channels AS ({CHANNELS}), emails AS ({_HOLDERS.format(field="email", own="lower(m.email)")}),
phones AS ({_HOLDERS.format(field="phone", own="m.phone")}), found AS (
    SELECT r.*, k.id AS channel_id, m.id AS by_number, i.member_id AS by_name,
           e.members AS by_email, p.members AS by_phone,
           coalesce(
               m.id, i.member_id, CASE WHEN cardinality(e.members) = 1 THEN e.members[1] END,
               CASE WHEN cardinality(p.members) = 1 THEN p.members[1] END
           ) AS found_id
      FROM loyalty_grant_raw AS r
      LEFT JOIN channels AS k ON r.name <> '' AND k.given = r.channel
      LEFT JOIN crm_member AS m ON m.id = r.member_no
      LEFT JOIN crm_identity AS i ON i.channel_id = k.id AND i.external_id = r.name
      LEFT JOIN emails AS e ON e.contact = r.email AND r.email <> ''
      LEFT JOIN phones AS p ON p.contact = r.phone AND r.phone <> ''
), judged AS (
    SELECT f.*, CASE
               WHEN f.code <> '' THEN f.code
               WHEN f.name <> '' AND f.channel_id IS NULL AND f.channel <> '' THEN 'unknown_channel'
               WHEN f.name <> '' AND f.channel_id IS NULL THEN 'channel_missing'
               WHEN f.member_no IS NOT NULL AND f.by_number IS NULL THEN 'unknown_member'
               WHEN f.name <> '' AND f.by_name IS NULL THEN 'unknown_name'
               WHEN f.by_number <> f.by_name OR NOT f.found_id = ANY (f.by_email) OR NOT f.found_id = ANY (f.by_phone)
                   THEN 'identities_differ'
               WHEN f.found_id IS NULL AND greatest(cardinality(f.by_email), cardinality(f.by_phone)) > 1
                   THEN 'ambiguous_contact'
               WHEN f.found_id IS NULL THEN 'unknown_contact'
               ELSE ''
           END AS verdict
      FROM found AS f
), placed AS (
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
       CASE
           WHEN f.who <> '' THEN f.who
           WHEN f.name <> '' THEN concat_ws(' · ', nullif(f.channel, ''), f.name)
           WHEN f.member_no IS NOT NULL THEN '#' || f.member_no
           ELSE ''
       END,
       CASE WHEN f.contact <> '' THEN f.contact WHEN f.email <> '' THEN f.email ELSE f.phone END,
       CASE WHEN f.verdict = '' THEN f.found_id END, f.points, f.reason, f.valid_through, f.detail, f.fact, 0,
       b.grant_id, FALSE,
       CASE WHEN f.verdict = '' AND f.occurrence > 1 THEN 'duplicate' ELSE f.verdict END,
       CASE f.verdict
           WHEN 'unknown_channel' THEN %(channel)s
           WHEN 'channel_missing' THEN %(name)s
           WHEN 'unknown_name' THEN %(name)s
           WHEN 'unknown_member' THEN %(member)s
           WHEN 'ambiguous_contact' THEN CASE WHEN f.email <> '' THEN %(email)s ELSE %(phone)s END
           WHEN 'unknown_contact' THEN CASE WHEN f.email <> '' THEN %(email)s ELSE %(phone)s END
           WHEN 'identities_differ' THEN ''
           ELSE f.col
       END,
       CASE f.verdict
           WHEN '' THEN CASE WHEN f.occurrence > 1 THEN f.first_line::text ELSE '' END
           WHEN 'unknown_channel' THEN f.channel
           WHEN 'channel_missing' THEN f.name
           WHEN 'unknown_name' THEN f.name
           WHEN 'unknown_member' THEN f.member_no::text
           WHEN 'ambiguous_contact' THEN left(CASE WHEN f.email <> '' THEN f.email ELSE f.phone END, 200)
           WHEN 'unknown_contact' THEN left(CASE WHEN f.email <> '' THEN f.email ELSE f.phone END, 200)
           WHEN 'identities_differ' THEN ''
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
    parameters = {field: titles.get(field, "") for field in (c.CHANNEL, c.NAME, c.MEMBER, c.EMAIL, c.PHONE)}
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE loyalty_grant_raw")
        cursor.execute(_ROWS, {"grant": grant_id, **parameters})
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
