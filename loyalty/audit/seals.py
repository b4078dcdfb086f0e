"""The ledger is what it was when its days were closed (docs/decisions/0006).

The entries of a day and their seals are hashed in blocks of 4096 ids and compared with the two digests of their day,
the day with the digest of its row, and each row with the one before. Only where a digest differs is each entry of the
day compared with its seal.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from loyalty.audit.blocks import WINDOW, read_window
from loyalty.audit.reading import Piece, find
from loyalty.audit.report import Findings, Mismatch
from loyalty.audit.scope import NO_ID, Rows, Scope, fetch, windows
from loyalty.models import DayClose

# A multiple of the 4096 ids of a block, and few enough that their texts, some megabytes, are handed over at once.
IDS_PER_WINDOW = 1 << 14

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
    """What a day's seals and entries make now: the chain over each of them, and the figures."""

    seals: Any = field(default_factory=hashlib.sha256)
    entries: Any = field(default_factory=hashlib.sha256)
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
        # Days before those that are looked at stay unread.
        self._lowest = -NO_ID if scope.whole else min((close.sealed_from for close in self._recent), default=0)
        self._settled = closes[-1].sealed_to if closes else 0
        self._with_unsealed: list[dict[str, int]] = []

    def pieces(self) -> Iterator[Piece]:
        """Seals and entries, window by window."""
        if not self._first:
            return
        low, high = fetch(_IDS, {"lowest": self._lowest})[0]
        for start, end in windows(low, high, IDS_PER_WINDOW):
            bounds = {"lowest": max(start - 1, self._lowest), "highest": min(end, self._settled)}
            values = {"first": self._first, "low": bounds["lowest"] + 1, "high": end, "highest": bounds["highest"]}
            yield Piece("seals", WINDOW, values, partial(self._take, bounds), shorten=read_window, binary=True)

    def _take(self, bounds: dict[str, int], rows: Rows) -> None:
        """Add a window to its days. It must come after the windows with lower ids."""
        *blocks, (_, there) = rows
        for number, seals, entries, *figures in blocks:
            self._days[number].seals.update(seals)
            self._days[number].entries.update(entries)
            _add_up(self._days[number].figures, *figures)
        if there > sum(block[3] for block in blocks):
            self._with_unsealed.append(bounds)

    def conclude(self, findings: Findings) -> None:
        """Say what differs, when all pieces have been read."""
        _check_chain(self._closes, findings)
        as_sealed = [
            _check_day(close, self._days.pop(close.number, _Day()), self._settled, findings) for close in self._recent
        ]
        for number in sorted(self._days):
            find(findings, _ENTRY_DIFFERS, {"close": number, "lowest": 0})
            findings.add(Mismatch("seal_has_its_day", 0, f"close {number}", number, 0))
        # Where every entry that exists was sealed, none can have come later: somebody put it there. One that stands in
        # for another is not told by their number, but by the digest of the day that lacks the other.
        if not all(as_sealed):
            self._with_unsealed = [{"lowest": self._lowest, "highest": self._settled}]
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


def _add_up(figures: dict[str, int], entries: int, late: int, kinds: Iterable[tuple[str, bool, int, int, int]]) -> None:
    figures["entries"] += entries
    figures["late_entries"] += late
    for name, goes_out, points, pending, held in kinds:
        sums = {"points": points, "pending": pending, "held": held}
        for figure, column, sign in _FIGURES.get((name, goes_out), ()):
            figures[figure] += sign * sums[column]


_IDS = "SELECT coalesce(min(id), 1), coalesce(max(id), 0) FROM loyalty_entry WHERE id > %(lowest)s"


