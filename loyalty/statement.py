"""What a member's points are and how they came about, for pages."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import F, Lookup, Q, QuerySet, Sum
from django.db.models.sql.compiler import SQLCompiler

from loyalty.choices import EntryKind
from loyalty.explain_award import tells_names
from loyalty.models import Entry
from loyalty.rulebook import rule_names

# SQL text that is another one as soon as the points or the sign-ins of the member ``m`` have changed.
POINTS_CHANGES = """
(SELECT a.version FROM loyalty_account AS a WHERE a.member_id = m.id),
(SELECT concat('on ', max(c.day)) FROM loyalty_checkin AS c WHERE c.member_id = m.id)
"""

# SQL text: the sums of the member ``m`` at ``%(at)s`` as one value, which ``summary_of`` reads.
POINTS_SUMMARY = """
json_build_array(
  (SELECT json_build_array(a.balance, a.pending, a.held) FROM loyalty_account AS a WHERE a.member_id = m.id),
  (SELECT json_build_array(
            coalesce(sum(g.points), 0), min(g.expires_at), (array_agg(g.points ORDER BY g.expires_at))[1])
     FROM (SELECT l.expires_at, sum(l.remaining)::bigint AS points
             FROM loyalty_lot AS l
            WHERE l.account_id = m.id AND l.open AND NOT l.pending
              AND (l.expires_at IS NULL OR l.expires_at > %(at)s)
            GROUP BY l.expires_at) AS g),
  (SELECT min(l.available_at) FROM loyalty_lot AS l WHERE l.account_id = m.id AND l.open AND l.pending)
)
"""
_SUMMARY_OF_ONE = f"SELECT {POINTS_SUMMARY}::text FROM (SELECT %(member)s::bigint) AS m (id)"


@dataclass(frozen=True, slots=True)
class AccountSummary:
    """A member's points at an instant.

    ``spendable`` is what a purchase may use: the balance without lots whose validity has ended but which the night has
    not taken yet. ``debt`` is what an account below zero owes. ``expiring_points`` lapse together at ``expiring_at``.
    The first of the pending ones become available at ``ripens_at`` at the latest; None as long as that is not known.
    """

    balance: int = 0
    pending: int = 0
    held: int = 0
    debt: int = 0
    spendable: int = 0
    expiring_points: int = 0
    expiring_at: datetime | None = None
    ripens_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class StatementLine:
    """One journal entry with what a page needs to tell its story. Points are signed; ``rule_names`` are what the shop
    calls the rules that made them, by their codes."""

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
    rule_names: Mapping[str, str] = field(default_factory=dict)
    actor: str = ""


class OneOf(Lookup):
    """``column = ANY (array)``.

    Ordering by a column that is compared with ``=`` means nothing to PostgreSQL, so that ``account = 7 ORDER BY id``
    may be answered by walking the whole journal backwards through its primary key: quick as long as the account is
    busy, and endless for one that has slept for a year. Compared in this way the column keeps its place in the ORDER
    BY, and only the account's own index gives that order.
    """

    lookup_name = "one_of"
    prepare_rhs = False

    def as_sql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper) -> tuple[str, list[Any]]:  # type: ignore[override]
        left, parameters = self.process_lhs(compiler, connection)
        return f"{left} = ANY (%s::bigint[])", [*parameters, list(self.rhs)]


class Moves(StrEnum):
    """Which of the account's sums a line must have moved."""

    ANY = ""
    PENDING = "pending"
    HELD = "held"


@dataclass(frozen=True, slots=True)
class Filters:
    """Which lines of a statement are wanted: what happened from ``since`` on and before ``until``; ``text`` is part of
    a reference or a reason, or a whole order number."""

    kinds: tuple[EntryKind, ...] = ()
    since: datetime | None = None
    until: datetime | None = None
    text: str = ""
    moves: Moves = Moves.ANY

    def narrow(self, entries: "QuerySet[Entry]") -> "QuerySet[Entry]":
        """Leave the wanted ones."""
        if self.kinds:
            entries = entries.filter(kind__in=self.kinds)
        if self.since is not None:
            entries = entries.filter(effective_at__gte=self.since)
        if self.until is not None:
            entries = entries.filter(effective_at__lt=self.until)
        if self.text:
            entries = entries.filter(
                Q(reference__icontains=self.text) | Q(reason__icontains=self.text) | Q(order__external_no=self.text)
            )
        if self.moves is not Moves.ANY:
            entries = entries.exclude(**{self.moves.value: 0})
        return entries


EVERYTHING = Filters()


@dataclass(frozen=True, slots=True)
class StatementPage:
    """A page of a statement, newest line first. ``newer`` and ``older`` are the entries that the pages beside it follow
    on from; None where there is no such page."""

    lines: list[StatementLine]
    newer: int | None
    older: int | None


