"""What capped rules have given so far: read under the locks that guard it, counted, written back.

A member's counters are guarded by the lock of his account. Counters of all members (the points of a rule on a day, its
budget) are rows that everybody wants, so they are locked last: after all accounts, in the order of rule and day
(docs/locking.md). What is counted is what was given; goods that come back give a budget nothing back.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime
from typing import Any

from django.db import connection
from django.db.models import Q

from loyalty.earning.award import Award
from loyalty.earning.compiling import CompiledSet
from loyalty.earning.usage import BUDGET, MEMBER, MEMBER_DAY, RULE_DAY, Usage, UsageKey
from loyalty.models import RuleUsage

# Whoever has a cap of his own needs an account to be counted under, and gets one with nothing in it.
_LOCK_ACCOUNTS = "SELECT loyalty_lock(%(members)s::bigint[], %(members)s::bigint[])"

_OF_MEMBERS = """
SELECT u.rule, u.member_id, u.day, u.points
  FROM loyalty_ruleusage AS u
 WHERE u.member_id = ANY (%(members)s::bigint[]) AND u.rule = ANY (%(rules)s::text[])
   AND (u.day IS NULL OR u.day = ANY (%(days)s::date[]))
"""

# The zero row first, so that there is something to lock; then the lock, and only then the look (docs/locking.md).
_ROWS_OF_ALL = """
INSERT INTO loyalty_ruleusage (rule, member_id, day, points)
SELECT k.rule, NULL, k.day, 0
  FROM unnest(%(rules)s::text[], %(days)s::date[]) AS k (rule, day)
 ORDER BY k.rule, k.day NULLS FIRST
    ON CONFLICT (member_id, rule, day) DO NOTHING
"""
_OF_ALL = """
SELECT u.rule, u.member_id, u.day, u.points
  FROM loyalty_ruleusage AS u
  JOIN unnest(%(rules)s::text[], %(days)s::date[]) AS k (rule, day)
    ON u.rule = k.rule AND u.day IS NOT DISTINCT FROM k.day
 WHERE u.member_id IS NULL
 ORDER BY u.rule, u.day NULLS FIRST
   FOR NO KEY UPDATE OF u
"""

_COUNT = """
INSERT INTO loyalty_ruleusage AS u (rule, member_id, day, points)
SELECT k.rule, k.member_id, k.day, k.points
  FROM unnest(%(rules)s::text[], %(members)s::bigint[], %(days)s::date[], %(points)s::bigint[])
       AS k (rule, member_id, day, points)
 ORDER BY k.rule, k.day NULLS FIRST, k.member_id
    ON CONFLICT (member_id, rule, day) DO UPDATE SET points = u.points + excluded.points
"""


def day_of(at: datetime, rules: CompiledSet) -> date:
    """The day that an order paid, or an act done, at this instant counts for."""
    return at.astimezone(rules.zone).date()


def lock_members(member_ids: Iterable[int]) -> None:
    """Lock the accounts of all members of a batch, in ascending order; who has none gets one."""
    with connection.cursor() as cursor:
        cursor.execute(_LOCK_ACCOUNTS, {"members": sorted(set(member_ids))})


def load_usage(keys: Iterable[UsageKey]) -> Usage:
    """The counters of these keys as they stand, guarded until the transaction ends.

    The accounts of the keys' members must be locked already (``lock_members``).
    """
    of_members, of_all = _sorted_out(keys)
    given: dict[UsageKey, int] = {}
    with connection.cursor() as cursor:
        if of_members:
            cursor.execute(
                _OF_MEMBERS,
                {
                    "members": sorted({key.member_id for key in of_members}),
                    "rules": sorted({key.rule for key in of_members}),
                    "days": sorted({key.day for key in of_members if key.day is not None}),
                },
            )
            given.update(map(_counter, cursor.fetchall()))
        if of_all:
            rows: dict[str, Any] = {"rules": [key.rule for key in of_all], "days": [key.day for key in of_all]}
            cursor.execute(_ROWS_OF_ALL, rows)
            cursor.execute(_OF_ALL, rows)
            given.update(map(_counter, cursor.fetchall()))
    return Usage(given)


def look_at_usage(keys: Iterable[UsageKey]) -> Usage:
    """The counters of these keys as they stand, for a page that shows what would be given. Nothing guards them."""
    wanted = set(keys)
    if not wanted:
        return Usage()
    rows = RuleUsage.objects.filter(
        Q(member=None) | Q(member__in={key.member_id for key in wanted if key.member_id}),
        rule__in={key.rule for key in wanted},
    )
    counters = map(_counter, rows.values_list("rule", "member_id", "day", "points"))
    return Usage({key: points for key, points in counters if key in wanted})


def write_usage(usage: Usage) -> None:
    """Write down what was taken since the counters were loaded."""
    taken = [(key, points) for key, points in usage.taken.items() if points]
    if not taken:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            _COUNT,
            {
                "rules": [key.rule for key, _ in taken],
                "members": [key.member_id or None for key, _ in taken],
                "days": [key.day for key, _ in taken],
                "points": [points for _, points in taken],
            },
        )


def counted_anew(usage: Usage, keys: Sequence[UsageKey], before: Award, evaluate: Callable[[Usage], Award]) -> Award:
    """Evaluate something again that took of these counters by its award of ``before``.

    That share is free for it meanwhile. A counter never falls, also where less is given now than before.
    """
    shares = {key: sum(line.points for line in before.lines if line.rule == key.rule) for key in keys}
    for key, share in shares.items():
        usage.take(key, -share)
    award = evaluate(usage)
    for key, share in shares.items():
        usage.take(key, max(share - sum(line.points for line in award.lines if line.rule == key.rule), 0))
    return award


def _sorted_out(keys: Iterable[UsageKey]) -> tuple[set[UsageKey], list[UsageKey]]:
    """Apart: the counters of members, and those of all in the order in which they are locked."""
    distinct = set(keys)
    of_all = [key for key in distinct if not key.member_id]
    of_all.sort(key=lambda key: (key.rule, key.day or date.min))
    return distinct.difference(of_all), of_all


def _counter(row: tuple[str, int | None, date | None, int]) -> tuple[UsageKey, int]:
    rule, member_id, day, points = row
    scope = (MEMBER_DAY if day else MEMBER) if member_id else (RULE_DAY if day else BUDGET)
    return UsageKey(rule, scope, member_id or 0, day), points
