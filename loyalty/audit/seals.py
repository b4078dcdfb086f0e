"""The ledger is what it was when its days were closed (docs/decisions/0006).

An entry is compared with its seal, the seals with the digest of their day, the day with the digest of its row, and each
row with the one before. The seals are compared in blocks of 4096 ids, as they are chained; only where a block differs
are its rows looked at one by one.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from loyalty.audit.reading import Piece, find
from loyalty.audit.report import Findings, Mismatch
from loyalty.audit.scope import NO_ID, Rows, Scope, fetch, windows
from loyalty.models import DayClose

# A multiple of the 4096 ids of a block. What is hashed in a window stays in the processor's own memory.
IDS_PER_WINDOW = 1 << 16

# What a day's entries of each kind add to its figures: kind, whether the points go out, figure, which sum, sign.
_FIGURES: dict[tuple[str, bool], tuple[tuple[str, str, int], ...]] = {
    ("accrual", False): (("accrued", "points", 1), ("pending_accrued", "pending", 1)),
    ("opening", False): (("carried_over", "points", 1), ("pending_accrued", "pending", 1)),
    ("maturation", False): (("matured", "points", 1),),
    ("burn", True): (("burned", "points", -1),),
    ("expiry", True): (("expired", "points", -1),),
    ("adjustment", False): (("adjusted", "points", 1),),
    ("adjustment", True): (("adjusted", "points", 1),),
    ("reversal", True): (("reversed", "points", -1), ("pending_reversed", "pending", -1)),
    ("reversal", False): (("undone", "points", 1), ("pending_reversed", "pending", -1)),
    ("hold", True): (("set_aside", "held", 1),),
    ("release", False): (("released", "points", 1),),
    ("capture", False): (("captured", "held", -1),),
}
# Every figure that the entries make.
_NAMES = sorted({name for parts in _FIGURES.values() for name, _, _ in parts} | {"entries", "late_entries"})


@dataclass
class _Day:
    """What a day's seals and entries make now: the chain over its seals, the blocks in which an entry differs from its
    seal, and the figures."""

    chain: Any = field(default_factory=hashlib.sha256)
    differing: list[int] = field(default_factory=list)
    figures: dict[str, int] = field(default_factory=lambda: dict.fromkeys(_NAMES, 0))


class SealCheck:
    """The proof of the seals: pieces to read, and what they come to.

    With a scope only days that ended since then are proved entry by entry; the chain over the days always is.
    """

    def __init__(self, scope: Scope, closes: list[DayClose]) -> None:
        self._closes = closes
        self._recent = [close for close in closes if scope.since is None or close.ends_at >= scope.since]
        self._days: dict[int, _Day] = defaultdict(_Day)
        # A whole audit looks at all seals there are: their day may be the one that is missing.
        self._first = 1 if scope.whole else self._recent[0].number if self._recent else 0
        self._lowest = 0 if scope.whole else min((close.sealed_from for close in self._recent), default=0)
        self._unread = -NO_ID if scope.whole else self._lowest
        self._settled = closes[-1].sealed_to if closes else 0
        self._with_unsealed: list[dict[str, int]] = []

    def pieces(self) -> Iterator[Piece]:
        """Seals and entries, window by window."""
        if not self._first:
            return
        low, high = fetch(_IDS, {"lowest": self._lowest})[0]
        for start, end in windows(low, high, IDS_PER_WINDOW):
            bounds = {"lowest": max(start - 1, self._lowest), "highest": min(end, self._settled)}
            # Days before those that are looked at stay unread.
            values = {"first": self._first, "low": max(start, self._unread + 1), "high": end, **bounds}
            yield Piece("seals", _BLOCKS, values, partial(self._take, bounds), in_order=True)

    def _take(self, bounds: dict[str, int], rows: Rows) -> None:
        """Add a window to its days. It must come after the windows with lower ids."""
        for number, block, digest, intact, *figures in rows:
            if number is None:
                _, _, there, sealed, *_ = figures
                if there != sealed:
                    self._with_unsealed.append(bounds)
            elif block is None:
                _add_up(self._days[number].figures, tuple(figures))
            else:
                self._days[number].chain.update(digest)
                if not intact:
                    self._days[number].differing.append(block)

    def conclude(self, findings: Findings) -> None:
        """Say what differs, when all pieces have been read."""
        _check_chain(self._closes, findings)
        for close in self._recent:
            _check_day(close, self._days.pop(close.number, _Day()), self._settled, findings)
        for number, day in sorted(self._days.items()):
            _name_rows(number, day.differing, _ENTRY_DIFFERS, findings)
            findings.add(Mismatch("seal_has_its_day", 0, f"close {number}", number, 0))
        # Where every entry that exists was sealed, none can have come later: somebody put it there.
        for bounds in self._with_unsealed:
            find(findings, _UNSEALED, bounds)


def _check_chain(closes: list[DayClose], findings: Findings) -> None:
    """Each row has the digest that its figures make, follows the one before, and opens with what that closed with."""
    written: dict[int, bytes] = dict(fetch("SELECT c.number, loyalty_close_digest(c) FROM loyalty_dayclose AS c"))
    before: DayClose | None = None
    for close in closes:
        row = f"day {close.day}"
        if bytes(written[close.number]) != bytes(close.digest):
            findings.add(Mismatch("close_is_as_written", 0, row, close.digest.hex(), written[close.number].hex()))
        number = before.number + 1 if before else 1
        digest = bytes(before.digest) if before else b""
        if close.number != number:
            findings.add(Mismatch("days_are_chained", 0, row, number, close.number))
        elif bytes(close.previous_digest) != digest:
            findings.add(Mismatch("days_are_chained", 0, row, close.previous_digest.hex(), digest.hex()))
        opening = before.closing if before else 0
        if close.opening != opening:
            findings.add(Mismatch("figures_are_the_entries", 0, f"{row}: opening", opening, close.opening))
        before = close


def _add_up(figures: dict[str, int], kind: tuple[Any, ...]) -> None:
    name, goes_out, entries, late, points, pending, held = kind
    sums = {"points": points, "pending": pending, "held": held}
    figures["entries"] += entries
    figures["late_entries"] += late
    for figure, column, sign in _FIGURES.get((name, goes_out), ()):
        figures[figure] += sign * sums[column]


_IDS = "SELECT coalesce(min(id), 1), coalesce(max(id), 0) FROM loyalty_entry WHERE id > %(lowest)s"

# Entries and seals are joined once: for the digests of the blocks (the first rows), for the figures (the next ones),
# and for how many entries there are and how many of them are sealed (the last row).
_BLOCKS = """
    WITH sealed AS MATERIALIZED (
        SELECT s.close_id, s.entry_id, s.digest, coalesce(e.digest = s.digest, FALSE) AS intact,
               e.kind, e.points, e.pending, e.held, e.recorded_at
          FROM loyalty_entryseal AS s
          LEFT JOIN (
              SELECT id, loyalty_entry_digest(x) AS digest, kind, points, pending, held, recorded_at
                FROM loyalty_entry AS x
               WHERE id BETWEEN %(low)s AND %(high)s
              OFFSET 0  -- Hashed before they are joined: whole rows would fill the memory.
          ) AS e ON e.id = s.entry_id
         WHERE s.entry_id BETWEEN %(low)s AND %(high)s AND s.close_id >= %(first)s
    )
    (
        SELECT close_id, entry_id >> 12,
               sha256(string_agg(int8send(entry_id) || digest, ''::bytea ORDER BY entry_id)), bool_and(intact),
               NULL, NULL::boolean, NULL::bigint, NULL::bigint, NULL::bigint, NULL::bigint, NULL::bigint
          FROM sealed
         GROUP BY close_id, entry_id >> 12
         ORDER BY close_id, entry_id >> 12
    )
    UNION ALL
    SELECT k.close_id, NULL, NULL, NULL, k.kind, k.points < 0, count(*),
           count(*) FILTER (WHERE k.recorded_at < c.begins_at), sum(k.points)::bigint, sum(k.pending)::bigint,
           sum(k.held)::bigint
      FROM sealed AS k
      LEFT JOIN loyalty_dayclose AS c ON c.number = k.close_id
     WHERE k.kind IS NOT NULL
     GROUP BY k.close_id, k.kind, k.points < 0
    UNION ALL
    SELECT NULL, NULL, NULL, NULL, NULL, NULL,
           (SELECT count(*) FROM loyalty_entry WHERE id > %(lowest)s AND id <= %(highest)s),
           count(*) FILTER (WHERE k.kind IS NOT NULL AND k.entry_id > %(lowest)s AND k.entry_id <= %(highest)s),
           NULL, NULL, NULL
      FROM sealed AS k
