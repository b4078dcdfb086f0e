"""The proof that the ledger adds up (law 2), for all accounts, in a few set-based statements.

Each check is a query that gives a row for every mismatch and none when the law holds. They run in one repeatable-read
transaction, so an audit under load sees one instant and never a posting half-way.
"""

from dataclasses import asdict, dataclass
from typing import Any

from django.db import connection, transaction

# Enough to see what is wrong; the count says how much more there is.
NAMED_ROWS = 1000


@dataclass(frozen=True, slots=True)
class Mismatch:
    """One place where the ledger does not add up: which law, which account, which row, what it should be and what it
    is."""

    check: str
    account_id: int
    row: str
    expected: int
    actual: int


@dataclass(frozen=True, slots=True)
class AuditReport:
    """The result of an audit. Figures are in points."""

    accounts: int
    entries: int
    lots: int
    balance: int
    pending: int
    debt: int
    mismatch_count: int
    mismatches: tuple[Mismatch, ...]

    @property
    def ok(self) -> bool:
        return not self.mismatch_count

    def as_json(self) -> dict[str, Any]:
        """For machines: the figures, and the mismatches by name."""
        return {"ok": self.ok, **asdict(self)}


_CHECKS = {
    # The account row is the sum of its entries, and no entry is without its account: these tables know no foreign keys.
    "balance_is_sum_of_entries": """
        SELECT coalesce(a.member_id, e.account_id), 'account ' || coalesce(a.member_id, e.account_id),
               coalesce(e.points, 0), coalesce(a.balance, 0)
          FROM loyalty_account AS a
          FULL JOIN (SELECT account_id, sum(points)::bigint AS points FROM loyalty_entry GROUP BY account_id) AS e
            ON e.account_id = a.member_id
         WHERE a.member_id IS NULL OR a.balance <> coalesce(e.points, 0)
    """,
    "pending_is_sum_of_entries": """
        SELECT a.member_id, 'account ' || a.member_id, coalesce(e.points, 0), a.pending
          FROM loyalty_account AS a
          LEFT JOIN (SELECT account_id, sum(pending)::bigint AS points FROM loyalty_entry GROUP BY account_id) AS e
            ON e.account_id = a.member_id
         WHERE a.pending <> coalesce(e.points, 0)
    """,
    "held_is_sum_of_entries": """
        SELECT a.member_id, 'account ' || a.member_id, coalesce(e.points, 0), a.held
          FROM loyalty_account AS a
          LEFT JOIN (SELECT account_id, sum(held)::bigint AS points FROM loyalty_entry GROUP BY account_id) AS e
            ON e.account_id = a.member_id
         WHERE a.held <> coalesce(e.points, 0)
    """,
    # What the lots still hold is what the account may spend; an account in debt holds nothing.
    "lots_are_the_balance": """
        SELECT a.member_id, 'account ' || a.member_id, greatest(a.balance, 0), coalesce(l.points, 0)
          FROM loyalty_account AS a
          LEFT JOIN (
              SELECT account_id, sum(remaining)::bigint AS points FROM loyalty_lot WHERE NOT pending GROUP BY account_id
          ) AS l ON l.account_id = a.member_id
         WHERE greatest(a.balance, 0) <> coalesce(l.points, 0)
    """,
    "pending_lots_are_the_pending": """
        SELECT a.member_id, 'account ' || a.member_id, a.pending, coalesce(l.points, 0)
          FROM loyalty_account AS a
          LEFT JOIN (
              SELECT account_id, sum(remaining)::bigint AS points FROM loyalty_lot WHERE pending GROUP BY account_id
          ) AS l ON l.account_id = a.member_id
         WHERE a.pending <> coalesce(l.points, 0)
    """,
    # A lot is of one account with its entry and with whoever draws on it. Expected and actual are accounts here.
    "lot_is_of_its_entry": """
        SELECT l.account_id, 'lot ' || l.id, l.account_id, coalesce(e.account_id, 0)
          FROM loyalty_lot AS l
          LEFT JOIN loyalty_entry AS e ON e.id = l.entry_id
         WHERE l.account_id IS DISTINCT FROM e.account_id
    """,
    "entry_drew_on_own_lots": """
        SELECT coalesce(e.account_id, l.account_id, 0), 'lot use ' || u.id, coalesce(e.account_id, 0),
               coalesce(l.account_id, 0)
          FROM loyalty_lotuse AS u
          LEFT JOIN loyalty_entry AS e ON e.id = u.entry_id
          LEFT JOIN loyalty_lot AS l ON l.id = u.lot_id
         WHERE e.account_id IS DISTINCT FROM l.account_id OR l.account_id IS NULL
    """,
    # Each lot lacks exactly what was drawn from it.
    "lot_lacks_what_was_drawn": """
        SELECT l.account_id, 'lot ' || l.id, l.points - coalesce(u.points, 0), l.remaining
          FROM loyalty_lot AS l
          LEFT JOIN (SELECT lot_id, sum(points)::bigint AS points FROM loyalty_lotuse GROUP BY lot_id) AS u
            ON u.lot_id = l.id
         WHERE l.remaining <> l.points - coalesce(u.points, 0)
    """,
    # Whatever left an account came out of lots to the last point; only taking back may leave a debt.
    "entry_drew_what_it_took": """
        SELECT e.account_id, 'entry ' || e.id, -(e.points + e.pending), coalesce(u.points, 0)
          FROM loyalty_entry AS e
          LEFT JOIN (SELECT entry_id, sum(points)::bigint AS points FROM loyalty_lotuse GROUP BY entry_id) AS u
            ON u.entry_id = e.id
         WHERE e.points + e.pending < 0
           AND (coalesce(u.points, 0) > -(e.points + e.pending)
                OR (e.kind <> 'reversal' AND coalesce(u.points, 0) <> -(e.points + e.pending)))
    """,
    # Each entry starts from the balance that the one before left behind.
    "balance_runs_on": """
        SELECT r.account_id, 'entry ' || r.id, r.expected::bigint, r.balance_after
          FROM (
              SELECT account_id, id, balance_after, sum(points) OVER (PARTITION BY account_id ORDER BY id) AS expected
                FROM loyalty_entry
          ) AS r
         WHERE r.balance_after <> r.expected
    """,
    # What brings new points has a lot of their size; nothing else has one.
    "new_points_have_their_lot": """
        SELECT e.account_id, 'entry ' || e.id, greatest(e.points + e.pending, 0), coalesce(l.points, 0)
          FROM loyalty_entry AS e
          LEFT JOIN loyalty_lot AS l ON l.entry_id = e.id
         WHERE coalesce(l.points, 0) <> CASE
                   WHEN e.kind IN ('accrual', 'opening', 'adjustment') THEN greatest(e.points + e.pending, 0) ELSE 0
               END
    """,
    # What came back went into lots, except for what settled a debt.
    "entry_returned_what_it_gave": """
        SELECT e.account_id, 'entry ' || e.id, e.points, -coalesce(u.points, 0)
          FROM loyalty_entry AS e
          LEFT JOIN (SELECT entry_id, sum(points)::bigint AS points FROM loyalty_lotuse GROUP BY entry_id) AS u
            ON u.entry_id = e.id
         WHERE e.kind IN ('release', 'reversal') AND e.points > 0 AND -coalesce(u.points, 0) NOT BETWEEN 0 AND e.points
    """,
    # What is held is what the holds have neither spent nor given back.
    "holds_are_the_held": """
        SELECT a.member_id, 'account ' || a.member_id, a.held, coalesce(h.points, 0)
          FROM loyalty_account AS a
          LEFT JOIN (
              SELECT account_id, sum(points - captured - released)::bigint AS points FROM loyalty_hold GROUP BY account_id
          ) AS h ON h.account_id = a.member_id
         WHERE a.held <> coalesce(h.points, 0)
    """,
    # Each hold has spent and given back what its entries say.
    "hold_moved_what_its_entries_say": """
        SELECT h.account_id, 'hold ' || h.id, coalesce(e.points, 0), h.captured + h.released
          FROM loyalty_hold AS h
          LEFT JOIN (
              SELECT about_id, -sum(held)::bigint AS points
                FROM loyalty_entry WHERE kind IN ('capture', 'release') GROUP BY about_id
          ) AS e ON e.about_id = h.entry_id
         WHERE h.captured + h.released <> coalesce(e.points, 0)
    """,
}


