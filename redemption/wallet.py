"""The coupons that a member holds."""

import json
from datetime import datetime

from django.db.models import QuerySet

from redemption.choices import CouponState
from redemption.models import Coupon

# SQL text that is another one as soon as a coupon of the member ``m`` has come, or changed its state.
COUPON_CHANGES = """
(SELECT concat(max(c.id), '.', count(*) FILTER (WHERE c.state = 'issued')) FROM redemption_coupon AS c
  WHERE c.member_id = m.id)
"""


_READY = """
(SELECT json_agg(json_build_array(ready.id, ready.code, ready.yuan, ready.expires_at))::text
   FROM (SELECT c.id, c.code, c.yuan, c.expires_at
           FROM redemption_coupon AS c
          WHERE c.member_id = m.id AND c.state = 'issued' AND c.expires_at > %(at)s
          ORDER BY c.expires_at, c.id
          LIMIT {most}) AS ready)
"""


def ready_sql(*, most: int) -> str:
    """SQL text: the first coupons that the member ``m`` can still use at ``%(at)s``, as ``ready_of`` reads them."""
    return _READY.replace("{most}", str(int(most)))


def ready_of(value: str | None) -> list[Coupon]:
    """Read what ``ready_sql`` found: coupons as far as a ticket shows them, not to be saved."""
    return [
        Coupon(pk=pk, code=code, yuan=yuan, expires_at=datetime.fromisoformat(expires_at))
        for pk, code, yuan, expires_at in json.loads(value or "[]")
    ]


def ready_coupons(member_id: int, at: datetime) -> QuerySet[Coupon]:
    """Return what can still be used, what runs out first foremost."""
    return _held(member_id).filter(state=CouponState.ISSUED, expires_at__gt=at).order_by("expires_at", "pk")


def past_coupons(member_id: int, at: datetime, *, before_id: int | None = None) -> QuerySet[Coupon]:
    """Return what is used, expired or void, newest first; ``before_id`` continues after a page."""
    past = _held(member_id).exclude(state=CouponState.ISSUED, expires_at__gt=at).order_by("-pk")
    return past if before_id is None else past.filter(pk__lt=before_id)


def held_coupon(member_id: int, pk: int) -> Coupon | None:
    """Return the coupon if it is this member's own."""
    return _held(member_id).filter(pk=pk).first()


def _held(member_id: int) -> QuerySet[Coupon]:
    return Coupon.objects.filter(member_id=member_id).select_related("plan")
