"""Law 2 at a glance: both sides of each law as one number, for the whole ledger.

Most laws say of two sets of rows that they are the same: the lots are what the entries brought, the balances are where
the entries end. To find out which row lacks its partner every row has to look for it, and that is most of the work.
To find out whether any lacks one, the rows of either side are hashed, and the hashes are added up in whatever order
the rows lie. The hash of each is 64 bits long and depends on a key that is drawn for each audit, so that nobody can
prepare rows whose hashes make up for each other: sums that agree by chance are rarer than one in a trillion audits.

What differs is not named here. If anything does, the exact queries of ``sums`` say what it is.
"""

import secrets
from collections import Counter
from collections.abc import Iterator
from functools import partial
from typing import Any

from loyalty.audit.reading import Piece
from loyalty.audit.scope import Rows, fetch, windows

# What is joined lies in order, so that the size of a window only decides how evenly the sessions share the work.
IDS_PER_WINDOW = 1 << 18


class Fingerprints:
    """The two sides of every law: pieces to read, and whether they came to the same."""

    def __init__(self) -> None:
        self._key = secrets.randbits(63)
        self._differences: Counter[str] = Counter()

    def pieces(self) -> Iterator[Piece]:
        """Every account, entry, lot, use and hold, window by window."""
        for part, table, ids, query, sums in _PARTS:
            low, high = fetch(f"SELECT coalesce(min({ids}), 1), coalesce(max({ids}), 0) FROM {table}")[0]
            take = partial(self._take, sums)
            for start, end in windows(low, high, IDS_PER_WINDOW):
                values: dict[str, Any] = {"low": start, "high": end, "key": self._key}
                yield Piece(part, query, values, take, in_order=True)

    def _take(self, sums: tuple[str, ...], rows: Rows) -> None:
        [found] = rows
        for name, value in zip(sums, found, strict=True):
            self._differences[name] += int(value or 0)

    @property
    def agree(self) -> bool:
        """Whether every law holds, as far as all pieces were read."""
        return not any(self._differences.values())


def _hashed(value: str, *, by: str) -> str:
    """All 64 bits of a number, hashed with all 64 bits of another. As the number to be hashed PostgreSQL would fold it
    to 32 bits first; as the seed it does not."""
    return f"hashint8extended(0, ({value}) # {by})"


def _parted(value: str, *, account: str, entry: str) -> str:
    """What hangs on an entry: its account, the entry and its size, in one hash. ``account`` is hashed already."""
    return _hashed(value, by=_hashed(entry, by=account))


# Sub-queries with an order, or with an offset, are not dissolved by the planner: each account is hashed once a row.
_ACCOUNT = _hashed("account_id", by="%(key)s")

# Entries of accounts that are not there. Where they cancel out no sum would show them.
_STRANGERS = """
    SELECT count(*)
      FROM loyalty_entry AS e
     WHERE e.account_id BETWEEN %(low)s AND %(high)s
       AND NOT EXISTS (
           SELECT FROM loyalty_account AS a
            WHERE a.member_id = e.account_id AND a.member_id BETWEEN %(low)s AND %(high)s
       )
"""

_ACCOUNTS = f"""
    SELECT sum({_hashed("0", by="a.hash")}) - sum({_hashed("a.balance", by="a.hash")}),
           -sum(a.hash::numeric * a.pending) FILTER (WHERE a.pending <> 0),
           -sum(a.hash::numeric * a.held) FILTER (WHERE a.held <> 0),
           sum(a.hash::numeric * a.balance) FILTER (WHERE a.balance > 0),
           sum(a.hash::numeric * a.pending) FILTER (WHERE a.pending <> 0),
           sum(a.hash::numeric * a.held) FILTER (WHERE a.held <> 0)
      FROM (
          SELECT balance, pending, held, {_hashed("member_id", by="%(key)s")} AS hash
            FROM loyalty_account
           WHERE member_id BETWEEN %(low)s AND %(high)s
          OFFSET 0
      ) AS a
"""

