"""Closing the days of the programme: what moved, what it will cost, and a seal on every entry (decision 0006).

A day takes all entries that were recorded before its end and that no earlier day has taken. Whatever a long transaction
commits after its day was closed goes into the next one and is counted as late. So nothing is lost, and the closing
figure is at any time the sum of all entries that are sealed.
"""

import json
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from django.db import connection, transaction
from django.db.models import Min

from loyalty.liability import cost_on, expected_breakage, full_cohorts, liability
from loyalty.models import DayClose, Entry
from loyalty.validity import programme_zone

# One of two workers that come at the same time waits here, and then finds the day closed.
_LOCK = 0x70_6B_64_63  # "pkdc", among the advisory locks of the database.
IDS_PER_CHUNK = 200_000


@dataclass(frozen=True, slots=True)
class _Day:
    number: int
    day: date
    begins_at: datetime
    ends_at: datetime
    before: DayClose | None


def close_due_days(at: datetime) -> int:
    """Close every finished day that is not closed yet, oldest first, and return how many.

    Each is a transaction of its own; the run may stop anywhere, be repeated, come days late, and run twice at once.
    """
    closed = 0
    while _close_next_day(at):
        closed += 1
    return closed


def _close_next_day(at: datetime) -> bool:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        due = _next_day()
        if due is None or due.ends_at > at:
            return False
        cursor.execute(
            "SELECT * FROM loyalty_seal_day(%s, %s, %s, %s)",
            [due.number, due.begins_at, due.ends_at, IDS_PER_CHUNK],
        )
        names = [column.name for column in cursor.description]
        moves = dict(zip(names, cursor.fetchone(), strict=True))
        row = _row(due, moves, at)
        cursor.execute("SELECT loyalty_write_close(%s::jsonb)", [json.dumps(row, default=_as_json)])
    return True


def _next_day() -> _Day | None:
    """The day after the last one closed; the first is the day of the first entry. None while there is none."""
    before = DayClose.objects.order_by("-number").first()
    zone = programme_zone()
    if before is not None:
        day = before.day + timedelta(days=1)
        return _Day(before.number + 1, day, before.ends_at, _midnight_after(day), before)
    first = Entry.objects.aggregate(first=Min("recorded_at"))["first"]
    if first is None:
        return None
    day = first.astimezone(zone).date()
    return _Day(1, day, datetime.combine(day, time.min, tzinfo=zone), _midnight_after(day), None)


def _midnight_after(day: date) -> datetime:
    return datetime.combine(day + timedelta(days=1), time.min, tzinfo=programme_zone())


def _row(due: _Day, moves: dict[str, int], at: datetime) -> dict[str, Any]:
    """The columns of the day's row. The constraints of the table prove the three sums once more."""
    before = due.before
    opening = before.closing if before else 0
    pending_opening = before.pending_closing if before else 0
    held_opening = before.held_closing if before else 0
    closing = (
        opening + moves["accrued"] + moves["carried_over"] + moves["matured"] - moves["burned"] - moves["expired"]
        + moves["adjusted"] - moves["reversed"] + moves["undone"] - moves["set_aside"] + moves["released"]
    )  # fmt: skip
    cost = cost_on(due.ends_at)
    breakage = _breakage(due)
    return {
        "number": due.number,
        "day": due.day,
        "begins_at": due.begins_at,
        "ends_at": due.ends_at,
        "closed_at": at,
        **moves,
        "opening": opening,
        "closing": closing,
        "pending_opening": pending_opening,
        "pending_closing": (pending_opening + moves["pending_accrued"] - moves["matured"] - moves["pending_reversed"]),
        "held_opening": held_opening,
        "held_closing": held_opening + moves["set_aside"] - moves["captured"] - moves["released"],
        "rate_version": cost.version,
        "cost_per_point": cost.per_point,
        "breakage": breakage,
        "liability": liability(closing, cost.per_point, breakage),
    }


def _breakage(due: _Day) -> Decimal:
    """Worked out once a month, on its first day: cohorts are months, so it would hardly change in between."""
    if due.before is not None and (due.before.day.year, due.before.day.month) == (due.day.year, due.day.month):
        return due.before.breakage
    return expected_breakage(full_cohorts(due.ends_at))


def _as_json(value: object) -> str:
    return value.isoformat() if isinstance(value, date) else str(value)
