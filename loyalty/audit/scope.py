"""What an audit looks at: everything, or only what was touched lately."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, cast

from django.db import connection
from psycopg.pq import Format

MOST_WINDOWS = 10_000
NO_ID = 1 << 62  # Further than any sequence gets.

Progress = Callable[[str, float], None]
"""Is told which part runs and which share of it is done, from 0 to 1."""

Rows = list[tuple[Any, ...]]


@dataclass(frozen=True)
class Scope:
    """Accounts and entries to look at, as conditions for the queries of the checks.

    ``accounts`` and ``entry_ids`` put a column into a condition. ``since`` is the instant from which on days are looked
    at, None for all.
    """

    since: datetime | None = None
    accounts: Callable[[str], str] = field(default=lambda column: "TRUE")
    entry_ids: Callable[[str], str] = field(default=lambda column: f"{column} BETWEEN %(low)s AND %(high)s")
    values: dict[str, Any] = field(default_factory=dict)

    @property
    def whole(self) -> bool:
        return self.since is None


def touched_since(since: datetime) -> Scope:
    """Only the accounts that have entries recorded since then."""
    ids = [
        row[0]
        for row in fetch("SELECT DISTINCT account_id FROM loyalty_entry WHERE recorded_at >= %(s)s", {"s": since})
    ]
    touched = "(SELECT unnest(%(touched)s::bigint[]))"
    return Scope(
        since=since,
        accounts=lambda column: f"{column} IN {touched}",
        entry_ids=lambda column: f"{column} IN (SELECT id FROM loyalty_entry WHERE account_id IN {touched})",
        values={"touched": ids},
    )


def fetch(
    query: str,
    values: dict[str, Any] | None = None,
    *,
    binary: bool = False,
    shorten: Callable[[Iterable[tuple[Any, ...]]], Rows] = list,
) -> Rows:
    """Run a query in this thread's session and return its rows. ``binary`` when most of them are bytes, which would
    else come as hexadecimal text; ``shorten`` makes less of long rows, one after the other."""
    with connection.cursor() as cursor:
        if binary:
            cursor.cursor.format = Format.BINARY
        cursor.execute(query, values or {})
        return shorten(cast("Iterable[tuple[Any, ...]]", cursor))


def windows(low: int, high: int, size: int) -> Iterator[tuple[int, int]]:
    """Cut a range of ids into windows of ``size``, which all begin at a multiple of it. Both ends belong to it.

    The first and the last one reach as far as ids do: whatever names a row that was never there is in one of them. A
    single row with an id from nowhere makes the windows larger, and not more than can be looked at.
    """
    high = max(low, high)
    size *= (high - low) // (size * MOST_WINDOWS) + 1
    starts = range(low - low % size, high + 1, size)
    for start in starts:
        yield -NO_ID if start == starts[0] else start, NO_ID if start == starts[-1] else start + size - 1
