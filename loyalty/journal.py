"""The journal: the only place that writes entries, lots, holds and balances (law 1).

Everything goes through ``post``, which takes a batch; one posting is a batch of one. A batch is cut into runs of the
same verb, and each run is one call of a database function (``loyalty/sql``) that locks the accounts, looks the keys up,
finds the lots and writes entries, lots and balances set by set. Lock order: accounts ascending, then their lots.

A batch is all or nothing: a refusal raises and leaves nothing behind.
"""

import json
from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any

from django.db import connection, transaction

from loyalty.posting import (
    OPENING_VERBS,
    InsufficientPoints,
    KeyConflict,
    LimitReached,
    NothingOpen,
    Outcome,
    Posting,
    Verb,
)


def post(postings: Sequence[Posting], *, at: datetime) -> list[Outcome]:
    """Write a batch of postings, in order, and return one outcome each.

    ``at`` is the instant of recording; spending counts only lots that are valid then. The same posting may stand in the
    batch twice and is written once. Raises KeyConflict, InsufficientPoints, LimitReached and NothingOpen; nothing is
    written then.
    """
    unique = _without_repeats(postings)
    runs = [(verb, list(run)) for verb, run in groupby(unique, key=lambda posting: posting.verb)]
    written: dict[str, Outcome] = {}
    with nullcontext() if _is_whole_by_itself(runs) else transaction.atomic():
        if len(runs) > 1:
            lock_accounts(unique)
        for verb, run in runs:
            written.update(_call(verb, run, at))
    return [written[posting.key] for posting in postings]


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


def expire_overdue(member_ids: Iterable[int], *, at: datetime) -> None:
    """Take what lapsed in the accounts of these members since it was recorded, as every reversal does. Call it before
    what is to be taken back is worked out from what they have."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT loyalty_expire_overdue(%s::bigint[], %s)", [sorted(member_ids), at])


def lock_accounts(postings: Sequence[Posting], also: Iterable[int] = ()) -> None:
    """Lock the accounts of all postings at once, and ``also`` those of other members.

    Each run locks its own in ascending order, but the second run of one batch may want an account that the first run of
    another holds, and the other way round.
    """
    everybody = sorted({posting.account_id for posting in postings}.union(also))
    newcomers = sorted({p.account_id for p in postings if p.verb in OPENING_VERBS})
    with connection.cursor() as cursor:
        cursor.execute("SELECT loyalty_lock(%s::bigint[], %s::bigint[])", [everybody, newcomers])


def _is_whole_by_itself(runs: Sequence[tuple[Verb, list[Posting]]]) -> bool:
    """Whether a batch is one statement that is all or nothing: a transaction around it would only cost two more round
    trips. An opening verb needs one, lest a refusal leave an empty account behind; so do limits, which a later posting
    meets when earlier ones are written."""
    if len(runs) != 1:
        return False
    [(verb, run)] = runs
    return verb not in OPENING_VERBS and (len(run) == 1 or not any(posting.limits for posting in run))


def _without_repeats(postings: Sequence[Posting]) -> list[Posting]:
    unique: dict[str, Posting] = {}
    for posting in postings:
        known = unique.setdefault(posting.key, posting)
        if known is not posting and known.digest() != posting.digest():
            raise KeyConflict([posting.key])
    return list(unique.values())


def _call(verb: Verb, batch: list[Posting], at: datetime) -> dict[str, Outcome]:
    rows = json.dumps([as_row(seq, posting) for seq, posting in enumerate(batch)])
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
        if code == "short" and verb is not Verb.DRAW:
            raise NothingOpen(batch[seq].about_key, open_points=available)
        if code.startswith("limit "):
            index = int(code.removeprefix("limit ")) - 1
            raise LimitReached(batch[seq].account_id, had=available, limit=batch[seq].limits[index], index=index)
        if code == "short":
            member_id = batch[seq].account_id
            short = [batch[other] for other, verdict, *_ in answers if verdict == "short"]
            wanted = sum(posting.points for posting in short if posting.account_id == member_id)
            raise InsufficientPoints(member_id, available=available, missing=wanted - available)
    return {
        batch[seq].key: Outcome(entry_id, code == "repeated", points, pending, balance_after)
        for seq, code, entry_id, points, pending, balance_after, _ in answers
    }


def as_row(seq: int, posting: Posting) -> dict[str, Any]:
    """The posting as one JSON object. What is empty is left out: most postings are sparse, and reading costs time."""
    row: dict[str, Any] = {
        "seq": seq,
        "account_id": posting.account_id,
        "kind": posting.kind,
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
    if posting.deadline is not None:
        row["deadline"] = posting.deadline.isoformat()
    if posting.order_id is not None:
        row["order_id"] = posting.order_id
    if posting.limits:
        row["limit_most"] = [limit.most for limit in posting.limits]
        row["limit_since"] = [limit.since and limit.since.isoformat() for limit in posting.limits]
    if posting.about_key:
        row["about_key"] = posting.about_key
    if posting.actor_id is not None:
        row["actor_id"] = posting.actor_id
    return row