# A balance runs on when what the entries of an account left, with the nothing before the first, is what they found,
# with what the account has now; then it is the sum of their points, too. Each use counts for its account twice, as its
# entry names that and as its lot does. In order of ids the rows of both tables are merged as they lie.
_ENTRIES = f"""
    SELECT count(*) FILTER (WHERE e.id IS NULL
               OR (e.moved < 0 AND coalesce(u.points, 0) <> -e.moved
                   AND (e.kind <> 'reversal' OR coalesce(u.points, 0) > -e.moved))
               OR (e.points > 0 AND e.kind IN ('release', 'reversal')
                   AND -coalesce(u.points, 0) NOT BETWEEN 0 AND e.points)),
           sum({_hashed("e.balance_after", by="e.hash")})
           - sum({_hashed("e.balance_after - e.points", by="e.hash")}),
           sum(e.hash::numeric * e.pending) FILTER (WHERE e.pending <> 0),
           sum(e.hash::numeric * e.held) FILTER (WHERE e.held <> 0),
           sum({_parted("e.moved", account="e.hash", entry="e.id")})
               FILTER (WHERE e.moved > 0 AND e.kind IN ('accrual', 'opening', 'adjustment')),
           sum({_parted("e.held", account="e.hash", entry="e.id")}) FILTER (WHERE e.kind = 'hold'),
           sum(u.hash * e.account_id)
      FROM (
          SELECT id, account_id, kind, points, held, pending, points + pending AS moved, balance_after,
                 {_ACCOUNT} AS hash
            FROM loyalty_entry
           WHERE id BETWEEN %(low)s AND %(high)s
           ORDER BY id
      ) AS e
      FULL JOIN (
          SELECT entry_id, sum(points)::bigint AS points, sum({_hashed("id", by="%(key)s")}) AS hash
            FROM loyalty_lotuse
           WHERE entry_id BETWEEN %(low)s AND %(high)s
           GROUP BY entry_id
      ) AS u ON u.entry_id = e.id
"""

_LOTS = f"""
    SELECT count(*) FILTER (WHERE l.remaining <> l.points - coalesce(u.points, 0)),
           -sum(l.hash::numeric * l.remaining) FILTER (WHERE l.remaining <> 0 AND NOT l.pending),
           -sum(l.hash::numeric * l.remaining) FILTER (WHERE l.remaining <> 0 AND l.pending),
           -sum({_parted("l.points", account="l.hash", entry="l.entry_id")}),
           -sum(u.hash * l.account_id)
      FROM (
          SELECT id, account_id, entry_id, points, remaining, pending, {_ACCOUNT} AS hash
            FROM loyalty_lot
           WHERE id BETWEEN %(low)s AND %(high)s
           ORDER BY id
      ) AS l
      LEFT JOIN (
          SELECT lot_id, sum(points)::bigint AS points, sum({_hashed("id", by="%(key)s")}) AS hash
            FROM loyalty_lotuse
           WHERE lot_id BETWEEN %(low)s AND %(high)s
           GROUP BY lot_id
      ) AS u ON u.lot_id = l.id
"""

_HOLDS = f"""
    SELECT -sum(h.hash::numeric * (h.points - h.captured - h.released)),
           -sum({_parted("h.points", account="h.hash", entry="h.entry_id")})
      FROM (
          SELECT entry_id, points, captured, released, {_ACCOUNT} AS hash
            FROM loyalty_hold
           WHERE entry_id BETWEEN %(low)s AND %(high)s
          OFFSET 0
      ) AS h
"""

# Part, table, the ids that are cut into windows, query, and which difference each of its columns belongs to.
_PARTS = (
    ("accounts", "loyalty_account", "member_id", _STRANGERS, ("strangers",)),
    (
        "accounts", "loyalty_account", "member_id", _ACCOUNTS,
        ("balances", "pending", "held", "available lots", "pending lots", "open holds"),
    ),
    (
        "entries", "loyalty_entry", "id", _ENTRIES,
        ("drawn", "balances", "pending", "held", "new lots", "holds", "owners"),
    ),
    (
        "lots", "loyalty_lot", "id", _LOTS,
        ("lacking", "available lots", "pending lots", "new lots", "owners"),
    ),
    ("holds", "loyalty_hold", "entry_id", _HOLDS, ("open holds", "holds")),
)  # fmt: skip
