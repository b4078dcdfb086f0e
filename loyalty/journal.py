"""The journal: the only place that writes entries, lots and balances (law 1).

Everything goes through ``post``, which takes a batch; one posting is a batch of one. A batch is cut into runs of the
same verb, and each run is one call of a database function (``loyalty/sql``) that locks the accounts, looks the keys up,
finds the lots and writes entries, lots and balances set by set. Lock order: accounts ascending, then their lots.

A batch is all or nothing: a refusal raises and leaves nothing behind.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from itertools import groupby
from typing import Any

from django.db import connection, transaction

from loyalty.choices import EntryKind


class Verb(StrEnum):
    """What a posting does to the lots; each verb is one database function."""

    ACCRUE = "accrue"
    MATURE = "mature"
    DRAW = "draw"
    REVERSE = "reverse"


# The verbs that may come before a member has an account.
_OPENING = (Verb.ACCRUE, Verb.REVERSE)


class JournalError(Exception):
    """A posting that the journal refuses."""


class KeyConflict(JournalError):
    """The key was used before with another content: two different facts claim to be the same."""

    def __init__(self, keys: Sequence[str]) -> None:
        super().__init__(f"used before with another content: {', '.join(keys)}")
        self.keys = list(keys)


class InsufficientPoints(JournalError):
    """The account holds fewer points than were to be spent. ``missing`` is how many more it would take."""

    def __init__(self, member_id: int, *, available: int, missing: int) -> None:
        super().__init__(f"member {member_id}: {available} points available, {missing} missing")
        self.member_id = member_id
        self.available = available
        self.missing = missing


@dataclass(frozen=True, slots=True)
class Posting:
    """One movement of points, not yet written.

    ``points`` is positive; the verb gives the sign. A maturation takes no points: it moves what is left of the lot of
    ``about_key``. ``key`` is made from the business fact (law 4). ``effective_at`` is when it happened in the business,
    ``expires_at`` the first instant at which new points are no longer valid (None: never).
    """

    verb: Verb
    kind: EntryKind
    account_id: int
    key: str
    effective_at: datetime
    points: int = 0
    pending: bool = False
    available_at: datetime | None = None
    expires_at: datetime | None = None
    order_id: int | None = None
    about_key: str = ""
    reference: str = ""
    reason: str = ""
    actor_id: int | None = None
    trace: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.verb is Verb.MATURE:
            if self.points or not self.about_key:
                raise ValueError(f"{self.key}: a maturation moves what is left of the accrual it names")
        elif self.points <= 0:
            raise ValueError(f"{self.key}: points must be positive, not {self.points}")

    def digest(self) -> str:
        """Hash of what makes two postings the same fact, hex as PostgreSQL reads bytea. Times and traces are left out:
        a retry has others."""
        content = (
            self.verb.value, self.kind.value, self.account_id, self.points, self.pending, self.order_id, self.about_key,
            self.reference, self.reason, self.actor_id,
        )  # fmt: skip
        return "\\x" + hashlib.blake2b(repr(content).encode(), digest_size=16).hexdigest()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a posting.

    ``entry_id`` is None when there was nothing left to move. ``points`` and ``pending`` are the signed changes of the
    two sums; a repeated posting reports those of the first time.
    """

    entry_id: int | None
    repeated: bool
    points: int
    pending: int
    balance_after: int | None


def accrual(account_id: int, points: int, *, key: str, effective_at: datetime, **rest: Any) -> Posting:
    """Points earned. With ``pending=True`` they wait for ``maturation``; else give ``expires_at``."""
    return Posting(Verb.ACCRUE, EntryKind.ACCRUAL, account_id, key, effective_at, points, **rest)


def maturation(account_id: int, *, key: str, about_key: str, effective_at: datetime, **rest: Any) -> Posting:
    """The pending points of an accrual become available."""
    return Posting(
        Verb.MATURE,
        EntryKind.MATURATION,
        account_id,
        key,
        effective_at,
        about_key=about_key,
        **rest,
    )


def reversal(account_id: int, points: int, *, key: str, effective_at: datetime, **rest: Any) -> Posting:
    """Points are taken back, first from the lot of the accrual ``about_key``; the account may end below zero."""
    return Posting(Verb.REVERSE, EntryKind.REVERSAL, account_id, key, effective_at, points, **rest)


def post(postings: Sequence[Posting], *, at: datetime) -> list[Outcome]:
    """Write a batch of postings, in order, and return one outcome each.

    ``at`` is the instant of recording; spending counts only lots that are valid then. The same posting may stand in the
    batch twice and is written once. Raises KeyConflict and InsufficientPoints; nothing is written then.
    """
    unique = _without_repeats(postings)
    runs = [(verb, list(run)) for verb, run in groupby(unique, key=lambda posting: posting.verb)]
    written: dict[str, Outcome] = {}
    with transaction.atomic():
        if len(runs) > 1:
            _lock_accounts(unique)
        for verb, run in runs:
            written.update(_call(verb, run, at))
    return [written[posting.key] for posting in postings]


