"""What days have sealed, read as the blocks of 4096 ids that their digests are made of (docs/decisions/0006).

The database hands the texts of entries over as they are, and they are hashed here, where that is quicker. It puts some
of them together at a time: so few that they stay in the processor's own memory until they are sent.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from loyalty.audit.scope import Rows, fetch

# Texts that are put together at a time. A divisor of the 4096 ids of a block.
TEXTS = 256


@dataclass
class Block:
    """A day's part of a block. ``sealed`` and ``entries`` count, ``kinds`` are the sums of each kind of entry: kind,
    whether points go out, points, pending, held. ``texts`` is the digest over the texts, with a line break between two,
    up to the id ``read``."""

    low: int = 0
    high: int = 0
    sealed: int = 0
    entries: int = 0
    late: int = 0
    seals_digest: bytes = b""
    texts: Any = field(default_factory=hashlib.sha256)
    read: int | None = None
    in_order: bool = True
    kinds: list[tuple[str, bool, int, int, int]] = field(default_factory=list)

    def add_texts(self, start: int, texts: bytes) -> None:
        self.in_order &= self.read is None or start > self.read
        self.texts.update(b"" if self.read is None else b"\n")
        self.texts.update(texts)
        self.read = start


def read_window(rows: Iterable[tuple[Any, ...]]) -> Rows:
    """Hash what ``WINDOW`` has read. Gives for each day's part of a block, in order: day, digest of its seals, digest
    of its entries, entries, late ones, kinds; and last a row with how many entries the window has up to ``highest``."""
    blocks, there = _gathered(rows)
    shortened: Rows = []
    for (close, number), block in sorted(blocks.items()):
        # Between the first and the last seal others may lie among the day's own entries, late ones or some without a
        # seal: then the seal of each is asked.
        own = block
        if block.entries != block.sealed or not block.in_order:
            values = {"close": close, "low": block.low, "high": block.high}
            own = _gathered(fetch(_OWN, values, binary=True))[0].get((close, number), Block())
        shortened.append((close, block.seals_digest, own.texts.digest(), own.entries, own.late, tuple(own.kinds)))
    return [*shortened, (None, there)]


def _gathered(rows: Iterable[tuple[Any, ...]]) -> tuple[dict[tuple[int, int], Block], int]:
    """The blocks by day and number, and how many entries there are. The texts are hashed as they come, and kept no
    longer."""
    blocks: dict[tuple[int, int], Block] = defaultdict(Block)
    there = 0
    for what, close, number, one, two, three, content, kind, goes_out in rows:
        if what == "there":
            there = three
            continue
        block = blocks[close, number]
        match what:
            case "seals":
                block.low, block.high, block.sealed = one, two, three
                block.seals_digest = hashlib.sha256(content).digest()
            case "texts":
                block.late, block.entries = block.late + two, block.entries + three
                block.add_texts(one, content)
            case "kinds":
                block.kinds.append((kind, goes_out, one, two, three))
    return blocks, there


_KINDS = "sum(e.points)::bigint, sum(e.pending)::bigint, sum(e.held)::bigint, NULL::bytea, e.kind, e.points < 0"

# Seals of each day's part of a block; the texts of the entries from the first of them to the last; what these come to
# by kind; and how many entries there are. Every row says first what it is. Nobody asks for the seal of each entry
# here: mostly all entries in between are the day's own.
WINDOW = f"""
    WITH part AS MATERIALIZED (
        SELECT close_id, entry_id >> 12 AS block, min(entry_id) AS low, max(entry_id) AS high, count(*) AS seals,
               string_agg(int8send(entry_id) || digest, ''::bytea ORDER BY entry_id) AS digests
          FROM loyalty_entryseal
         WHERE entry_id BETWEEN %(low)s AND %(high)s AND close_id >= %(first)s
         GROUP BY close_id, entry_id >> 12
    )
    SELECT 'seals', p.close_id, p.block, p.low, p.high, p.seals, p.digests, NULL, NULL::boolean
      FROM part AS p
    UNION ALL
    SELECT 'texts', p.close_id, p.block, s.start, t.late, t.entries, convert_to(t.texts, 'UTF8'), NULL, NULL
      FROM part AS p
      LEFT JOIN loyalty_dayclose AS c ON c.number = p.close_id
       CROSS JOIN LATERAL generate_series(p.low, p.high, {TEXTS}) AS s (start)
       CROSS JOIN LATERAL (
         SELECT count(*) AS entries, count(*) FILTER (WHERE e.recorded_at < c.begins_at) AS late,
                string_agg(loyalty_entry_text(e), E'\n' ORDER BY e.id) AS texts
           FROM loyalty_entry AS e
          WHERE e.id BETWEEN s.start AND least(s.start + {TEXTS - 1}, p.high)
       ) AS t
       WHERE t.texts IS NOT NULL
    UNION ALL
    SELECT 'kinds', p.close_id, p.block, k.*
      FROM part AS p
     CROSS JOIN LATERAL (
         SELECT {_KINDS} FROM loyalty_entry AS e WHERE e.id BETWEEN p.low AND p.high GROUP BY e.kind, e.points < 0
     ) AS k
    UNION ALL
    SELECT 'there', NULL, NULL, NULL, NULL, count(*), NULL, NULL, NULL
      FROM loyalty_entry AS e
     WHERE e.id BETWEEN %(low)s AND %(highest)s
"""

# The same of one day's part of a block, of its own entries only.
_OWN = f"""
    WITH own AS MATERIALIZED (
        SELECT s.entry_id FROM loyalty_entryseal AS s
         WHERE s.close_id = %(close)s AND s.entry_id BETWEEN %(low)s AND %(high)s
    )
    SELECT 'texts', %(close)s::integer, %(low)s::bigint >> 12, %(low)s::bigint,
           count(*) FILTER (WHERE e.recorded_at < (SELECT begins_at FROM loyalty_dayclose WHERE number = %(close)s)),
           count(*), convert_to(string_agg(loyalty_entry_text(e), E'\n' ORDER BY e.id), 'UTF8'), NULL, NULL::boolean
      FROM own AS s
      JOIN loyalty_entry AS e ON e.id = s.entry_id AND e.id BETWEEN %(low)s AND %(high)s
    HAVING count(*) > 0
    UNION ALL
    SELECT 'kinds', %(close)s::integer, %(low)s::bigint >> 12, {_KINDS}
      FROM own AS s
      JOIN loyalty_entry AS e ON e.id = s.entry_id AND e.id BETWEEN %(low)s AND %(high)s
     GROUP BY e.kind, e.points < 0
"""