def summary(member_id: int, at: datetime) -> AccountSummary:
    """The sums of an account, zeros for a member who never had points. One query."""
    with connection.cursor() as cursor:
        cursor.execute(_SUMMARY_OF_ONE, {"member": member_id, "at": at})
        [found] = cursor.fetchone()
    return summary_of(json.loads(found))


def summary_of(found: Sequence[Any]) -> AccountSummary:
    """Read what ``POINTS_SUMMARY`` found."""
    sums, (spendable, expires_at, expiring), ripens_at = found
    if sums is None:
        return AccountSummary()
    balance, pending, held = sums
    return AccountSummary(
        balance=balance,
        pending=pending,
        held=held,
        debt=max(-balance, 0),
        spendable=spendable,
        expiring_points=expiring if expires_at else 0,
        expiring_at=datetime.fromisoformat(expires_at) if expires_at else None,
        ripens_at=datetime.fromisoformat(ripens_at) if ripens_at else None,
    )


def history(
    member_id: int, *, before_id: int | None = None, limit: int = 20, filters: Filters = EVERYTHING
) -> list[StatementLine]:
    """The latest entries, newest first; ``before_id`` goes on where a page ended. One query, which reads in its index
    no more than it returns as long as nothing is filtered, and one more where several rules, which have names,
    decided."""
    entries = filters.narrow(_entries_of(member_id))
    if before_id is not None:
        entries = entries.filter(pk__lt=before_id)
    return _lines(entries.order_by("account_id", "-id"), limit)


def statement_page(
    member_id: int,
    filters: Filters = EVERYTHING,
    *,
    before_id: int | None = None,
    after_id: int | None = None,
    limit: int = 50,
) -> StatementPage:
    """The page below the entry ``before_id``, or the one above ``after_id``; without either the newest page.

    One query, a second one where ``after_id`` leads back to the newest page; nothing is counted or skipped, however
    long the account is.
    """
    if after_id is not None:
        entries = filters.narrow(_entries_of(member_id).filter(pk__gt=after_id))
        above = _lines(entries.order_by("-account_id", "id"), limit + 1)
        if len(above) > limit:
            shown = above[:limit][::-1]
            return StatementPage(shown, newer=shown[0].entry_id, older=shown[-1].entry_id)
    lines = history(member_id, before_id=before_id, limit=limit + 1, filters=filters)
    shown, more = lines[:limit], len(lines) > limit
    newer = shown[0].entry_id if shown and before_id is not None else None
    return StatementPage(shown, newer=newer, older=shown[-1].entry_id if more else None)


def whole_statement(member_id: int, filters: Filters = EVERYTHING, *, at_once: int = 2_000) -> Iterator[StatementLine]:
    """Every wanted line, newest first, for a download: ``at_once`` of them are held in memory at a time."""
    before_id: int | None = None
    while lines := history(member_id, before_id=before_id, limit=at_once, filters=filters):
        yield from lines
        before_id = lines[-1].entry_id


def balance_before(member_id: int, since: datetime | None) -> int:
    """The balance by the entries recorded before ``since``; 0 for "since ever". One query."""
    if since is None:
        return 0
    entries = Entry.objects.filter(account_id=member_id, recorded_at__lt=since)
    total: int = entries.order_by().aggregate(total=Sum("points", default=0))["total"]
    return total


def recorded_lines(
    member_id: int, since: datetime | None, until: datetime, *, at_once: int = 2_000
) -> Iterator[StatementLine]:
    """Every line recorded from ``since`` on and before ``until``, oldest first: ``at_once`` of them are held in memory
    at a time. With ``balance_before`` they make a statement that adds up."""
    entries = _entries_of(member_id).filter(recorded_at__lt=until)
    if since is not None:
        entries = entries.filter(recorded_at__gte=since)
    after_id = 0
    while lines := _lines(entries.filter(pk__gt=after_id).order_by("-account_id", "id"), at_once):
        yield from lines
        after_id = lines[-1].entry_id


def _entries_of(member_id: int) -> "QuerySet[Entry]":
    return Entry.objects.filter(OneOf(F("account_id"), [member_id]))


def _lines(entries: "QuerySet[Entry]", limit: int) -> list[StatementLine]:
    rows = entries.values(
        "id", "kind", "points", "pending", "held", "balance_after", "effective_at", "recorded_at", "order__external_no",
        "order__title", "order__channel__name", "reference", "reason", "trace", "lot__expires_at", "lot__remaining",
        "about__lot__expires_at", "about__lot__remaining", "actor__username",
    )[:limit]  # fmt: skip
    names = rule_names({row["trace"]["set"] for row in rows if tells_names(row["trace"])})
    return [line_of(row, names.get(row["trace"].get("set"), {})) for row in rows]


def line_of(row: Mapping[str, Any], names: Mapping[str, str]) -> StatementLine:
    """Make a line of what was read of its entry; ``names`` are what the shop calls the rules of its set."""
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
        rule_names=names,
        actor=row["actor__username"] or "",
    )
