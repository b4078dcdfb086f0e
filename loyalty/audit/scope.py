"""What an audit looks at: everything, or only what was touched lately."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, cast

from django.db import connection

from loyalty.audit import report
from loyalty.audit.report import Findings

Progress = Callable[[str, float], None]
"""Is told which part runs and which share of it is done, from 0 to 1."""


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


def fetch(query: str, values: dict[str, Any] | None = None) -> list[tuple[Any, ...]]:
    """Run a query and return its rows."""
    with connection.cursor() as cursor:
        cursor.execute(query, values or {})
        return cast("list[tuple[Any, ...]]", cursor.fetchall())


def find(findings: Findings, query: str, values: dict[str, Any]) -> None:
    """Run a query that gives a row for every mismatch: check, account, row, expected, actual. However many there are,
    only so many of each check as can be named come over."""
    findings.add_rows(fetch(_COUNTED.format(query=query), {**values, "named": report.NAMED_ROWS}))


_COUNTED = """
    SELECT found.law, found.account_id, found.named, found.expected, found.actual, found.total
      FROM (
          SELECT m.*, count(*) OVER (PARTITION BY m.law) AS total,
                 row_number() OVER (PARTITION BY m.law ORDER BY m.account_id, m.named) AS place
            FROM ({query}) AS m (law, account_id, named, expected, actual)
      ) AS found
     WHERE found.place <= %(named)s
"""


def windows(low: int, high: int, size: int) -> Iterator[tuple[int, int]]:
    """Cut a range of ids into windows of ``size``, which all begin at a multiple of it. Both ends belong to it."""
    for start in range(low - low % size, high + 1, size):
        yield start, start + size - 1
