"""The night's work: what becomes due with time and not with somebody's act.

Each step goes through the accounts in ascending order, some thousand at a time, and commits after each chunk. What is
done is not due any more, so the night may stop anywhere, be repeated, and come days late: entries carry the instant at
which they were due. That is why a chunk need not wait until the disk has it: if the server dies, what is lost of the
last moments is due again. Two nights at once would only wait for each other's locks; the second is told to go home.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import DatabaseError, connection, transaction

from crm.api import ReviewReport, forget_order_files, remind, review_everybody
from loyalty.choices import ExistingPoints
from loyalty.close import close_due_days
from loyalty.gifts import give_birthday_gifts
from loyalty.lapsing import lapse_overdue
from loyalty.models import PolicyApplication, ValidityPolicy
from loyalty.night_steps import NightStep, night_steps
from loyalty.policies import published_policies
from loyalty.referral.settling import settle_due
from loyalty.validity import Policy, programme_zone

_LOCK = 0x70_6B_6E_69  # "pkni", among the advisory locks of the database.
ACCOUNTS_PER_CHUNK = 10_000
HOLDS_PER_CHUNK = 5_000
MEMBERS_PER_CHUNK = 2_000
IMPORTS_PER_CHUNK = 100


class NightBusy(Exception):
    """Another worker does the night's work already."""


@dataclass(frozen=True, slots=True)
class Step:
    """What a step of the night has done so far: accounts touched, lots (holds, days) and points moved, and how long it
    took. ``done`` when nothing is left."""

    step: str
    accounts: int = 0
    lots: int = 0
    points: int = 0
    seconds: float = 0.0
    done: bool = False

    def as_json(self) -> dict[str, Any]:
        """For machines."""
        return {
            "step": self.step,
            "accounts": self.accounts,
            "lots": self.lots,
            "points": self.points,
            "seconds": round(self.seconds, 3),
        }


Progress = Callable[[Step], None]
# Accounts, lots and points of a chunk, and the last account of it; None when there was nothing.
_Chunk = tuple[int, int, int, int | None]


def run_nightly(
    due: datetime,
    *,
    at: datetime,
    progress: Progress = lambda step: None,
    accounts_per_chunk: int = ACCOUNTS_PER_CHUNK,
) -> list[Step]:
    """Do everything that was due by ``due``, recording it at ``at``, and return what each step did.

    Points become available, holds lapse, the floors above do what is due there (``loyalty.night_steps``), a changed
    policy reaches the points that members had before, lots expire, birthdays bring their gifts, referred orders their
    shares, members move between tiers and are told of days that come near, order files whose time is over are deleted,
    days are closed. ``progress`` hears of every chunk after it was committed.
    Raises NightBusy when another worker is at it.
    """
    zone = str(programme_zone())

    def mature(after: int) -> _Chunk:
        return _call("loyalty_mature_due", due, at, zone, after, accounts_per_chunk)

    def expire(after: int) -> _Chunk:
        return _call("loyalty_expire", due, at, after, accounts_per_chunk)

    def birthdays(after: int) -> _Chunk:
        return give_birthday_gifts(due, at, after, min(accounts_per_chunk, MEMBERS_PER_CHUNK))

    def referrals(after: int) -> _Chunk:
        return settle_due(at, after, min(accounts_per_chunk, MEMBERS_PER_CHUNK))

    def uploads(after: int) -> _Chunk:
        forgotten = forget_order_files(at, after, IMPORTS_PER_CHUNK)
        return 0, forgotten.files, 0, forgotten.last

    policies = published_policies()

    def lapse(after: int) -> _Chunk:
        return _lapse(due, at, policies, after, min(accounts_per_chunk, HOLDS_PER_CHUNK))

    def above(step: NightStep) -> Callable[[int], _Chunk]:
        return lambda after: step.work(due, at, after, min(accounts_per_chunk, step.most))

    with _alone():
        steps = [
            _run("mature", mature, progress),
            _run("lapse", lapse, progress),
            *(_run(step.name, above(step), progress) for step in night_steps()),
            _carry_through(due, at, progress, accounts_per_chunk),
            _run("expire", expire, progress),
            _run("birthdays", birthdays, progress),
            _run("referrals", referrals, progress),
            _review_tiers(due, at, progress),
            _remind_of_tiers(at, progress),
            _run("uploads", uploads, progress),
        ]
        started = time.monotonic()
        days = close_due_days(due)
        steps.append(Step("close", lots=days, seconds=time.monotonic() - started, done=True))
        progress(steps[-1])
        _keep()
    return steps


