"""The shop makes coupons void: one, or many at once."""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from django.db import connection, transaction
from django.db.models import F
from django.utils.translation import gettext_lazy as _

from crm.api import log_actions
from loyalty import api as loyalty
from redemption.coupons.giving_back import Over, give_back
from redemption.models import Coupon, PlanUse
from redemption.refusals import Refused

# In the order of their ids, so that two who change many at once never wait for each other in a circle.
_VOID = """
WITH due AS (
    SELECT c.id, CASE WHEN p.void_gives_back THEN c.points ELSE 0 END AS back
      FROM redemption_coupon AS c
      JOIN redemption_couponplan AS p ON p.id = c.plan_id
     WHERE c.id = ANY (%(ids)s) AND c.state = 'issued' AND c.expires_at > %(at)s
     ORDER BY c.id
       FOR NO KEY UPDATE OF c
)
UPDATE redemption_coupon AS c
   SET state = 'void', void_at = %(at)s, void_by_id = %(actor)s, void_reason = %(reason)s, points_back = due.back
  FROM due
 WHERE c.id = due.id
RETURNING c.id, c.plan_id, c.member_id, c.key, c.yuan, due.back
"""


class NoReason(Refused):
    code = "no_reason"
    text = _("Please give a reason: the member sees it.")


@dataclass(frozen=True, slots=True)
class Voided:
    """How many coupons became void, how many of those that were named did not as they are used or over, and the points
    that went back."""

    coupons: int
    left_alone: int
    points: int


def void_coupons(coupon_ids: Collection[int], *, reason: str, actor_id: int, at: datetime) -> Voided:
    """Make those of the coupons void that can still be used. Raises NoReason.

    Where the plan says so their points go back, and with them what the members' limits count. What a plan's budget
    counts goes back too: a void coupon costs the shop nothing.
    """
    if not reason.strip():
        raise NoReason
    ids = sorted(set(coupon_ids))
    with transaction.atomic():
        members = Coupon.objects.filter(pk__in=ids).values_list("member", flat=True)
        loyalty.lock_accounts([], also=set(members))
        with connection.cursor() as cursor:
            cursor.execute(_VOID, {"ids": ids, "at": at, "actor": actor_id, "reason": reason.strip()})
            over = [Over(*(*row, at)) for row in cursor.fetchall()]
        points = give_back(over, why="void", at=at, reason=reason.strip(), actor_id=actor_id)
        log_actions(
            "coupon.void",
            [
                (coupon.member_id, {"coupon": coupon.coupon_id, "yuan": coupon.yuan, "points": coupon.points})
                for coupon in over
            ],
            actor_id=actor_id,
            at=at,
            reason=reason.strip(),
        )
        _count_off(over)
    return Voided(len(over), len(ids) - len(over), points)


def _count_off(over: Collection[Over]) -> None:
    """The hottest rows, so they come last, the plans in ascending order."""
    coupons = Counter(coupon.plan_id for coupon in over)
    yuan: Counter[int] = Counter()
    for coupon in over:
        yuan[coupon.plan_id] += coupon.yuan
    for plan_id in sorted(coupons):
        PlanUse.objects.filter(plan=plan_id).update(
            coupons=F("coupons") - coupons[plan_id], yuan=F("yuan") - yuan[plan_id]
        )
