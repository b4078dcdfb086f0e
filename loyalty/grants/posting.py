"""Some rows of a grant into the journal, as one batch.

A batch of the journal is all or nothing, and one account that falls short would refuse it whole. So what the rows need
is looked at first, under the accounts' lock: rows whose key is known were given before, and of the deductions those
go on for which the balance suffices, in their order. The rest is written down as refused, and the batch posts what is
left; nobody can have changed the balances in between.
"""

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any

from django.db import connection

from loyalty.choices import EntryKind
from loyalty.journal import lock_accounts, post
from loyalty.models import Grant, GrantRow
from loyalty.policies import valid_until
from loyalty.posting import Posting, Verb
from loyalty.validity import programme_zone

Outcome = GrantRow.Outcome


@dataclass(frozen=True, slots=True)
class Row:
    """A row that waits for its turn, as the database has it."""

    row_id: int
    seq: int
    line_no: int
    member_id: int
    points: int
    reason: str
    valid_through: date | None
    fact: str
    repetition: int
    detail: str | None

    @property
    def key(self) -> str:
        """The journal's key, made from what the row says."""
        return f"grant:{self.fact}:{self.repetition}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a row, and why when it was refused."""

    row: Row
    outcome: Outcome
    code: str = ""
    value: str = ""


@dataclass
class Counts:
    """What became of the rows so far. Points are positive; ``seconds`` is the time spent on committed batches."""

    given: int = 0
    points_given: int = 0
    points_taken: int = 0
    repeated: int = 0
    refused: int = 0
    seconds: float = field(default=0)

    @property
    def rows(self) -> int:
        """How many rows have had their turn."""
        return self.given + self.repeated + self.refused

    def add(self, verdicts: Sequence[Verdict]) -> None:
        """Count what became of a batch."""
        for verdict in verdicts:
            if verdict.outcome is Outcome.GIVEN:
                self.given += 1
                self.points_given += max(verdict.row.points, 0)
                self.points_taken += max(-verdict.row.points, 0)
            elif verdict.outcome is Outcome.REPEATED:
                self.repeated += 1
            else:
                self.refused += 1


_NEXT = """
SELECT id, seq, line_no, member_id, points, reason, valid_through, encode(fact, 'hex'), repetition, detail::text
  FROM loyalty_grantrow WHERE grant_id = %s AND seq > %s AND code = '' ORDER BY seq LIMIT %s
"""
_SPENDABLE = """
SELECT m.id, coalesce(sum(l.remaining), 0)::bigint
  FROM unnest(%s::bigint[]) AS m (id)
  LEFT JOIN loyalty_lot AS l
    ON l.account_id = m.id AND l.open AND NOT l.pending AND (l.expires_at IS NULL OR l.expires_at > %s)
 GROUP BY m.id
"""
_WRITE_DOWN = """
UPDATE loyalty_grantrow AS r SET outcome = v.outcome, code = v.code, value = v.value
  FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::text[]) AS v (id, outcome, code, value)
 WHERE r.id = v.id
"""


def next_rows(grant_id: int, after_seq: int, limit: int) -> list[Row]:
    """The rows whose turn it is: member by member, and of a member first what he is given."""
    with connection.cursor() as cursor:
        cursor.execute(_NEXT, [grant_id, after_seq, limit])
        return [Row(*row) for row in cursor.fetchall()]


def post_rows(grant: Grant, rows: Sequence[Row], *, at: datetime) -> list[Verdict]:
    """Post what can be posted of some rows, write down what became of each, and return it. Needs a transaction."""
    usual_end = valid_until(grant.effective_at or grant.made_at)
    ends = {row.row_id: _end_of(row.valid_through) if row.valid_through else usual_end for row in rows}
    postings = {row.row_id: _posting(grant, row, ends[row.row_id]) for row in rows}
    lock_accounts(list(postings.values()))
    known = _known([row.key for row in rows])
    verdicts = [Verdict(row, Outcome.REPEATED) for row in rows if row.key in known]
    fresh = [row for row in rows if row.key not in known]

    gives = [row for row in fresh if row.points > 0]
    over = {row.row_id for row in gives if (end := ends[row.row_id]) is not None and end <= at}
    verdicts += [Verdict(row, Outcome.REFUSED, "validity_over") for row in gives if row.row_id in over]
    given = [row for row in gives if row.row_id not in over]
    if given:
        post([postings[row.row_id] for row in given], at=at)

    # What was just given counts: a member may be given and taken from in one file.
    taken, short = _affordable([row for row in fresh if row.points < 0], at)
    if taken:
        post([postings[row.row_id] for row in taken], at=at)
    verdicts += [Verdict(row, Outcome.GIVEN) for row in (*given, *taken)]
    verdicts += short
    _write_down(verdicts)
    return verdicts


def _posting(grant: Grant, row: Row, end: datetime | None) -> Posting:
    gives = row.points > 0
    kind = EntryKind.OPENING if grant.source == Grant.Source.PAST else EntryKind.ADJUSTMENT
    at = grant.effective_at or grant.made_at
    trace: dict[str, Any] = {"by_hand": row.points, "grant": grant.pk, "line": row.line_no}
    if row.detail:
        trace |= json.loads(row.detail)
    if grant.decided_by_id:
        trace["approved_by"] = grant.decided_by_id
    return Posting(
        Verb.ACCRUE if gives else Verb.DRAW, kind, row.member_id, row.key, at, abs(row.points),
        available_at=at if gives else None, expires_at=end if gives else None, reference=f"grant:{grant.pk}",
        reason=row.reason or grant.reason, actor_id=grant.made_by_id, trace=trace,
    )  # fmt: skip


def _end_of(last_day: date) -> datetime:
    return datetime.combine(last_day + timedelta(days=1), time.min, tzinfo=programme_zone())


def _known(keys: list[str]) -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute('SELECT key FROM loyalty_entry WHERE key = ANY (%s::text[] COLLATE "C")', [keys])
        return {key for (key,) in cursor.fetchall()}


def _affordable(rows: Sequence[Row], at: datetime) -> tuple[list[Row], list[Verdict]]:
    """Of the deductions those for which the balance suffices, in their order, and the others with what there was."""
    if not rows:
        return [], []
    with connection.cursor() as cursor:
        cursor.execute(_SPENDABLE, [sorted({row.member_id for row in rows}), at])
        spendable: dict[int, int] = defaultdict(int, cursor.fetchall())
    taken: list[Row] = []
    short: list[Verdict] = []
    for row in rows:
        if -row.points > spendable[row.member_id]:
            short.append(Verdict(row, Outcome.REFUSED, "not_enough", str(spendable[row.member_id])))
        else:
            spendable[row.member_id] += row.points
            taken.append(row)
    return taken, short


def _write_down(verdicts: Sequence[Verdict]) -> None:
    columns: list[list[int] | list[str]] = [
        [verdict.row.row_id for verdict in verdicts],
        [verdict.outcome.value for verdict in verdicts],
        [verdict.code for verdict in verdicts],
        [verdict.value for verdict in verdicts],
    ]
    with connection.cursor() as cursor:
        cursor.execute(_WRITE_DOWN, columns)
