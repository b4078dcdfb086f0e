"""Coupons whose time is over: the night writes it down, some thousand at a time."""

from datetime import datetime

from django.db import connection

from loyalty import api as loyalty
from redemption.coupons.giving_back import Over, give_back

_DUE = """
SELECT c.id, c.member_id, p.expiry_gives_back
  FROM redemption_coupon AS c
  JOIN redemption_couponplan AS p ON p.id = c.plan_id
 WHERE c.state = 'issued' AND c.expires_at <= %s AND c.id > %s
 ORDER BY c.id
 LIMIT %s
"""
_END = """
WITH due AS (
    SELECT c.id, CASE WHEN c.id = ANY (%(giving)s) THEN c.points ELSE 0 END AS back
      FROM redemption_coupon AS c
     WHERE c.id = ANY (%(ids)s) AND c.state = 'issued'
     ORDER BY c.id
       FOR NO KEY UPDATE
)
UPDATE redemption_coupon AS c
   SET state = 'expired', points_back = due.back
  FROM due
 WHERE c.id = due.id
RETURNING c.id, c.plan_id, c.member_id, c.key, c.yuan, due.back, c.expires_at
"""


def end_expired(due: datetime, at: datetime, after: int, most: int) -> loyalty.NightChunk:
    """End what had expired by ``due``, for at most ``most`` coupons above the id ``after``: a step of the night.

    Where the plan says so their points go back, as of the moment at which the coupon expired.
    """
    with connection.cursor() as cursor:
        cursor.execute(_DUE, [due, after, most])
        rows = cursor.fetchall()
    if not rows:
        return loyalty.NightChunk(0, 0, 0, None)
    giving = {pk: member_id for pk, member_id, gives_back in rows if gives_back}
    if giving:
        # The accounts before the coupons, as everybody does.
        loyalty.lock_accounts([], also=set(giving.values()))
    ids = [pk for pk, _member, _gives_back in rows]
    with connection.cursor() as cursor:
        cursor.execute(_END, {"ids": ids, "giving": list(giving)})
        over = [Over(*row) for row in cursor.fetchall()]
    points = give_back(over, why="expired", at=at, expired=True)
    return loyalty.NightChunk(len({coupon.member_id for coupon in over}), len(over), points, ids[-1])
