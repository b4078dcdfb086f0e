"""Coupons with their codes as a table, for the shop platform."""

from collections.abc import Iterable, Iterator
from datetime import date, datetime, time, timedelta
from typing import Any

from django.db.models import Q, QuerySet
from django.utils.translation import gettext_lazy as _

from loyalty import api as loyalty
from redemption.choices import CouponState
from redemption.models import Coupon, PoolCode

TITLES = (
    _("code"), _("worth (yuan)"), _("plan"), _("state"), _("issued"), _("valid through"), _("used at"),
    _("order number"), _("member number"),
)  # fmt: skip
POOL_TITLES = (_("code"), _("worth (yuan)"), _("valid through"))
_CHUNK = 5_000


def coupons_between(
    *, plan_id: int | None, state: str, first_day: date | None, last_day: date | None
) -> "QuerySet[Coupon]":
    """Return the coupons of a plan (None: of all) and a state ("": of all), issued from the first to the last day."""
    zone = loyalty.programme_zone()
    asked = Q(plan=plan_id) if plan_id else Q()
    if state:
        asked &= Q(state=state)
    if first_day:
        asked &= Q(issued_at__gte=datetime.combine(first_day, time.min, tzinfo=zone))
    if last_day:
        asked &= Q(issued_at__lt=datetime.combine(last_day + timedelta(days=1), time.min, tzinfo=zone))
    return Coupon.objects.filter(asked).order_by("pk")


def coupon_rows(coupons: "QuerySet[Coupon]", at: datetime) -> Iterator[tuple[Any, ...]]:
    """Yield the cells of a coupon each; what has expired is called so also before the night has written it down."""
    for coupon in coupons.select_related("plan").iterator(chunk_size=_CHUNK):
        yield (
            coupon.code,
            coupon.yuan,
            coupon.plan.name,
            str(coupon.standing(at).label),
            _local(coupon.issued_at),
            _local(coupon.last_moment),
            _local(coupon.used_at),
            coupon.order_no,
            coupon.member_id,
        )


def free_codes(plan_id: int, yuan: int | None) -> "QuerySet[PoolCode]":
    """Return the codes of a pool that were not given out, for the platform to know them before."""
    asked = Q(yuan=yuan) if yuan else Q()
    return PoolCode.objects.filter(asked, plan=plan_id, coupon=None).order_by("pk")


def code_rows(codes: "Iterable[PoolCode]") -> Iterator[tuple[Any, ...]]:
    """Yield the cells of a code each."""
    for code in codes:
        last = code.valid_until - timedelta(microseconds=1) if code.valid_until else None
        yield code.code, code.yuan, _local(last)


STATES = CouponState


def _local(at: datetime | None) -> str:
    return f"{at.astimezone(loyalty.programme_zone()):%Y-%m-%d %H:%M:%S}" if at else ""
