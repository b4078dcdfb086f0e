"""What waits for the people of the store, in figures."""

from datetime import datetime
from typing import NamedTuple

from django.db import connection
from django.db.models import Count

from redemption.models import Redemption
from redemption.rewards.life import OPEN
from redemption.rewards.pooling import FEW_CODES


class StoreTasks(NamedTuple):
    """Redemptions of goods that wait to be sent, digital rewards whose codes run out, and payments that count for
    nothing and that nobody has seen to."""

    to_ship: int
    codes_low: int
    payments: int


_TASKS = """
SELECT (SELECT count(*)
          FROM redemption_redemption AS r
          JOIN redemption_reward AS w ON w.id = r.reward_id AND w.kind = 'goods'
         WHERE r.state IN ('placed', 'confirmed')),
       (SELECT count(*)
          FROM redemption_reward AS w
         WHERE w.kind = 'digital' AND w.active AND (w.ends_at IS NULL OR w.ends_at > %(at)s)
           AND %(few)s > (
               SELECT count(*)
                 FROM (SELECT FROM redemption_rewardcode AS c
                        WHERE c.reward_id = w.id AND c.redemption_id IS NULL LIMIT %(few)s) AS left_ones
           )),
       (SELECT count(*)
          FROM redemption_payment AS p
          LEFT JOIN redemption_redemption AS r ON r.id = p.redemption_id
         WHERE NOT p.applied AND p.settled_at IS NULL
           AND (r.id IS NULL OR r.state <> 'awaiting'
                OR p.amount < r.cash / r.quantity * (r.quantity - r.cancelled - r.returned)))
"""


def store_tasks(at: datetime) -> StoreTasks:
    """Count what waits. One query; it reads what is open, not what was."""
    with connection.cursor() as cursor:
        cursor.execute(_TASKS, {"at": at, "few": FEW_CODES})
        return StoreTasks(*cursor.fetchone())


def open_counts() -> dict[str, int]:
    """Return how many redemptions are in each open state. One query over its index."""
    rows = Redemption.objects.filter(state__in=OPEN).order_by().values_list("state")
    return {state.value: 0 for state in OPEN} | dict(rows.annotate(Count("pk")))