def _check_day(close: DayClose, day: _Day, settled: int, findings: Findings) -> bool:
    """Whether all seals and entries of a day are as they were.

    A day whose seals still make their digest has altered entries at worst; one whose entries would make it has
    altered seals. If neither does, both were touched, or a row is gone: then the day itself is named too, and the
    entries that would make its digest with a seal of theirs. Up to ``settled`` those are named anyway (``_UNSEALED``).
    """
    sealed, as_sealed = bytes(close.seals_digest), False
    if day.seals.digest() == sealed:
        as_sealed = _check_entries(close, day, findings)
    elif _digest_of(_BLOCKS_OF_ENTRIES, close) == sealed:
        find(findings, _SEAL_DIFFERS, _bounds(close))
    else:
        find(findings, _ENTRY_DIFFERS, _bounds(close))
        findings.add(Mismatch("day_is_as_sealed", 0, f"day {close.day}", sealed.hex(), day.seals.hexdigest()))
        if _digest_of(_BLOCKS_WITH_UNSEALED, close) == sealed:
            find(findings, _UNSEALED_OF_DAY, {**_bounds(close), "settled": settled})
    for name, found in (day.figures if as_sealed else _figures_of(close)).items():
        written = getattr(close, name)
        if written != found:
            findings.add(Mismatch("figures_are_the_entries", 0, f"day {close.day}: {name}", found, written))
    return as_sealed


def _check_entries(close: DayClose, day: _Day, findings: Findings) -> bool:
    """Name the entries that differ from their seals, which are sound, and tell whether there are none. Days without a
    digest over their entries, because they were closed before there was one, are always looked at row by row."""
    digest, known = bytes(close.entries_digest), findings.count
    if day.entries.digest() == digest:
        return True
    find(findings, _ENTRY_DIFFERS, _bounds(close))
    if digest and findings.count == known:
        findings.add(Mismatch("day_is_as_sealed", 0, f"day {close.day}", digest.hex(), day.entries.hexdigest()))
    return findings.count == known


def _figures_of(close: DayClose) -> dict[str, int]:
    """What the entries come to that have a seal of the day, wherever they lie."""
    figures = dict.fromkeys(_NAMES, 0)
    for entries, late, *kind in fetch(_KINDS_OF_DAY, {**_bounds(close), "begins": close.begins_at}):
        _add_up(figures, entries, late, [(kind[0], kind[1], kind[2], kind[3], kind[4])])
    return figures


_KINDS_OF_DAY = """
    SELECT count(*), count(*) FILTER (WHERE e.recorded_at < %(begins)s), e.kind, e.points < 0, sum(e.points)::bigint,
           sum(e.pending)::bigint, sum(e.held)::bigint
      FROM loyalty_entryseal AS s
      JOIN loyalty_entry AS e ON e.id = s.entry_id
     WHERE s.close_id = %(close)s AND s.entry_id > %(lowest)s
     GROUP BY e.kind, e.points < 0
"""


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

_ENTRY_DIFFERS = """
    SELECT CASE WHEN e.id IS NULL THEN 'sealed_entry_exists' ELSE 'entry_is_as_sealed' END, coalesce(e.account_id, 0),
           'entry ' || s.entry_id, encode(s.digest, 'hex'),
           CASE WHEN e.id IS NULL THEN '' ELSE encode(loyalty_entry_digest(e), 'hex') END
      FROM loyalty_entryseal AS s
      LEFT JOIN loyalty_entry AS e ON e.id = s.entry_id
     WHERE s.close_id = %(close)s AND s.entry_id > %(lowest)s AND (e.id IS NULL OR loyalty_entry_digest(e) <> s.digest)
"""

_SEAL_DIFFERS = """
    SELECT 'seal_is_as_chained', e.account_id, 'seal of entry ' || s.entry_id, encode(loyalty_entry_digest(e), 'hex'),
           encode(s.digest, 'hex')
      FROM loyalty_entryseal AS s
      JOIN loyalty_entry AS e ON e.id = s.entry_id
     WHERE s.close_id = %(close)s AND s.entry_id > %(lowest)s AND loyalty_entry_digest(e) <> s.digest
"""

# Entries without a seal where all of them had one.
_UNSEALED = """
    SELECT 'entry_has_its_seal', e.account_id, 'entry ' || e.id, 1, 0
      FROM loyalty_entry AS e
     WHERE e.id > %(lowest)s AND e.id <= %(highest)s
       AND NOT EXISTS (
           SELECT FROM loyalty_entryseal AS s
            WHERE s.entry_id = e.id AND s.entry_id > %(lowest)s AND s.entry_id <= %(highest)s
       )
"""
