"""Ledgers to measure with, written set by set. They add up like any other: ``loyalty.audit`` finds no fault in them.

Entries lie in the table as time would have laid them: first the first accrual of everybody, then the second of
everybody, and so on; so one account's rows are spread over the whole table.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.db import connection, transaction

AT = datetime(2026, 6, 30, 12, 0, tzinfo=UTC)  # When everything is measured; the ledger was written before.


@dataclass(frozen=True, slots=True)
class Shape:
    """What every account went through: ``lots`` accruals of a hundred points, then ``burns`` of 150 each.

    Of ``due_of`` lots one has lost its validity by ``AT``, none when it is 0; the others are valid for years.
    """

    lots: int
    burns: int = 0
    due_of: int = 0


LOT_POINTS, BURN_POINTS = 100, 150

_MEMBERS = """
INSERT INTO crm_member (id, name, email, phone, note, joined_at, birthday)
SELECT n, 'Member ' || n, '', '', '', %(begun)s, DATE '1990-01-01' + n %% 365 FROM generate_series(1, %(members)s) AS n
"""

_ACCOUNTS = """
INSERT INTO loyalty_account (member_id, balance, pending, held, version)
SELECT n, %(lots)s * %(lot_points)s - %(burns)s * %(burn_points)s, 0, 0, %(lots)s + %(burns)s
  FROM generate_series(1, %(members)s) AS n
"""

# Two of three accruals are the first of their order and carry its award; the other lines are shorter. In a table of
# long lines only, each later and shorter one would find room in a page of its own, from months ago.
_ENTRIES = """
INSERT INTO loyalty_entry (
    id, account_id, kind, points, pending, held, balance_after, key, digest, effective_at, recorded_at, reference,
    reason, trace
)
SELECT (step - 1) * %(members)s::bigint + n, n,
       CASE WHEN step <= %(lots)s THEN 'accrual' ELSE 'burn' END,
       CASE WHEN step <= %(lots)s THEN %(lot_points)s ELSE -%(burn_points)s END, 0, 0,
       least(step, %(lots)s) * %(lot_points)s - greatest(step - %(lots)s, 0) * %(burn_points)s,
       'order:bench:' || step || '-' || n || ':accrual', decode(md5(step || '-' || n), 'hex'),
       %(begun)s::timestamptz + step * interval '1 day', %(begun)s::timestamptz + step * interval '1 day', 'bench', '',
       CASE WHEN step > %(lots)s THEN '{}'
            WHEN (step + n) %% 3 = 0 THEN '{"set": 0, "paid": "100.00", "worth": 100, "before": 0}'
            ELSE '{"set": 0, "award": {"set": 0, "rules": [["spend", "spend", 10000, "1/1", 100, "down"]]}, '
                 '"paid": "100.00", "worth": 100, "before": 0}'
       END::jsonb
  FROM generate_series(1, %(lots)s + %(burns)s) AS step, generate_series(1, %(members)s) AS n
"""

# Lots and burns are laid end to end on a line of points; a burn drew from the lots that it overlaps.
_USES = """
INSERT INTO loyalty_lotuse (entry_id, lot_id, points)
SELECT (%(lots)s + b - 1) * %(members)s::bigint + n, (l - 1) * %(members)s::bigint + n,
       least(b * %(burn_points)s, l * %(lot_points)s) - greatest((b - 1) * %(burn_points)s, (l - 1) * %(lot_points)s)
  FROM generate_series(1, %(burns)s) AS b
  JOIN generate_series(1, %(lots)s) AS l
    ON (l - 1) * %(lot_points)s < b * %(burn_points)s AND l * %(lot_points)s > (b - 1) * %(burn_points)s
 CROSS JOIN generate_series(1, %(members)s) AS n
"""

_LOTS = """
INSERT INTO loyalty_lot (id, account_id, entry_id, points, remaining, pending, available_at, expires_at)
SELECT number, n, number, %(lot_points)s,
       least(%(lot_points)s, greatest(l * %(lot_points)s - %(burns)s * %(burn_points)s, 0)), FALSE,
       %(begun)s::timestamptz + l * interval '1 day',
       %(at)s::timestamptz + CASE
           WHEN number %% nullif(%(due_of)s, 0) = 0 THEN interval '-1 hour' ELSE least(l, 1000) * interval '100 days'
       END
  FROM generate_series(1, %(lots)s) AS l, generate_series(1, %(members)s) AS n,
       LATERAL (SELECT (l - 1) * %(members)s::bigint + n) AS numbered (number)
"""


def fill(members: int, shape: Shape) -> None:
    """Write a ledger of ``members`` accounts into the empty tables, and leave the server rested. Of 365 members one has
    his birthday on each day of the year."""
    values: dict[str, int | datetime] = {
        "members": members, "lots": shape.lots, "burns": shape.burns, "due_of": shape.due_of, "at": AT,
        "begun": AT - timedelta(days=300), "lot_points": LOT_POINTS, "burn_points": BURN_POINTS,
    }  # fmt: skip
    with (
        _without_indexes("loyalty_entry", "loyalty_lot", "loyalty_lotuse"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        # Nobody may write these tables but the journal, which this plays here.
        cursor.execute("SET LOCAL loyalty.journal = 'on'")
        for statement in (_MEMBERS, _ACCOUNTS, _ENTRIES, _LOTS, _USES):
            cursor.execute(_spelled_out(statement, values))
        for table in ("crm_member", "loyalty_entry", "loyalty_lot"):
            cursor.execute(f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), max(id)) FROM {table}")
    rest()


def rest() -> None:
    """Let the server do what it would have done in time: gather statistics, and write everything to disk."""
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
        cursor.execute("CHECKPOINT")


@contextmanager
def _without_indexes(*tables: str) -> Iterator[None]:
    """Take the indexes off, those of unique keys too, and make them anew, each from rows that were sorted: much sooner
    done than keeping them up. What they guard is looked at then."""
    with connection.cursor() as cursor:
        cursor.execute(_INDEXES, [list(tables)])
        indexes = cursor.fetchall()
        for drop, _make in indexes:
            cursor.execute(drop)
        yield
        cursor.execute("SET maintenance_work_mem = '256MB'")
        for _drop, make in indexes:
            cursor.execute(make)
        cursor.execute("RESET maintenance_work_mem")


_INDEXES = """
SELECT CASE WHEN c.oid IS NULL THEN format('DROP INDEX %%s', i.indexrelid::regclass)
            ELSE format('ALTER TABLE %%s DROP CONSTRAINT %%I', i.indrelid::regclass, c.conname) END,
       CASE WHEN c.oid IS NULL THEN pg_get_indexdef(i.indexrelid)
            ELSE format('ALTER TABLE %%s ADD CONSTRAINT %%I %%s', i.indrelid::regclass, c.conname,
                        pg_get_constraintdef(c.oid)) END
  FROM pg_index AS i
  LEFT JOIN pg_constraint AS c ON c.conindid = i.indexrelid AND c.conrelid = i.indrelid
 WHERE i.indrelid = ANY (%s::regclass[])
"""


def proven(what: str) -> None:
    """Stop the benchmark unless the ledger adds up after ``what``."""
    from loyalty.audit import audit

    report = audit()
    if not report.ok:
        raise SystemExit(f"the ledger does not add up after {what}: {report.mismatches[:3]}")


def _spelled_out(statement: str, values: dict[str, int | datetime]) -> str:
    """The statement with its figures in it: as parameters they would have no type in ``generate_series``."""
    return statement % {
        name: f"'{value.isoformat()}'" if isinstance(value, datetime) else value for name, value in values.items()
    }
