"""Redemptions whose cash did not come in time: all goes back, once, some hundred at a time."""

from datetime import datetime

from django.db import connection, transaction

from loyalty import api as loyalty
from redemption.models import Redemption
from redemption.rewards.choices import RedemptionState
from redemption.rewards.reasons import Because
from redemption.rewards.stocking import put_back

_CANCEL = """
UPDATE redemption_redemption AS r
   SET state = 'cancelled', cancelled = r.quantity - r.returned, moved_at = %(at)s, moved_by_id = NULL,
       move_reason = %(reason)s
  FROM (
      SELECT x.id, x.quantity - x.cancelled AS pieces
        FROM redemption_redemption AS x
       WHERE x.id = ANY (%(ids)s) AND x.state = 'awaiting'
       ORDER BY x.id
         FOR UPDATE
  ) AS due
 WHERE r.id = due.id
RETURNING r.id, r.reward_id, due.pieces
"""
_FREE_CODES = "UPDATE redemption_rewardcode SET redemption_id = NULL WHERE redemption_id = ANY (%s)"


def lapse_unpaid(at: datetime, *, at_once: int = 500) -> int:
    """Cancel every redemption that waits for cash and whose time is over; return how many.

    Each chunk is a transaction: it may stop anywhere, be repeated, and run beside the night, which gives back the
    points of the same holds under the same keys.
    """
    total = 0
    while True:
        with transaction.atomic():
            due = Redemption.objects.filter(state=RedemptionState.AWAITING, pay_until__lte=at)
            rows = list(due.order_by("pay_until", "pk").values_list("pk", "member_id")[:at_once])
            if not rows:
                return total
            # Locks the accounts: whoever pays or cancels meanwhile has done so before, or waits until we are through.
            loyalty.lapse_holds({member_id for _pk, member_id in rows}, at=at)
            total += _cancel([pk for pk, _member in rows], at)


def _cancel(ids: list[int], at: datetime) -> int:
    with connection.cursor() as cursor:
        cursor.execute(_CANCEL, {"ids": ids, "at": at, "reason": Because.UNPAID.value})
        cancelled = cursor.fetchall()
        cursor.execute(_FREE_CODES, [[pk for pk, _reward, _pieces in cancelled]])
    put_back((reward_id, pieces) for _pk, reward_id, pieces in cancelled)
    return len(cancelled)
