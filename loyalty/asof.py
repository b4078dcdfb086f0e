"""Points as they were at an instant: by what had been recorded by then, whatever came later."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import Sum

from loyalty.models import DayClose, Entry


@dataclass(frozen=True, slots=True)
class Sums:
    """The three sums of an account at an instant, in points."""

    balance: int = 0
    pending: int = 0
    held: int = 0


@dataclass(frozen=True, slots=True)
class CloseThen:
    """The last day that had ended by an instant, against the entries that its closing figures stand for.

    ``closing`` and its like are what the day was closed with, ``sealed`` and its like what the entries that it and the
    days before it sealed make now; they are equal in sound books.
    """

    day: str
    closing: int
    sealed: int
    pending_closing: int
    pending_sealed: int
    held_closing: int
    held_sealed: int

    @property
    def ok(self) -> bool:
        return (self.closing, self.pending_closing, self.held_closing) == (
            self.sealed,
            self.pending_sealed,
            self.held_sealed,
        )


@dataclass(frozen=True, slots=True)
class LedgerAsOf:
    """The sums over all accounts at an instant, in points. ``debt`` is what accounts below zero owed.

    ``unsealed`` entries count in the sums and belong to no day that had ended by then: they were recorded after the end
    of the last one, or committed after it was closed.
    """

    at: str
    accounts: int
    entries: int
    unsealed: int
    balance: int
    pending: int
    held: int
    debt: int
    close: CloseThen | None

    @property
    def ok(self) -> bool:
        return self.close is None or self.close.ok

    def as_json(self) -> dict[str, Any]:
        """For machines."""
        return {"ok": self.ok, **asdict(self)}


def balance_at(member_id: int, at: datetime) -> Sums:
    """The account's sums by the entries recorded up to ``at``, that instant included; zeros before the first."""
    return balances_at([member_id], at)[member_id]


def balances_at(member_ids: Sequence[int], at: datetime) -> dict[int, Sums]:
    """The same for many accounts in one query."""
    rows = (
        Entry.objects.filter(account_id__in=member_ids, recorded_at__lte=at)
        .order_by()
        .values("account_id")
        .annotate(balance=Sum("points"), waiting=Sum("pending"), aside=Sum("held"))
    )
    found = {row["account_id"]: Sums(row["balance"], row["waiting"], row["aside"]) for row in rows}
    return {member_id: found.get(member_id, Sums()) for member_id in member_ids}


def ledger_as_of(at: datetime) -> LedgerAsOf:
    """The whole ledger by the entries recorded up to ``at``, against the last day closed by then. Reads the journal
    once, and once more for the seals."""
    # The last moment of a day is a microsecond before its end.
    close = DayClose.objects.filter(ends_at__lte=at + timedelta(microseconds=1)).order_by("-number").first()
    with connection.cursor() as cursor:
        cursor.execute(_TOTALS, {"at": at})
        accounts, entries, balance, pending, held, debt = cursor.fetchone()
        cursor.execute(_SEALED, {"at": at, "close": close.number if close else 0})
        sealed_entries, *sealed = cursor.fetchone()
    return LedgerAsOf(
        at=at.isoformat(),
        accounts=accounts,
        entries=entries,
        unsealed=entries - sealed_entries,
        balance=balance,
        pending=pending,
        held=held,
        debt=debt,
        close=None if close is None else _close_then(close, *sealed),
    )


def _close_then(close: DayClose, points: int, pending: int, held: int) -> CloseThen:
    return CloseThen(
        day=close.day.isoformat(),
        closing=close.closing,
        sealed=points,
        pending_closing=close.pending_closing,
        pending_sealed=pending,
        held_closing=close.held_closing,
        held_sealed=held,
    )


_TOTALS = """
    SELECT count(*), coalesce(sum(entries), 0)::bigint, coalesce(sum(points), 0)::bigint,
           coalesce(sum(pending), 0)::bigint, coalesce(sum(held), 0)::bigint,
           coalesce(sum(greatest(-points, 0)), 0)::bigint
      FROM (
          SELECT count(*) AS entries, sum(points)::bigint AS points, sum(pending)::bigint AS pending,
                 sum(held)::bigint AS held
            FROM loyalty_entry
           WHERE recorded_at <= %(at)s
           GROUP BY account_id
      ) AS account
"""

_SEALED = """
    SELECT count(*), coalesce(sum(e.points), 0)::bigint, coalesce(sum(e.pending), 0)::bigint,
           coalesce(sum(e.held), 0)::bigint
      FROM loyalty_entry AS e
      JOIN loyalty_entryseal AS s ON s.entry_id = e.id
     WHERE s.close_id <= %(close)s
"""
