"""What the journal knows of past orders: the points it gave for them, and how far caps were used up before."""

from collections.abc import Callable, Collection, Iterable
from datetime import datetime
from typing import NamedTuple

from django.db import connection

from crm.api import ids_of_orders_since
from loyalty.backtest.running_usage import RunningUsage
from loyalty.earning.compiling import CompiledSet
from loyalty.earning.usage import BUDGET, MEMBER, UsageKey

# Orders that one statement looks at.
BATCH = 5000

_GIVEN = """
SELECT e.order_id, coalesce(sum(e.points + e.pending) FILTER (WHERE e.kind = 'accrual'), 0)::bigint,
       coalesce(-sum(e.points + e.pending) FILTER (WHERE e.kind = 'reversal'), 0)::bigint
  FROM loyalty_entry AS e
 WHERE e.order_id = ANY (%s) AND e.kind IN ('accrual', 'reversal')
 GROUP BY e.order_id
"""

_COUNTERS = """
SELECT u.rule, u.member_id, u.points FROM loyalty_ruleusage AS u WHERE u.day IS NULL AND u.rule = ANY (%s)
"""

# A later award of an order counts in a cap only what is more than in the earlier ones.
_TAKEN = """
SELECT a.rule, a.account_id, sum(a.points)::bigint
  FROM (
      SELECT e.order_id, e.account_id, r.given ->> 0 AS rule, max((r.given ->> 4)::bigint) AS points
        FROM loyalty_entry AS e, jsonb_array_elements(e.trace -> 'award' -> 'rules') AS r (given)
       WHERE e.order_id = ANY (%(orders)s) AND e.trace ? 'award' AND r.given ->> 0 = ANY (%(rules)s)
       GROUP BY e.order_id, e.account_id, r.given ->> 0
  ) AS a
 GROUP BY a.rule, a.account_id
"""


class Given(NamedTuple):
    """What the journal gave for an order, and took back of it."""

    given: int = 0
    taken_back: int = 0


def given_for(order_ids: Collection[int]) -> dict[int, Given]:
    """What the journal has for these orders; those without any entry are left out. One query."""
    with connection.cursor() as cursor:
        cursor.execute(_GIVEN, [list(order_ids)])
        return {order_id: Given(given, taken_back) for order_id, given, taken_back in cursor.fetchall()}


class UsageBefore:
    """Lasting caps (for a member in all, budgets) as they stood when a period began.

    The journal tells what orders paid since have taken; the counters as they are now, less that, are the counters then.
    Caps of a day begin anew with each day.
    """

    def __init__(self, sets: Iterable[CompiledSet], since: datetime, *, progress: Callable[[], None]) -> None:
        """Look the counters up. Reads all orders since, if any rule of the sets has such a cap at all; ``progress`` is
        called now and then meanwhile."""
        rules = sorted(
            {
                code
                for rules in sets
                for code, caps in rules.capped
                if any(scope in (MEMBER, BUDGET) for scope, _limit in caps.counted)
            }
        )
        self._given: dict[UsageKey, int] = {}
        if rules:
            self._read(rules, since, progress)

    def usage(self) -> RunningUsage:
        """The counters for a simulation to go on with; each simulation gets its own."""
        return RunningUsage(self._given)

    def _read(self, rules: list[str], since: datetime, progress: Callable[[], None]) -> None:
        with connection.cursor() as cursor:
            cursor.execute(_COUNTERS, [rules])
            self._given = {_lasting(rule, member_id): points for rule, member_id, points in cursor.fetchall()}
        for order_ids in ids_of_orders_since(since, batch=BATCH):
            progress()
            with connection.cursor() as cursor:
                cursor.execute(_TAKEN, {"orders": order_ids, "rules": rules})
                for rule, member_id, points in cursor.fetchall():
                    self._give_back(_lasting(rule, member_id), points)
                    self._give_back(_lasting(rule, None), points)
        # A cap that came with a later version has not counted what the rule gave before.
        self._given = {key: points for key, points in self._given.items() if points > 0}

    def _give_back(self, key: UsageKey, points: int) -> None:
        if key in self._given:
            self._given[key] -= points


def _lasting(rule: str, member_id: int | None) -> UsageKey:
    return UsageKey(rule, MEMBER if member_id else BUDGET, member_id or 0)
