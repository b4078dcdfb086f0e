"""The ledger is what it was when its days were closed (docs/decisions/0006).

An entry is compared with its seal, the seals with the digest of their day, the day with the digest of its row, and each
row with the one before. The seals are compared in blocks of 4096 ids, as they are chained; only where a block differs
are its rows looked at one by one.
"""

import hashlib
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from loyalty.audit.report import Findings, Mismatch
from loyalty.audit.scope import Progress, Scope, fetch, find, windows
from loyalty.models import DayClose

# A multiple of the 4096 ids of a block.
IDS_PER_WINDOW = 1 << 20

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
class _Chain:
    """The two digests of a day's blocks as they grow: over its seals, and over what its entries are now."""

    seals: Any = field(default_factory=hashlib.sha256)
    entries: Any = field(default_factory=hashlib.sha256)
    differing: list[int] = field(default_factory=list)


def check_seals(scope: Scope, findings: Findings, progress: Progress) -> tuple[int, str]:
    """Prove the seals. Returns how many days are closed, and the digest of the last one in hexadecimal.

    With a scope only days that ended since then are proved entry by entry; the chain over the days always is.
    """
    closes = list(DayClose.objects.order_by("number"))
    _check_chain(closes, findings)
    recent = [close for close in closes if scope.since is None or close.ends_at >= scope.since]
    if recent:
        lowest = min(close.sealed_from for close in recent)
        chains = _chains(recent[0].number, lowest, progress)
        for close in recent:
            _check_day(close, chains.pop(close.number, _Chain()), findings)
        for number, chain in sorted(chains.items()):
            _name_rows(number, chain.differing, _ENTRY_DIFFERS, findings)
            findings.add(Mismatch("seal_has_its_day", 0, f"close {number}", number, 0))
        progress("figures", 0)
        _check_figures(recent, lowest, findings)
        _check_unsealed(lowest, closes[-1].sealed_to, findings)
    return len(closes), closes[-1].digest.hex() if closes else ""


def _check_chain(closes: list[DayClose], findings: Findings) -> None:
    """Each row has the digest that its figures make, follows the one before, and opens with what that closed with."""
    written = dict(fetch("SELECT c.number, loyalty_close_digest(c) FROM loyalty_dayclose AS c"))
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


def _chains(first: int, lowest: int, progress: Progress) -> dict[int, _Chain]:
    """The digests over the blocks of each day from the number ``first`` on, whose entries have ids above ``lowest``."""
    chains: dict[int, _Chain] = defaultdict(_Chain)
    low, high = fetch(_SEALED_IDS, {"lowest": lowest})[0]
    for start, end in windows(low, high, IDS_PER_WINDOW):
        progress("seals", max(start - low, 0) / max(high - low, 1))
        for number, block, seals, entries in fetch(_BLOCKS, {"first": first, "low": start, "high": end}):
            chain = chains[number]
            chain.seals.update(seals)
            chain.entries.update(entries or b"")
            if seals != entries:
                chain.differing.append(block)
    return chains


_SEALED_IDS = """
    SELECT coalesce(min(entry_id), 1), coalesce(max(entry_id), 0) FROM loyalty_entryseal WHERE entry_id > %(lowest)s
"""

# Materialized, so that what is sorted are the hashes and not the entries.
_BLOCKS = """
    WITH sealed AS MATERIALIZED (
        SELECT s.close_id, s.entry_id, s.digest, CASE WHEN e.id IS NOT NULL THEN loyalty_entry_digest(e) END AS actual
          FROM loyalty_entryseal AS s
          LEFT JOIN loyalty_entry AS e ON e.id = s.entry_id AND e.id BETWEEN %(low)s AND %(high)s
         WHERE s.entry_id BETWEEN %(low)s AND %(high)s AND s.close_id >= %(first)s
    )
    SELECT close_id, entry_id >> 12,
           sha256(string_agg(int8send(entry_id) || digest, ''::bytea ORDER BY entry_id)),
           sha256(string_agg(int8send(entry_id) || actual, ''::bytea ORDER BY entry_id))
      FROM sealed
     GROUP BY close_id, entry_id >> 12
     ORDER BY close_id, entry_id >> 12
"""


def _check_day(close: DayClose, chain: _Chain, findings: Findings) -> None:
    """A day whose seals still make its digest has altered entries at worst; one whose entries make it has altered
    seals. If neither does, both were touched, or a row is gone: then the day itself is named too."""
    sealed = bytes(close.seals_digest)
    if chain.seals.digest() == sealed:
        _name_rows(close.number, chain.differing, _ENTRY_DIFFERS, findings)
    elif chain.entries.digest() == sealed:
        _name_rows(close.number, chain.differing, _SEAL_DIFFERS, findings)
    else:
        _name_rows(close.number, chain.differing, _ENTRY_DIFFERS, findings)
        findings.add(Mismatch("day_is_as_sealed", 0, f"day {close.day}", sealed.hex(), chain.seals.hexdigest()))


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


def _check_figures(closes: list[DayClose], lowest: int, findings: Findings) -> None:
    """The figures of each day, added up once more from its entries."""
    found: dict[int, dict[str, int]] = {close.number: dict.fromkeys(_NAMES, 0) for close in closes}
    for number, kind, goes_out, entries, late, points, pending, held in fetch(
        _KINDS, {"first": closes[0].number, "lowest": lowest}
    ):
        figures = found.get(number)
        if figures is None:
            continue
        sums = {"points": points, "pending": pending, "held": held}
        figures["entries"] += entries
        figures["late_entries"] += late
        for name, column, sign in _FIGURES.get((kind, goes_out), ()):
            figures[name] += sign * sums[column]
    for close in closes:
        for name in _NAMES:
            written = getattr(close, name)
            if written != found[close.number][name]:
                row = f"day {close.day}: {name}"
                findings.add(Mismatch("figures_are_the_entries", 0, row, found[close.number][name], written))


_KINDS = """
    SELECT s.close_id, e.kind, e.points < 0, count(*), count(*) FILTER (WHERE e.recorded_at < c.begins_at),
           sum(e.points)::bigint, sum(e.pending)::bigint, sum(e.held)::bigint
      FROM loyalty_entryseal AS s
      JOIN loyalty_entry AS e ON e.id = s.entry_id
      JOIN loyalty_dayclose AS c ON c.number = s.close_id
     WHERE s.close_id >= %(first)s AND s.entry_id > %(lowest)s AND e.id > %(lowest)s
     GROUP BY s.close_id, e.kind, e.points < 0
"""


def _check_unsealed(lowest: int, highest: int, findings: Findings) -> None:
    """Where every entry that exists was sealed, none can have come later: somebody put it there."""
    find(findings, _UNSEALED, {"lowest": lowest, "highest": highest})


_UNSEALED = """
    SELECT 'entry_has_its_seal', e.account_id, 'entry ' || e.id, 1, 0
      FROM loyalty_entry AS e
     WHERE e.id > %(lowest)s AND e.id <= %(highest)s
       AND NOT EXISTS (
           SELECT FROM loyalty_entryseal AS s
            WHERE s.entry_id = e.id AND s.entry_id > %(lowest)s AND s.entry_id <= %(highest)s
       )
"""
