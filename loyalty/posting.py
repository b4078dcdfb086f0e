"""A movement of points, or a change of their times, before it is written. Pure; ``loyalty.journal`` writes the one,
``loyalty.renewals`` the other."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from loyalty.choices import EntryKind, RenewalReason


class Verb(StrEnum):
    """What a posting does to the lots; each verb is one database function."""

    ACCRUE = "accrue"
    MATURE = "mature"
    DRAW = "draw"
    REVERSE = "reverse"
    SETTLE = "settle"
    RESTORE = "restore"


# These take all there is when the posting names no points, and always name the entry they concern.
_ABOUT = frozenset({Verb.MATURE, Verb.SETTLE, Verb.RESTORE})


# The verbs that may come before a member has an account.
OPENING_VERBS = (Verb.ACCRUE, Verb.REVERSE)


class JournalError(Exception):
    """A posting that the journal refuses."""


class KeyConflict(JournalError):
    """The key was used before with another content: two different facts claim to be the same."""

    def __init__(self, keys: Sequence[str]) -> None:
        super().__init__(f"used before with another content: {', '.join(keys)}")
        self.keys = list(keys)


class NothingOpen(JournalError):
    """More was to be spent of a hold, or given back of an entry, than is left of it. ``open`` is what is left."""

    def __init__(self, key: str, *, open_points: int) -> None:
        super().__init__(f"{key}: {open_points} points are left")
        self.key = key
        self.open_points = open_points


class InsufficientPoints(JournalError):
    """The account holds fewer points than were to be spent. ``missing`` is how many more it would take."""

    def __init__(self, member_id: int, *, available: int, missing: int) -> None:
        super().__init__(f"member {member_id}: {available} points available, {missing} missing")
        self.member_id = member_id
        self.available = available
        self.missing = missing


@dataclass(frozen=True, slots=True)
class Limit:
    """A member may have at most ``most`` units under the reference of a burn or hold, counted from ``since`` on (None:
    ever). A burn or hold is one unit, or as many as its trace says under ``units``; a unit whose points were all given
    back no longer counts. Checked under the account's lock (law 7)."""

    most: int
    since: datetime | None = None


class LimitReached(JournalError):
    """The member has had as much of something as one member may have: ``had`` units, and ``limit`` allows no more.
    ``index`` is that limit's place among those of the posting; of several that are reached it is the first."""

    def __init__(self, member_id: int, *, had: int, limit: Limit, index: int) -> None:
        super().__init__(f"member {member_id}: had {had} of {limit.most}")
        self.member_id = member_id
        self.had = had
        self.most = limit.most
        self.limit = limit
        self.index = index


@dataclass(frozen=True, slots=True)
class Posting:
    """One movement of points, not yet written.

    ``points`` is positive; the verb gives the sign. What concerns an earlier entry names it by ``about_key``, and zero
    points there mean all that is left. ``key`` is made from the business fact (law 4). ``effective_at`` is when it
    happened in the business, ``expires_at`` the first instant at which new points are no longer valid (None: never),
    ``deadline`` when held points go back by themselves. ``limits`` bind what is drawn.
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
    deadline: datetime | None = None
    order_id: int | None = None
    about_key: str = ""
    reference: str = ""
    reason: str = ""
    actor_id: int | None = None
    trace: dict[str, Any] = field(default_factory=dict)
    limits: tuple[Limit, ...] = ()

    def __post_init__(self) -> None:
        if self.verb in _ABOUT and not self.about_key:
            raise ValueError(f"{self.key}: say which entry it concerns")
        if self.verb is Verb.MATURE and self.points:
            raise ValueError(f"{self.key}: a maturation moves what is left of the accrual it names")
        if self.points < 0 or (self.points == 0 and self.verb not in _ABOUT):
            raise ValueError(f"{self.key}: points must be positive, not {self.points}")

    def digest(self) -> str:
        """Hash of what makes two postings the same fact, hex as PostgreSQL reads bytea. Times and traces are left out:
        a retry has others.

        A maturation is determined by the accrual that it names, so that the import and the night, whichever comes
        first, write the same fact (``sql/10_night.sql`` has the same hash).
        """
        if self.verb is Verb.MATURE:
            return "\\x" + hashlib.sha256(f"{self.account_id}={self.about_key}".encode()).hexdigest()[:32]
        # ``_value_`` is what ``value`` looks up, at a tenth of the price: imports ask for a hash of every posting.
        content = (
            self.verb._value_, self.kind._value_, self.account_id, self.points, self.pending, self.order_id,
            self.about_key, self.reference, self.reason, self.actor_id,
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


@dataclass(frozen=True, slots=True)
class Renewal:
    """From ``effective_at`` on a lot is valid until ``until`` (None: always): the one that the accrual ``about_key``
    made, or every lot of the account when that is empty. ``key`` is made from the business fact (law 4)."""

    account_id: int
    key: str
    until: datetime | None
    effective_at: datetime
    reason: RenewalReason
    policy_version: int
    about_key: str = ""


@dataclass(frozen=True, slots=True)
class Ripening:
    """The pending points of the accrual ``about_key`` become available at ``available_at`` by themselves."""

    account_id: int
    about_key: str
    available_at: datetime


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


def undoing(
    account_id: int,
    spent_key: str,
    *,
    key: str,
    effective_at: datetime,
    revive_until: datetime | None,
    points: int = 0,
    **rest: Any,
) -> Posting:
    """What was spent is given back to its lots, all of it or ``points``; see ``loyalty.movements.undo``. Of a batch
    those that name a ``revive_until`` are of one day."""
    return Posting(
        Verb.RESTORE, EntryKind.REVERSAL, account_id, key, effective_at, points,
        about_key=spent_key, expires_at=revive_until, **rest,
    )  # fmt: skip
