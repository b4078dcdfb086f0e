"""What a member's points are and how they came about, for pages."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Q, Sum

from loyalty.choices import EntryKind
from loyalty.models import Account, Entry, Lot


@dataclass(frozen=True, slots=True)
class AccountSummary:
    """A member's points at an instant.

    ``spendable`` is what a purchase may use: the balance without lots whose validity has ended but which the night has
    not taken yet. ``debt`` is what an account below zero owes. ``expiring_points`` lapse together at ``expiring_at``.
    """

    balance: int = 0
    pending: int = 0
    held: int = 0
    debt: int = 0
    spendable: int = 0
    expiring_points: int = 0
    expiring_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class StatementLine:
    """One journal entry with what a page needs to tell its story. Points are signed."""

    entry_id: int
    kind: EntryKind
    points: int
    pending: int
    held: int
    balance_after: int
    effective_at: datetime
    recorded_at: datetime
    order_no: str
    order_title: str
    channel_name: str
    reference: str
    reason: str
    trace: dict[str, Any]
    expires_at: datetime | None
    remaining: int | None


def summary(member_id: int, at: datetime) -> AccountSummary:
    """The sums of an account, zeros for a member who never had points. Two queries."""
    live = Q(lots__open=True, lots__pending=False) & (Q(lots__expires_at=None) | Q(lots__expires_at__gt=at))
    row = (
        Account.objects.filter(pk=member_id)
        .annotate(
            spendable=Sum("lots__remaining", filter=live, default=0),
        )
        .values("balance", "pending", "held", "spendable")
        .first()
    )
    if row is None:
        return AccountSummary()
    expiring = (
        Lot.objects.filter(account_id=member_id, open=True, pending=False, expires_at__gt=at)
        .values("expires_at")
        .annotate(points=Sum("remaining"))
        .order_by("expires_at")
        .first()
    )
    return AccountSummary(
        balance=row["balance"],
        pending=row["pending"],
        held=row["held"],
        debt=max(-row["balance"], 0),
        spendable=row["spendable"],
        expiring_points=expiring["points"] if expiring else 0,
        expiring_at=expiring["expires_at"] if expiring else None,
    )


def history(member_id: int, *, before_id: int | None = None, limit: int = 20) -> list[StatementLine]:
    """The latest entries, newest first; ``before_id`` goes on where a page ended. One query."""
    entries = Entry.objects.filter(account_id=member_id)
    if before_id is not None:
        entries = entries.filter(pk__lt=before_id)
    rows = entries.order_by("-id").values(
        "id", "kind", "points", "pending", "held", "balance_after", "effective_at", "recorded_at", "order__external_no",
        "order__title", "order__channel__name", "reference", "reason", "trace", "lot__expires_at", "lot__remaining",
        "about__lot__expires_at", "about__lot__remaining",
    )[:limit]  # fmt: skip
    return [_line(row) for row in rows]


def _line(row: Mapping[str, Any]) -> StatementLine:
    # A maturation has no lot of its own: it speaks of the lot that its accrual made.
    matured = row["kind"] == EntryKind.MATURATION
    return StatementLine(
        entry_id=row["id"],
        kind=EntryKind(row["kind"]),
        points=row["points"],
        pending=row["pending"],
        held=row["held"],
        balance_after=row["balance_after"],
        effective_at=row["effective_at"],
        recorded_at=row["recorded_at"],
        order_no=row["order__external_no"] or "",
        order_title=row["order__title"] or "",
        channel_name=row["order__channel__name"] or "",
        reference=row["reference"],
        reason=row["reason"],
        trace=row["trace"],
        expires_at=row["about__lot__expires_at"] if matured else row["lot__expires_at"],
        remaining=row["about__lot__remaining"] if matured else row["lot__remaining"],
    )