"""


def _check_day(close: DayClose, day: _Day, settled: int, findings: Findings) -> None:
    """A day whose seals still make its digest has altered entries at worst; one whose entries make it has altered
    seals. If neither does, both were touched, or a row is gone: then the day itself is named too, and the entries that
    would make its digest with a seal of theirs. Up to ``settled`` those are named anyway (``_UNSEALED``)."""
    sealed = bytes(close.seals_digest)
    if day.chain.digest() == sealed:
        _name_rows(close.number, day.differing, _ENTRY_DIFFERS, findings)
    elif day.differing and _digest_of(_BLOCKS_OF_ENTRIES, close) == sealed:
        _name_rows(close.number, day.differing, _SEAL_DIFFERS, findings)
    else:
        _name_rows(close.number, day.differing, _ENTRY_DIFFERS, findings)
        findings.add(Mismatch("day_is_as_sealed", 0, f"day {close.day}", sealed.hex(), day.chain.hexdigest()))
        if _digest_of(_BLOCKS_WITH_UNSEALED, close) == sealed:
            find(findings, _UNSEALED_OF_DAY, {**_bounds(close), "settled": settled})
    for name, found in day.figures.items():
        written = getattr(close, name)
        if written != found:
            findings.add(Mismatch("figures_are_the_entries", 0, f"day {close.day}: {name}", found, written))


def _bounds(close: DayClose) -> dict[str, Any]:
    """Where the entries of a day are looked for."""
    return {"close": close.number, "lowest": close.sealed_from, "highest": close.seen_to, "ends": close.ends_at}


def _digest_of(blocks: str, close: DayClose) -> bytes:
    """The day's digest if its blocks were those of a query."""
    chain = hashlib.sha256()
    for (block,) in fetch(blocks, _bounds(close)):
        chain.update(block)
    return chain.digest()


