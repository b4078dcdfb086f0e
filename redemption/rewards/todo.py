"""What waits for the people of the store, in figures."""

from datetime import datetime
from typing import NamedTuple

from django.db import connection
from django.db.models import Count

from redemption.models import Redemption
from redemption.rewards.life import OPEN
from redemption.rewards.pooling import FEW_CODES


class StoreTasks(NamedTuple):
    """Redemptions of goods that wait to be sent, digital rewards whose codes run out, payments that count for nothing
    and that nobody has seen to, goods whose stock runs out, and coupon plans whose codes do."""

    to_ship: int
    codes_low: int
    payments: int
    stock_low: int
    plans_low: int


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
                OR p.amount < r.cash / r.quantity * (r.quantity - r.cancelled - r.returned))),
       (SELECT count(*)
          FROM redemption_reward AS w
          LEFT JOIN redemption_stock AS s ON s.reward_id = w.id
         WHERE w.kind = 'goods' AND w.counted AND w.active AND (w.ends_at IS NULL OR w.ends_at > %(at)s)
           AND coalesce(s.free, 0) < %(few)s),
       (SELECT count(*)
          FROM redemption_couponplan AS p
         WHERE p.source = 'pool' AND p.active AND (p.ends_at IS NULL OR p.ends_at > %(at)s)
           AND EXISTS (
               SELECT FROM redemption_denomination AS d
                WHERE d.plan_id = p.id
                  AND p.low_codes > (
                      SELECT count(*)
                        FROM (SELECT FROM redemption_poolcode AS c
                               WHERE c.plan_id = p.id AND c.yuan = d.yuan AND c.coupon_id IS NULL
                                 AND (c.valid_until > %(at)s) IS NOT FALSE
                               LIMIT p.low_codes) AS left_ones
                  )
           ))
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
