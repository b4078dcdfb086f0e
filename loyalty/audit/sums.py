"""Law 2 in numbers: accounts, entries, lots, uses and holds agree with each other.

Each query reads a table once for several checks and gives a row for every mismatch. A query first keeps what is wrong
in any way, and only then says which checks it fails: a million sound accounts are not asked ten questions each. A whole
audit only asks them when the ``fingerprints`` of the ledger say that something is wrong.
"""

from collections.abc import Callable, Iterator

from loyalty.audit.reading import Piece, mismatches
from loyalty.audit.report import Findings
from loyalty.audit.scope import Scope, fetch, windows

# So many entries or lots at a time are joined with what hangs on them: it stays in the processor's own memory.
IDS_PER_WINDOW = 1 << 18
# Reading the entries again for some accounts more is cheaper than sums of all accounts that do not fit into memory.
ACCOUNTS_PER_WINDOW = 1 << 18


def row_by_row(scope: Scope, findings: Findings) -> Iterator[Piece]:
    """All that the two sides of a fingerprint could differ in."""
    yield from check_accounts(scope, findings)
    yield from check_entries(scope, findings)
    yield from check_lots(scope, findings)


def check_accounts(scope: Scope, findings: Findings) -> Iterator[Piece]:
    """Each account is the sum of its entries, of its lots and of its holds, and its balance runs on from entry to
    entry. These tables know no foreign keys, so entries without their account count as one."""
    if not scope.whole:
        yield mismatches("accounts", findings, _accounts(scope.accounts), scope.values)
        return
    query = _accounts(lambda column: f"{column} BETWEEN %(low)s AND %(high)s")
    low, high = fetch(_ACCOUNT_IDS)[0]
    for start, end in windows(low, high, ACCOUNTS_PER_WINDOW):
        yield mismatches("accounts", findings, query, {"low": start, "high": end})


def _accounts(among: Callable[[str], str]) -> str:
    return _ACCOUNTS.format(entries=among("account_id"), members=among("a.member_id"), lots=among("account_id"))


_ACCOUNT_IDS = "SELECT coalesce(min(member_id), 1), coalesce(max(member_id), 0) FROM loyalty_account"

