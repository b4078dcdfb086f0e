"""Law 2 in numbers: accounts, entries, lots, uses and holds agree with each other.

Each query reads a table once for several checks and gives a row for every mismatch. A query first keeps what is wrong
in any way, and only then says which checks it fails: a million sound accounts are not asked ten questions each.
"""

from collections.abc import Callable

from loyalty.audit.report import Findings
from loyalty.audit.scope import Progress, Scope, fetch, find, windows

# So many entries at a time are joined with what hangs on them: the hash tables stay in memory.
IDS_PER_WINDOW = 1 << 22
# Reading the entries again for some accounts more is cheaper than sums of all accounts that do not fit into memory.
ACCOUNTS_PER_WINDOW = 1 << 18


def check_accounts(scope: Scope, findings: Findings, progress: Progress) -> None:
    """Each account is the sum of its entries, of its lots and of its holds, and its balance runs on from entry to
    entry. These tables know no foreign keys, so entries without their account count as one."""
    if not scope.whole:
        find(findings, _accounts(scope.accounts), scope.values)
        return
    query = _accounts(lambda column: f"{column} BETWEEN %(low)s AND %(high)s")
    low, high = fetch(_ACCOUNT_IDS)[0]
    for start, end in windows(low, high, ACCOUNTS_PER_WINDOW):
        progress("accounts", max(start - low, 0) / max(high - low, 1))
        find(findings, query, {"low": start, "high": end})


def _accounts(among: Callable[[str], str]) -> str:
    return _ACCOUNTS.format(entries=among("account_id"), members=among("a.member_id"), lots=among("account_id"))


# Of whatever names an account, so that an entry whose account is gone is not overlooked.
_ACCOUNT_IDS = """
    SELECT least(min(a.member_id), (SELECT min(account_id) FROM loyalty_entry), 1),
           greatest(max(a.member_id), (SELECT max(account_id) FROM loyalty_entry), 0)
      FROM loyalty_account AS a
"""

# A balance runs on when what the entries found, with what the last one left, is what they left, with the nothing before
# the first. Sums of hashes compare the two without putting the entries of an account in order; only of accounts where
# they differ is every entry looked at.
_ACCOUNTS = """
    WITH entry AS (
        SELECT account_id, sum(points)::bigint AS points, sum(pending)::bigint AS pending, sum(held)::bigint AS held,
               sum(hashint8(balance_after)) + hashint8(0)
               <> sum(hashint8(balance_after - points)) + hashint8(sum(points)::bigint) AS broken
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


def check_entries(scope: Scope, findings: Findings, progress: Progress) -> None:
    """What hangs on an entry, its lot, its hold and what it drew from which lots, is its own and of its size."""
    query = _ENTRIES.format(
        entries=scope.entry_ids("e.id"),
        lots=scope.entry_ids("l.entry_id"),
        uses=scope.entry_ids("u.entry_id"),
        holds=scope.entry_ids("h.entry_id"),
    )
    if not scope.whole:
        find(findings, query, scope.values)
        return
    low, high = fetch(_ENTRY_IDS)[0]
    for start, end in windows(low, high, IDS_PER_WINDOW):
        progress("entries", max(start - low, 0) / max(high - low, 1))
        find(findings, query, {"low": start, "high": end})


# Of whatever names an entry, so that a lot or a use whose entry is gone is not overlooked.
_ENTRY_IDS = """
    SELECT least(e.low, l.low, u.low, h.low, 1), greatest(e.high, l.high, u.high, h.high, 0)
      FROM (SELECT min(id) AS low, max(id) AS high FROM loyalty_entry) AS e,
           (SELECT min(entry_id) AS low, max(entry_id) AS high FROM loyalty_lot) AS l,
           (SELECT min(entry_id) AS low, max(entry_id) AS high FROM loyalty_lotuse) AS u,
           (SELECT min(entry_id) AS low, max(entry_id) AS high FROM loyalty_hold) AS h
