"""How an audit reads: in several sessions at once that all see the same instant.

The audit's transaction hands its snapshot out, and helpers with connections of their own take it over: whatever is
committed meanwhile is seen by none of them. They take one query after the other from the same list, so that they end
at the same time however the work is divided.
"""

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.db import connection, transaction

from loyalty.audit import report
from loyalty.audit.report import Findings
from loyalty.audit.scope import Progress, Rows, fetch

# Past so many sessions the disk is what they wait for, and the shop needs some too.
MOST_SESSIONS = 4

# A million accounts fit into a hash table of this memory; with less the database writes them out and reads them again.
# Hashing costs the database more than it thinks, so several workers are worth their while earlier than by default.
_SETTINGS = {"work_mem": "128MB", "parallel_setup_cost": "100", "parallel_tuple_cost": "0.005"}


@dataclass(frozen=True, slots=True)
class Piece:
    """One query of an audit. ``part`` is what people are told; ``take`` gets the rows. ``in_order`` when it joins a
    window of rows that lie in the order of what they are joined by. ``shorten`` makes less of long rows as soon as
    they are there, in the thread and the session that read them; ``binary`` when they are bytes."""

    part: str
    query: str
    values: dict[str, Any]
    take: Callable[[Rows], None]
    in_order: bool = False
    shorten: Callable[[Iterable[tuple[Any, ...]]], Rows] = list
    binary: bool = False


@dataclass(frozen=True, slots=True)
class Instant:
    """What the audit sees. ``snapshot`` is the name under which ``helpers`` further sessions find it."""

    snapshot: str = ""
    helpers: int = 0


@contextmanager
def one_instant() -> Iterator[Instant]:
    """Read everything within as of now. An audit inside somebody else's transaction reads in that session alone, for no
    other one sees what it has written."""
    alone = connection.in_atomic_block
    with transaction.atomic():
        if alone:
            _set(_SETTINGS)
            yield Instant()
            return
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            cursor.execute("SELECT pg_export_snapshot(), current_setting('max_parallel_workers_per_gather')::integer")
            snapshot, workers = cursor.fetchone()
        # As many sessions as the server lets one query have processes; each of them then does with its own.
        instant = Instant(snapshot, min(workers + 1, MOST_SESSIONS) - 1)
        _set_up(instant)
        yield instant


# A name that the database has made itself; this statement takes no parameters.
_SAME_INSTANT = "SET TRANSACTION SNAPSHOT '{snapshot}'"

# Rows that come in the order of an index are merged in half the time that it takes to hash them, but the planner, who
# does not know that they lie in that order, would hash them.
_BY_HASH = {"enable_hashjoin": "on", "enable_hashagg": "on"}
_IN_ORDER = {"enable_hashjoin": "off", "enable_hashagg": "off"}


def read(pieces: Sequence[Piece], instant: Instant, progress: Progress) -> None:
    """Run all queries, and then hand out their rows in the order of the pieces, in the calling thread.

    An error in any session ends the others after the query they are at, and is raised.
    """
    todo = deque(range(len(pieces)))
    answers: list[Rows] = [[] for _ in pieces]
    shares = _shares(pieces)

    def work(place: int) -> None:
        piece = pieces[place]
        _set(_IN_ORDER if piece.in_order else _BY_HASH)
        answers[place] = fetch(piece.query, piece.values, binary=piece.binary, shorten=piece.shorten)

    with ThreadPoolExecutor(max(instant.helpers, 1), "audit") as pool:
        helpers = [pool.submit(_help, instant, todo, work) for _ in range(min(instant.helpers, len(pieces) - 1))]
        try:
            for place in _taken_from(todo):
                progress(pieces[place].part, shares[place])
                work(place)
        finally:
            todo.clear()
        for helper in helpers:
            helper.result()
    _set(_BY_HASH)
    for piece, rows in zip(pieces, answers, strict=True):
        piece.take(rows)


def find(findings: Findings, query: str, values: dict[str, Any]) -> None:
    """Run such a query as ``mismatches`` describes, at once and in this session."""
    piece = mismatches("", findings, query, values)
    piece.take(fetch(piece.query, piece.values))


def mismatches(part: str, findings: Findings, query: str, values: dict[str, Any], *, in_order: bool = False) -> Piece:
    """A query that gives a row for every mismatch: check, account, row, expected, actual. However many there are, only
    so many of each check as can be named come over."""
    return Piece(
        part, _COUNTED.format(query=query), {**values, "named": report.NAMED_ROWS}, findings.add_rows, in_order
    )


_COUNTED = """
    SELECT found.law, found.account_id, found.named, found.expected, found.actual, found.total
      FROM (
          SELECT m.*, count(*) OVER (PARTITION BY m.law) AS total,
                 row_number() OVER (PARTITION BY m.law ORDER BY m.account_id, m.named) AS place
            FROM ({query}) AS m (law, account_id, named, expected, actual)
      ) AS found
     WHERE found.place <= %(named)s
"""


def _help(instant: Instant, todo: deque[int], work: Callable[[int], None]) -> None:
    """Take part in the reading, in a thread and a session of its own."""
    try:
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
                cursor.execute(_SAME_INSTANT.format(snapshot=instant.snapshot))
            _set_up(instant)
            for place in _taken_from(todo):
                work(place)
    finally:
        todo.clear()  # Empty anyway, unless something went wrong.
        connection.close()


def _taken_from(todo: deque[int]) -> Iterator[int]:
    """Numbers of pieces, each of which one thread gets, until there are none."""
    while True:
        try:
            yield todo.popleft()
        except IndexError:
            return


def _shares(pieces: Sequence[Piece]) -> list[float]:
    """For each piece, which share of its part comes before it."""
    sizes, before = Counter(piece.part for piece in pieces), Counter[str]()
    shares = []
    for piece in pieces:
        shares.append(before[piece.part] / sizes[piece.part])
        before[piece.part] += 1
    return shares


def _set_up(instant: Instant) -> None:
    _set(_SETTINGS if not instant.helpers else _SETTINGS | {"max_parallel_workers_per_gather": "0"})


def _set(settings: dict[str, str]) -> None:
    calls = ", ".join(["set_config(%s, %s, TRUE)"] * len(settings))
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {calls}", [text for setting in settings.items() for text in setting])