# A balance runs on when what the entries found, with what the last one left, is what they left, with the nothing before
# the first. Sums of hashes compare the two without putting the entries of an account in order; only of accounts where
# they differ is every entry looked at. The number is the seed of its hash, as in ``fingerprints``.
_ACCOUNTS = """
    WITH entry AS (
        SELECT account_id, sum(points)::bigint AS points, sum(pending)::bigint AS pending, sum(held)::bigint AS held,
               sum(hashint8extended(0, balance_after)) + hashint8extended(0, 0)
               <> sum(hashint8extended(0, balance_after - points)) + hashint8extended(0, sum(points)::bigint) AS broken
          FROM loyalty_entry
         WHERE {entries}
         GROUP BY account_id
    ), lot AS (
        SELECT account_id, sum(CASE WHEN pending THEN 0 ELSE remaining END)::bigint AS points,
               sum(CASE WHEN pending THEN remaining ELSE 0 END)::bigint AS pending
          FROM loyalty_lot
         WHERE {lots}
         GROUP BY account_id
    ), hold AS (
        SELECT account_id, sum(points - captured - released)::bigint AS points
          FROM loyalty_hold
         WHERE {lots}
         GROUP BY account_id
    ), wrong AS (
        SELECT coalesce(a.member_id, e.account_id) AS account_id, a.member_id IS NOT NULL AS known,
               coalesce(a.balance, 0) AS balance, coalesce(a.pending, 0) AS pending, coalesce(a.held, 0) AS held,
               coalesce(e.points, 0) AS entry_points, coalesce(e.pending, 0) AS entry_pending,
               coalesce(e.held, 0) AS entry_held, coalesce(e.broken, FALSE) AS broken,
               coalesce(l.points, 0) AS lot_points, coalesce(l.pending, 0) AS lot_pending,
               coalesce(h.points, 0) AS hold_points
          FROM (SELECT * FROM loyalty_account AS a WHERE {members}) AS a
          FULL JOIN entry AS e ON e.account_id = a.member_id
          LEFT JOIN lot AS l ON l.account_id = a.member_id
          LEFT JOIN hold AS h ON h.account_id = a.member_id
         WHERE a.member_id IS NULL OR e.broken
            OR a.balance <> coalesce(e.points, 0)
            OR a.pending <> coalesce(e.pending, 0)
            OR a.held <> coalesce(e.held, 0)
            OR greatest(a.balance, 0) <> coalesce(l.points, 0)
            OR a.pending <> coalesce(l.pending, 0)
            OR a.held <> coalesce(h.points, 0)
    )
    SELECT v.law, w.account_id, 'account ' || w.account_id, v.expected, v.actual
      FROM wrong AS w
     CROSS JOIN LATERAL (
         VALUES ('balance_is_sum_of_entries', w.entry_points, w.balance, NOT w.known),
                ('pending_is_sum_of_entries', w.entry_pending, w.pending, FALSE),
                ('held_is_sum_of_entries', w.entry_held, w.held, FALSE),
                ('lots_are_the_balance', greatest(w.balance, 0), w.lot_points, FALSE),
                ('pending_lots_are_the_pending', w.pending, w.lot_pending, FALSE),
                ('holds_are_the_held', w.held, w.hold_points, FALSE)
     ) AS v (law, expected, actual, anyway)
     WHERE v.anyway OR (w.known AND v.expected <> v.actual)
    UNION ALL
    SELECT 'balance_runs_on', w.account_id, 'entry ' || r.id, r.expected, r.balance_after
      FROM wrong AS w
     CROSS JOIN LATERAL (
         SELECT e.id, e.balance_after, (sum(e.points) OVER (ORDER BY e.id))::bigint AS expected
           FROM loyalty_entry AS e
          WHERE e.account_id = w.account_id
     ) AS r
     WHERE w.broken AND r.balance_after <> r.expected
"""


def check_entries(scope: Scope, findings: Findings) -> Iterator[Piece]:
    """What hangs on an entry, its lot, its hold and what it drew from which lots, is its own and of its size."""
    among = {
        "entries": scope.entry_ids("e.id"),
        "lots": scope.entry_ids("l.entry_id"),
        "uses": scope.entry_ids("u.entry_id"),
        "holds": scope.entry_ids("h.entry_id"),
    }
    there, missing = (_HANGING.format(**among | {"entries": base.format(**among)}) for base in (_THERE, _MISSING))
    query = _ENTRIES.format(there=there, missing=missing)
    if not scope.whole:
        yield mismatches("entries", findings, query, scope.values)
        return
    low, high = fetch(_ENTRY_IDS)[0]
    for start, end in windows(low, high, IDS_PER_WINDOW):
        yield mismatches("entries", findings, query, {"low": start, "high": end}, in_order=True)


_ENTRY_IDS = "SELECT coalesce(min(id), 1), coalesce(max(id), 0) FROM loyalty_entry"

