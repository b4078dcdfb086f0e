"""The coupons that a member holds."""

from datetime import datetime

from django.db.models import QuerySet

from redemption.choices import CouponState
from redemption.models import Coupon

# SQL text that is another one as soon as a coupon of the member ``m`` has come, or changed its state.
COUPON_CHANGES = """
(SELECT concat(max(c.id), '.', count(*) FILTER (WHERE c.state = 'issued')) FROM redemption_coupon AS c
  WHERE c.member_id = m.id)
"""


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
