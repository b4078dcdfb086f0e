"""Sums over all accounts, for the shop's own overview."""

from dataclasses import dataclass
from datetime import date, datetime

from django.db.models import Q, Sum
from django.db.models.functions import TruncMonth

from loyalty.choices import EntryKind
from loyalty.models import Account, Entry
from loyalty.validity import programme_zone


@dataclass(frozen=True, slots=True)
class PointsTotals:
    """Points of all accounts together: what may be spent, and what waits for orders to succeed."""

    outstanding: int
    pending: int


@dataclass(frozen=True, slots=True)
class MonthFlow:
    """What the members earned (pending points included) and spent in a month of the programme's calendar."""

    month: date  # Its first day.
    earned: int
    spent: int


def points_totals() -> PointsTotals:
    """Add up all accounts. One query over the accounts, none over the journal."""
    sums = Account.objects.aggregate(outstanding=Sum("balance", default=0), pending=Sum("pending", default=0))
    return PointsTotals(**sums)


def monthly_flow(since: datetime, until: datetime) -> list[MonthFlow]:
    """Points earned and spent by month, by when it happened in the business; months without either are left out.

    One pass over the journal, so callers keep the answer for a while.
    """
    earned = Q(kind=EntryKind.ACCRUAL)
    spent = Q(kind=EntryKind.BURN)
    rows = (
        Entry.objects.filter(earned | spent, effective_at__gte=since, effective_at__lt=until)
        .order_by()
        .annotate(month=TruncMonth("effective_at", tzinfo=programme_zone()))
        .values("month")
        .annotate(
            earned_points=Sum("points", filter=earned, default=0),
            earned_pending=Sum("pending", filter=earned, default=0),
            spent_points=Sum("points", filter=spent, default=0),
        )
        .order_by("month")
    )
    return [
        MonthFlow(row["month"].date(), row["earned_points"] + row["earned_pending"], -row["spent_points"])
        for row in rows
    ]