def apply_policy(
    at: datetime, *, progress: Progress = lambda step: None, accounts_per_chunk: int = ACCOUNTS_PER_CHUNK
) -> Step:
    """Carry the policy in force through for the points that members had before, where it was published so. The night
    does this too; call it to have it done at once. Raises NightBusy."""
    with _alone():
        step = _carry_through(at, at, progress, accounts_per_chunk)
        _keep()
    return step


@contextmanager
def _alone() -> Iterator[None]:
    """Hold the night's lock. It belongs to the session, so that a killed worker leaves none behind."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [_LOCK])
        if not cursor.fetchone()[0]:
            raise NightBusy
    try:
        yield
    finally:
        with suppress(DatabaseError), connection.cursor() as cursor:  # A broken session has lost it anyway.
            cursor.execute("SELECT pg_advisory_unlock(%s)", [_LOCK])


def _run(name: str, chunk: Callable[[int], _Chunk], progress: Progress) -> Step:
    """Call ``chunk`` with the last account of the one before until there is none, each in a transaction of its own."""
    started = time.monotonic()
    accounts = lots = points = 0
    after: int | None = 0
    while after is not None:
        with transaction.atomic():
            more = chunk(after)
            _commit_without_waiting()
        accounts, lots, points, after = accounts + more[0], lots + more[1], points + more[2], more[3]
        step = Step(name, accounts, lots, points, time.monotonic() - started, done=after is None)
        progress(step)
    return step


def _commit_without_waiting() -> None:
    """Let the transaction's commit return before the disk has it. The log is written in order, so whoever builds on
    what it did waits for both; and the next chunk is worked out while the disk writes this one."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL synchronous_commit = off")


def _keep() -> None:
    """Wait until the disk has all that was committed. A transaction that writes nothing would not; this one writes a
    message to the log that nobody reads."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_logical_emit_message(TRUE, 'pointkeeper', 'night')")


def _review_tiers(due: datetime, at: datetime, progress: Progress) -> Step:
    """Have all members reviewed, now that what they earned is theirs. The step counts members as accounts and moves as
    lots; each chunk is several transactions, which the ground floor begins itself."""
    started = time.monotonic()

    def step(report: ReviewReport, *, done: bool) -> Step:
        moved = sum(report.moves.values())
        return Step("tiers", report.members, moved, 0, time.monotonic() - started, done=done)

    reviewed = review_everybody(due, at=at, progress=lambda report: progress(step(report, done=False)))
    last = step(reviewed, done=True)
    progress(last)
    return last


def _remind_of_tiers(at: datetime, progress: Progress) -> Step:
    """Have members told that the last day to take or to hold a tier comes near. The step counts members as accounts and
    mails as lots."""
    started = time.monotonic()
    told = remind(at)
    step = Step("tier_mails", told.found, told.queued, 0, time.monotonic() - started, done=True)
    progress(step)
    return step


def _call(function: str, *values: Any) -> _Chunk:
    parameters = ", ".join(["%s"] * len(values))
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT accounts, lots, points, last_account FROM {function}({parameters})", values)
        accounts, lots, points, last = cursor.fetchone()
    return accounts, lots, points, last


def _carry_through(due: datetime, at: datetime, progress: Progress, most: int) -> Step:
    """Of several policies that have come into force since, only the last one counts."""
    policy = ValidityPolicy.objects.filter(effective_from__lte=due).order_by("-effective_from", "-version").first()
    if (
        policy is None
        or policy.existing_points == ExistingPoints.NEW_POINTS_ONLY
        or PolicyApplication.objects.filter(policy=policy).exists()
    ):
        step = Step("policy", done=True)
        progress(step)
        return step
    version, since, zone = policy.version, policy.effective_from, str(programme_zone())
    shorten = policy.existing_points == ExistingPoints.APPLY_TO_ALL

    def revalue(after: int) -> _Chunk:
        return _call("loyalty_apply_policy", version, since, shorten, at, zone, after, most)

    step = _run("policy", revalue, progress)
    PolicyApplication.objects.create(policy=policy, at=at)
    return step


_HOLDERS = """
SELECT DISTINCT account_id FROM loyalty_hold
 WHERE open AND deadline <= %s AND account_id > %s ORDER BY account_id LIMIT %s
"""


def _lapse(due: datetime, at: datetime, policies: list[Policy], after: int, most: int) -> _Chunk:
    """Give back what holds past their deadline still have, as of the deadline."""
    with connection.cursor() as cursor:
        cursor.execute(_HOLDERS, [due, after, most])
        ids = [account_id for (account_id,) in cursor.fetchall()]
    if not ids:
        return 0, 0, 0, None
    lapsed = lapse_overdue(ids, due=due, at=at, policies=policies)
    return lapsed.accounts, lapsed.holds, lapsed.points, ids[-1]