def burn(
    member_id: int,
    points: int,
    *,
    key: str,
    at: datetime,
    reference: str = "",
    reason: str = "",
    actor_id: int | None = None,
    trace: dict[str, Any] | None = None,
) -> Outcome:
    """Spend ``points`` of a member, first the lots that expire first.

    Raises InsufficientPoints when the valid points do not suffice, KeyConflict when ``key`` stands for something else.
    """
    posting = Posting(
        Verb.DRAW, EntryKind.BURN, member_id, key, at, points,
        reference=reference, reason=reason, actor_id=actor_id, trace=trace or {},
    )  # fmt: skip
    return post([posting], at=at)[0]


def adjust(
    member_id: int,
    points: int,
    *,
    key: str,
    at: datetime,
    reason: str,
    actor_id: int | None,
    expires_at: datetime | None = None,
) -> Outcome:
    """Give (positive) or take (negative) points by a person's decision, never below zero.

    The caller writes the staff log. Raises ValueError without a reason or with zero points, InsufficientPoints,
    KeyConflict.
    """
    if not reason.strip():
        raise ValueError("an adjustment needs a reason")
    verb = Verb.ACCRUE if points > 0 else Verb.DRAW
    posting = Posting(
        verb, EntryKind.ADJUSTMENT, member_id, key, at, abs(points),
        available_at=at if points > 0 else None, expires_at=expires_at if points > 0 else None,
        reason=reason, actor_id=actor_id, trace={"by_hand": points},
    )  # fmt: skip
    return post([posting], at=at)[0]


@dataclass(frozen=True, slots=True)
class Expired:
    """What an expiry run took: lots and points."""

    lots: int
    points: int


def expire_due(at: datetime, *, accounts_per_chunk: int = 10_000) -> Expired:
    """Take what is left of every lot whose validity ended by ``at``. Each chunk of accounts is a transaction of its
    own, so the run may stop anywhere and be started again."""
    lots = points = 0
    after: int | None = 0
    while after is not None:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(
                "SELECT lots, points, last_account FROM loyalty_expire(%s, %s, %s, %s)",
                [at, at, after, accounts_per_chunk],
            )
            chunk_lots, chunk_points, after = cursor.fetchone()
        lots += chunk_lots
        points += chunk_points
    return Expired(lots=lots, points=points)


def _lock_accounts(postings: Sequence[Posting]) -> None:
    """Lock the accounts of all runs at once. Each run locks its own in ascending order, but the second run of one batch
    may want an account that the first run of another holds, and the other way round."""
    everybody = sorted({posting.account_id for posting in postings})
    newcomers = sorted({p.account_id for p in postings if p.verb in _OPENING})
    with connection.cursor() as cursor:
        cursor.execute("SELECT loyalty_lock(%s::bigint[], %s::bigint[])", [everybody, newcomers])


def _without_repeats(postings: Sequence[Posting]) -> list[Posting]:
    unique: dict[str, Posting] = {}
    for posting in postings:
        known = unique.setdefault(posting.key, posting)
        if known is not posting and known.digest() != posting.digest():
            raise KeyConflict([posting.key])
    return list(unique.values())


def _call(verb: Verb, batch: list[Posting], at: datetime) -> dict[str, Outcome]:
    rows = json.dumps([_as_row(seq, posting) for seq, posting in enumerate(batch)])
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT seq, code, entry_id, points, pending, balance_after, available FROM loyalty_{verb}(%s::jsonb, %s)",
            [rows, at],
        )
        answers = cursor.fetchall()
    conflicts = [batch[seq].key for seq, code, *_ in answers if code == "conflict"]
    if conflicts:
        raise KeyConflict(conflicts)
    for seq, code, *_, available in answers:
        if code == "short":
            member_id = batch[seq].account_id
            short = [batch[other] for other, verdict, *_ in answers if verdict == "short"]
            wanted = sum(posting.points for posting in short if posting.account_id == member_id)
            raise InsufficientPoints(member_id, available=available, missing=wanted - available)
    return {
        batch[seq].key: Outcome(entry_id, code == "repeated", points, pending, balance_after)
        for seq, code, entry_id, points, pending, balance_after, _ in answers
    }


def _as_row(seq: int, posting: Posting) -> dict[str, Any]:
    """The posting as one JSON object. What is empty is left out: most postings are sparse, and reading costs time."""
    row: dict[str, Any] = {
        "seq": seq,
        "account_id": posting.account_id,
        "kind": posting.kind.value,
        "points": posting.points,
        "pending": posting.pending,
        "key": posting.key,
        "digest": posting.digest(),
        "effective_at": posting.effective_at.isoformat(),
        "reference": posting.reference,
        "reason": posting.reason,
        "trace": posting.trace,
    }
    if posting.available_at is not None:
        row["available_at"] = posting.available_at.isoformat()
    if posting.expires_at is not None:
        row["expires_at"] = posting.expires_at.isoformat()
    if posting.order_id is not None:
        row["order_id"] = posting.order_id
    if posting.about_key:
        row["about_key"] = posting.about_key
    if posting.actor_id is not None:
        row["actor_id"] = posting.actor_id
    return row