# What hangs on entries, and what is wrong with it in any way. ``moved`` is what an entry added to balance and pending
# together. Whatever left an account came out of lots to the last point; only taking back may leave a debt. What came
# back went into lots, except for what settled a debt. What brings new points has a lot of their size, and nothing else
# has one. In the checks of ownership the figures are accounts.
_HANGING = """
        SELECT e.id AS entry_id, e.known,
               coalesce(e.account_id, l.account_id, h.account_id, u.low_account, 0) AS account_id,
               coalesce(e.account_id, 0) AS entry_account, e.kind, e.points, e.points + e.pending AS moved,
               CASE WHEN e.kind = 'hold' THEN e.held ELSE 0 END AS held,
               l.id AS lot_id, l.account_id AS lot_account, coalesce(l.points, 0) AS lot_points,
               u.entry_id IS NOT NULL AND (
                   u.lost OR u.low_account <> coalesce(e.account_id, 0) OR u.high_account <> coalesce(e.account_id, 0)
               ) AS strays, coalesce(u.points, 0) AS drawn,
               h.id AS hold_id, h.account_id AS hold_account, coalesce(h.points, 0) AS hold_points
          FROM {entries} AS e
          LEFT JOIN (SELECT * FROM loyalty_lot AS l WHERE {lots}) AS l ON l.entry_id = e.id
          LEFT JOIN (
              WITH used AS MATERIALIZED (
                  SELECT u.entry_id, u.lot_id, u.points FROM loyalty_lotuse AS u WHERE {uses}
              )
              SELECT u.entry_id, sum(u.points)::bigint AS points, min(o.account_id) AS low_account,
                     max(o.account_id) AS high_account, bool_or(o.id IS NULL) AS lost
                FROM used AS u
                LEFT JOIN (
                    SELECT o.id, o.account_id
                      FROM loyalty_lot AS o
                     WHERE o.id BETWEEN (SELECT min(lot_id) FROM used) AND (SELECT max(lot_id) FROM used)
                ) AS o ON o.id = u.lot_id
               GROUP BY u.entry_id
          ) AS u ON u.entry_id = e.id
          LEFT JOIN (SELECT * FROM loyalty_hold AS h WHERE {holds}) AS h ON h.entry_id = e.id
         WHERE NOT e.known
            OR l.account_id <> e.account_id
            OR coalesce(l.points, 0)
               <> CASE
                      WHEN e.kind IN ('accrual', 'opening', 'adjustment') THEN greatest(e.points + e.pending, 0) ELSE 0
                  END
            OR (e.points + e.pending < 0 AND coalesce(u.points, 0) <> -(e.points + e.pending) AND (
                    e.kind <> 'reversal' OR coalesce(u.points, 0) > -(e.points + e.pending)))
            OR (e.kind IN ('release', 'reversal') AND e.points > 0
                AND -coalesce(u.points, 0) NOT BETWEEN 0 AND e.points)
            OR u.lost OR u.low_account <> e.account_id OR u.high_account <> e.account_id
            OR coalesce(h.points, 0) <> CASE WHEN e.kind = 'hold' THEN e.held ELSE 0 END
            OR h.account_id <> e.account_id
"""
_THERE = """(
    SELECT id, TRUE AS known, account_id, kind, points, pending, held FROM loyalty_entry AS e WHERE {entries}
)"""
# Entries that are not there, but that something hangs on.
_MISSING = """(
    SELECT lost.entry_id AS id, FALSE AS known, NULL::bigint AS account_id, NULL AS kind, 0 AS points, 0 AS pending,
           0 AS held
      FROM (
          SELECT l.entry_id FROM loyalty_lot AS l
           WHERE {lots} AND NOT EXISTS (SELECT FROM loyalty_entry AS e WHERE e.id = l.entry_id AND {entries})
          UNION
          SELECT u.entry_id FROM loyalty_lotuse AS u
           WHERE {uses} AND NOT EXISTS (SELECT FROM loyalty_entry AS e WHERE e.id = u.entry_id AND {entries})
          UNION
          SELECT h.entry_id FROM loyalty_hold AS h
           WHERE {holds} AND NOT EXISTS (SELECT FROM loyalty_entry AS e WHERE e.id = h.entry_id AND {entries})
      ) AS lost
)"""