def audit() -> AuditReport:
    """Prove law 2 for every account. Reads only."""
    with transaction.atomic(), connection.cursor() as cursor:
        if not connection.in_atomic_block or not connection.savepoint_ids:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        cursor.execute("""
            SELECT count(*), coalesce(sum(balance), 0)::bigint, coalesce(sum(pending), 0)::bigint,
                   coalesce(sum(greatest(-balance, 0)), 0)::bigint
              FROM loyalty_account
        """)
        accounts, balance, pending, debt = cursor.fetchone()
        cursor.execute("SELECT (SELECT count(*) FROM loyalty_entry), (SELECT count(*) FROM loyalty_lot)")
        entries, lots = cursor.fetchone()
        found: list[Mismatch] = []
        count = 0
        for check, query in _CHECKS.items():
            cursor.execute(f"SELECT *, count(*) OVER () FROM ({query}) AS mismatch ORDER BY 1, 2 LIMIT {NAMED_ROWS}")
            rows = cursor.fetchall()
            count += rows[0][-1] if rows else 0
            found += [Mismatch(check, *row[:-1]) for row in rows]
    return AuditReport(
        accounts,
        entries,
        lots,
        balance,
        pending,
        debt,
        count,
        tuple(found[:NAMED_ROWS]),
    )
