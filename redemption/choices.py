"""The stable words of the store. Values are stored; labels are what people see."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class CouponState(models.TextChoices):
    ISSUED = "issued", _("Ready to use")
    USED = "used", _("Used")
    VOID = "void", _("Void")


class Standing(models.TextChoices):
    """What a coupon is good for at a given moment. Expiry is not stored: it comes with time."""

    ISSUED = CouponState.ISSUED.value, CouponState.ISSUED.label
    USED = CouponState.USED.value, CouponState.USED.label
    VOID = CouponState.VOID.value, CouponState.VOID.label
    EXPIRED = "expired", _("Expired")