"""

# ``moved`` is what an entry added to balance and pending together. Whatever left an account came out of lots to the
# last point; only taking back may leave a debt. What came back went into lots, except for what settled a debt. What
# brings new points has a lot of their size, and nothing else has one. In the checks of ownership the figures are
# accounts.
_ENTRIES = """
    WITH wrong AS (
        SELECT coalesce(e.id, l.entry_id, u.entry_id, h.entry_id) AS entry_id, e.id IS NOT NULL AS known,
               coalesce(e.account_id, l.account_id, h.account_id, u.low_account, 0) AS account_id,
               coalesce(e.account_id, 0) AS entry_account, e.kind, coalesce(e.points, 0) AS points,
               coalesce(e.points + e.pending, 0) AS moved, CASE WHEN e.kind = 'hold' THEN e.held ELSE 0 END AS held,
               l.id AS lot_id, l.account_id AS lot_account, coalesce(l.points, 0) AS lot_points,
               u.entry_id IS NOT NULL AND (
                   u.lost OR u.low_account <> coalesce(e.account_id, 0) OR u.high_account <> coalesce(e.account_id, 0)
               ) AS strays, coalesce(u.points, 0) AS drawn,
               h.id AS hold_id, h.account_id AS hold_account, coalesce(h.points, 0) AS hold_points
          FROM (SELECT * FROM loyalty_entry AS e WHERE {entries}) AS e
          FULL JOIN (SELECT * FROM loyalty_lot AS l WHERE {lots}) AS l ON l.entry_id = e.id
          FULL JOIN (
              SELECT u.entry_id, sum(u.points)::bigint AS points, min(o.account_id) AS low_account,
                     max(o.account_id) AS high_account, bool_or(o.id IS NULL) AS lost
                FROM loyalty_lotuse AS u
                LEFT JOIN loyalty_lot AS o ON o.id = u.lot_id
               WHERE {uses}
               GROUP BY u.entry_id
          ) AS u ON u.entry_id = coalesce(e.id, l.entry_id)
          FULL JOIN (SELECT * FROM loyalty_hold AS h WHERE {holds}) AS h
            ON h.entry_id = coalesce(e.id, l.entry_id, u.entry_id)
         WHERE e.id IS NULL
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
    )
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


def check_lots(scope: Scope, findings: Findings) -> None:
    """Each lot lacks exactly what was drawn from it, and each hold what its entries spent and gave back."""
    if scope.whole:
        query = _LOTS.format(lots="l.id BETWEEN %(low)s AND %(high)s", drawn="u.lot_id BETWEEN %(low)s AND %(high)s")
        low, high = fetch(_LOT_IDS)[0]
        for start, end in windows(low, high, IDS_PER_WINDOW):
            find(findings, query, {"low": start, "high": end})
    else:
        lots = scope.accounts("l.account_id")
        drawn = f"u.lot_id IN (SELECT l.id FROM loyalty_lot AS l WHERE {lots})"
        find(findings, _LOTS.format(lots=lots, drawn=drawn), scope.values)
    find(
        findings,
        _HOLDS.format(holds=scope.accounts("h.account_id"), entries=scope.accounts("e.account_id")),
        scope.values,
    )


_LOT_IDS = "SELECT coalesce(min(id), 1), coalesce(max(id), 0) FROM loyalty_lot"

_LOTS = """
    SELECT 'lot_lacks_what_was_drawn', l.account_id, 'lot ' || l.id, l.points - coalesce(u.points, 0), l.remaining
      FROM loyalty_lot AS l
      LEFT JOIN (
          SELECT u.lot_id, sum(u.points)::bigint AS points FROM loyalty_lotuse AS u WHERE {drawn} GROUP BY u.lot_id
      ) AS u ON u.lot_id = l.id
     WHERE {lots} AND l.remaining <> l.points - coalesce(u.points, 0)
"""

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
