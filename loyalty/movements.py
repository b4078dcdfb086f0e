"""The movements of points by name, one call each. For many at once build postings and call ``loyalty.journal.post``."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from loyalty.choices import EntryKind
from loyalty.journal import post
from loyalty.posting import Limit, Outcome, Posting, Verb, undoing


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
    limits: Sequence[Limit] = (),
) -> Outcome:
    """Spend ``points`` of a member, first the lots that expire first.

    Raises InsufficientPoints when the valid points do not suffice, LimitReached when one of ``limits`` forbids it,
    KeyConflict when ``key`` stands for something else.
    """
    posting = Posting(
        Verb.DRAW, EntryKind.BURN, member_id, key, at, points,
        reference=reference, reason=reason, actor_id=actor_id, trace=trace or {}, limits=tuple(limits),
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


def open_balance(
    member_id: int,
    points: int,
    *,
    key: str,
    at: datetime,
    expires_at: datetime | None,
    reason: str,
    actor_id: int | None,
) -> Outcome:
    """Carry over ``points`` that a member had in another system. Raises KeyConflict."""
    posting = Posting(
        Verb.ACCRUE, EntryKind.OPENING, member_id, key, at, points,
        available_at=at, expires_at=expires_at, reason=reason, actor_id=actor_id,
    )  # fmt: skip
    return post([posting], at=at)[0]


def hold(
    member_id: int,
    points: int,
    *,
    key: str,
    at: datetime,
    deadline: datetime | None,
    reference: str = "",
    reason: str = "",
    actor_id: int | None = None,
    trace: dict[str, Any] | None = None,
    limits: Sequence[Limit] = (),
) -> Outcome:
    """Set ``points`` aside: they leave the balance and its lots, and wait to be captured or released.

    At ``deadline`` the night gives back what still waits. Raises InsufficientPoints, LimitReached, KeyConflict.
    """
    posting = Posting(
        Verb.DRAW, EntryKind.HOLD, member_id, key, at, points,
        deadline=deadline, reference=reference, reason=reason, actor_id=actor_id, trace=trace or {},
        limits=tuple(limits),
    )  # fmt: skip
    return post([posting], at=at)[0]


def capture(member_id: int, hold_key: str, *, key: str, at: datetime, points: int = 0, **rest: Any) -> Outcome:
    """Spend ``points`` of a hold, or all that still waits. Raises NothingOpen, KeyConflict."""
    posting = Posting(Verb.SETTLE, EntryKind.CAPTURE, member_id, key, at, points, about_key=hold_key, **rest)
    return post([posting], at=at)[0]


def release(
    member_id: int,
    hold_key: str,
    *,
    key: str,
    at: datetime,
    revive_until: datetime | None,
    points: int = 0,
    **rest: Any,
) -> Outcome:
    """Give ``points`` of a hold back to their lots, or all that still waits.

    A lot whose validity has ended meanwhile becomes valid until ``revive_until`` (None: it stays ended, and the night
    takes it). Raises NothingOpen, KeyConflict.
    """
    posting = Posting(
        Verb.RESTORE, EntryKind.RELEASE, member_id, key, at, points,
        about_key=hold_key, expires_at=revive_until, **rest,
    )  # fmt: skip
    return post([posting], at=at)[0]


def undo(
    member_id: int,
    spent_key: str,
    *,
    key: str,
    at: datetime,
    revive_until: datetime | None,
    points: int = 0,
    **rest: Any,
) -> Outcome:
    """Give ``points`` of a burn, a deduction or a captured hold back to their lots, or all of it.

    ``spent_key`` is the key of the entry that drew them, for a captured hold the hold's. ``revive_until`` as in
    ``release``. Raises NothingOpen, KeyConflict.
    """
    posting = undoing(member_id, spent_key, key=key, effective_at=at, revive_until=revive_until, points=points, **rest)
    return post([posting], at=at)[0]