_ENTRIES = """
    WITH wrong AS MATERIALIZED ({there} UNION ALL {missing})
    SELECT v.law, w.account_id, v.named, v.expected, v.actual
      FROM wrong AS w
     CROSS JOIN LATERAL (
         VALUES ('lot_is_of_its_entry', 'lot ' || w.lot_id, w.lot_account, w.entry_account,
                 w.lot_account <> w.entry_account),
                ('new_points_have_their_lot', 'entry ' || w.entry_id,
                 CASE WHEN w.kind IN ('accrual', 'opening', 'adjustment') THEN greatest(w.moved, 0) ELSE 0 END,
                 w.lot_points,
                 w.known AND w.lot_points <> CASE
                     WHEN w.kind IN ('accrual', 'opening', 'adjustment') THEN greatest(w.moved, 0) ELSE 0
                 END),
                ('entry_drew_what_it_took', 'entry ' || w.entry_id, -w.moved, w.drawn,
                 w.moved < 0 AND w.drawn <> -w.moved AND (w.kind <> 'reversal' OR w.drawn > -w.moved)),
                ('entry_returned_what_it_gave', 'entry ' || w.entry_id, w.points, -w.drawn,
                 w.kind IN ('release', 'reversal') AND w.points > 0 AND -w.drawn NOT BETWEEN 0 AND w.points),
                ('hold_is_of_its_entry', coalesce('hold ' || w.hold_id, 'entry ' || w.entry_id), w.held, w.hold_points,
                 w.held <> w.hold_points OR w.hold_account <> w.entry_account)
     ) AS v (law, named, expected, actual, wrong)
     WHERE v.wrong
    UNION ALL
    SELECT 'entry_drew_on_own_lots', w.account_id, 'lot use ' || u.id, w.entry_account, coalesce(o.account_id, 0)
      FROM wrong AS w
      JOIN loyalty_lotuse AS u ON u.entry_id = w.entry_id
      LEFT JOIN loyalty_lot AS o ON o.id = u.lot_id
     WHERE w.strays AND (o.account_id IS NULL OR o.account_id <> w.entry_account)
"""


def check_lots(scope: Scope, findings: Findings) -> Iterator[Piece]:
    """Each lot lacks exactly what was drawn from it."""
    if scope.whole:
        query = _LOTS.format(lots="l.id BETWEEN %(low)s AND %(high)s", drawn="u.lot_id BETWEEN %(low)s AND %(high)s")
        low, high = fetch(_LOT_IDS)[0]
        for start, end in windows(low, high, IDS_PER_WINDOW):
            yield mismatches("lots", findings, query, {"low": start, "high": end}, in_order=True)
    else:
        lots = scope.accounts("l.account_id")
        drawn = f"u.lot_id IN (SELECT l.id FROM loyalty_lot AS l WHERE {lots})"
        yield mismatches("lots", findings, _LOTS.format(lots=lots, drawn=drawn), scope.values)


_LOT_IDS = "SELECT coalesce(min(id), 1), coalesce(max(id), 0) FROM loyalty_lot"

_LOTS = """
    SELECT 'lot_lacks_what_was_drawn', l.account_id, 'lot ' || l.id, l.points - coalesce(u.points, 0), l.remaining
      FROM loyalty_lot AS l
      LEFT JOIN (
          SELECT u.lot_id, sum(u.points)::bigint AS points FROM loyalty_lotuse AS u WHERE {drawn} GROUP BY u.lot_id
      ) AS u ON u.lot_id = l.id
     WHERE {lots} AND l.remaining <> l.points - coalesce(u.points, 0)
"""


def check_holds(scope: Scope, findings: Findings) -> Iterator[Piece]:
    """Each hold lacks what its entries spent and gave back."""
    holds = _HOLDS.format(holds=scope.accounts("h.account_id"), entries=scope.accounts("e.account_id"))
    yield mismatches("holds", findings, holds, scope.values)


_HOLDS = """
    SELECT 'hold_moved_what_its_entries_say', h.account_id, 'hold ' || h.id, coalesce(e.points, 0),
           h.captured + h.released
      FROM loyalty_hold AS h
      LEFT JOIN (
          SELECT e.about_id, -sum(e.held)::bigint AS points
            FROM loyalty_entry AS e
           WHERE e.kind IN ('capture', 'release') AND {entries}
           GROUP BY e.about_id
      ) AS e ON e.about_id = h.entry_id
     WHERE {holds} AND h.captured + h.released <> coalesce(e.points, 0)
"""