# If each of the day's entries were sealed as it is now.
_BLOCKS_OF_ENTRIES = """
    SELECT sha256(string_agg(int8send(e.id) || loyalty_entry_digest(e), ''::bytea ORDER BY e.id))
      FROM loyalty_entryseal AS s
      JOIN loyalty_entry AS e ON e.id = s.entry_id
     WHERE s.close_id = %(close)s AND s.entry_id > %(lowest)s
     GROUP BY e.id >> 12
     ORDER BY e.id >> 12
"""

_ENTRIES_OF_DAY = """
      FROM loyalty_entry AS e
     WHERE e.id > %(lowest)s AND e.id <= %(highest)s AND e.recorded_at < %(ends)s
       AND NOT EXISTS (SELECT FROM loyalty_entryseal AS s WHERE s.entry_id = e.id)
"""

# If the entries that have no seal, and that the day could have seen, were sealed by it.
_BLOCKS_WITH_UNSEALED = f"""
    SELECT sha256(string_agg(int8send(sealed.id) || sealed.digest, ''::bytea ORDER BY sealed.id))
      FROM (
          SELECT s.entry_id, s.digest
            FROM loyalty_entryseal AS s
           WHERE s.close_id = %(close)s AND s.entry_id > %(lowest)s
          UNION ALL
          SELECT e.id, loyalty_entry_digest(e) {_ENTRIES_OF_DAY}
      ) AS sealed (id, digest)
     GROUP BY sealed.id >> 12
     ORDER BY sealed.id >> 12
"""

_UNSEALED_OF_DAY = f"""
    SELECT 'entry_has_its_seal', e.account_id, 'entry ' || e.id, 1, 0 {_ENTRIES_OF_DAY} AND e.id > %(settled)s
"""


def _name_rows(number: int, blocks: list[int], query: str, findings: Findings) -> None:
    if blocks:
        find(findings, query, {"close": number, "blocks": blocks})


_SEALS_OF_BLOCKS = """
      FROM unnest(%(blocks)s::bigint[]) AS block (id)
      JOIN loyalty_entryseal AS s
        ON s.entry_id BETWEEN block.id << 12 AND (block.id << 12) + 4095 AND s.close_id = %(close)s
"""

_ENTRY_DIFFERS = f"""
    SELECT CASE WHEN e.id IS NULL THEN 'sealed_entry_exists' ELSE 'entry_is_as_sealed' END, coalesce(e.account_id, 0),
           'entry ' || s.entry_id, encode(s.digest, 'hex'),
           CASE WHEN e.id IS NULL THEN '' ELSE encode(loyalty_entry_digest(e), 'hex') END
      {_SEALS_OF_BLOCKS}
      LEFT JOIN loyalty_entry AS e ON e.id = s.entry_id
     WHERE e.id IS NULL OR loyalty_entry_digest(e) <> s.digest
"""

_SEAL_DIFFERS = f"""
    SELECT 'seal_is_as_chained', e.account_id, 'seal of entry ' || s.entry_id, encode(loyalty_entry_digest(e), 'hex'),
           encode(s.digest, 'hex')
      {_SEALS_OF_BLOCKS}
      JOIN loyalty_entry AS e ON e.id = s.entry_id
     WHERE loyalty_entry_digest(e) <> s.digest
"""


_UNSEALED = """
    SELECT 'entry_has_its_seal', e.account_id, 'entry ' || e.id, 1, 0
      FROM loyalty_entry AS e
     WHERE e.id > %(lowest)s AND e.id <= %(highest)s
       AND NOT EXISTS (
           SELECT FROM loyalty_entryseal AS s
            WHERE s.entry_id = e.id AND s.entry_id > %(lowest)s AND s.entry_id <= %(highest)s
       )
"""
