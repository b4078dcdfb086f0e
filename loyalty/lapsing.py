"""Holds past their deadline give back what they still have."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime

from django.db import connection, transaction

from loyalty.choices import EntryKind
from loyalty.journal import lock_accounts, post
from loyalty.policies import published_policies
from loyalty.posting import Posting, Verb
from loyalty.validity import Policy, policy_at, programme_zone, revive_until

_LAPSED = """
SELECT h.account_id, e.key, e.reference, h.deadline, h.points - h.captured - h.released
  FROM loyalty_hold AS h
  JOIN loyalty_entry AS e ON e.id = h.entry_id
 WHERE h.open AND h.deadline <= %s AND h.account_id = ANY (%s)
 ORDER BY h.account_id, h.deadline, h.id
"""


@dataclass(frozen=True, slots=True)
class Lapsed:
    """What went back: how many holds of how many accounts, and their points."""

    accounts: int
    holds: int
    points: int


def lapse_holds(member_ids: Collection[int], *, at: datetime) -> Lapsed:
    """Give back what the holds of these members still have whose deadline has passed. The night does the same for
    everybody, under the same keys: whoever comes second finds nothing. The accounts stay locked until the end of the
    transaction."""
    with transaction.atomic():
        return lapse_overdue(member_ids, due=at, at=at, policies=published_policies())


def lapse_overdue(member_ids: Collection[int], *, due: datetime, at: datetime, policies: list[Policy]) -> Lapsed:
    """Give back what was due by ``due``, as of each hold's deadline. Call it in a transaction."""
    ids = sorted(member_ids)
    # Whoever captures or releases one of them meanwhile has done so before this lock or waits until we are through.
    lock_accounts([], also=ids)
    with connection.cursor() as cursor:
        cursor.execute(_LAPSED, [due, ids])
        rows = cursor.fetchall()
    # A day at a time, so that between the days lots end as they would have, had no night been missed.
    zone = programme_zone()
    days: dict[date, list[Posting]] = {}
    for account_id, key, reference, deadline, _open in rows:
        posting = Posting(
            Verb.RESTORE, EntryKind.RELEASE, account_id, f"{key}:lapse", deadline, about_key=key,
            expires_at=revive_until(policy_at(policies, deadline), deadline), reference=reference,
            trace={"lapsed": True},
        )  # fmt: skip
        days.setdefault(deadline.astimezone(zone).date(), []).append(posting)
    for day in sorted(days):
        post(days[day], at=at)
    return Lapsed(accounts=len({row[0] for row in rows}), holds=len(rows), points=sum(row[4] for row in rows))
