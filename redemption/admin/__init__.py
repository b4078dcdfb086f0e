"""Admin pages of the store."""

from redemption.admin import coupons
from redemption.admin.coupons import CouponAdmin
from redemption.admin.embeds import EmbedAdmin
from redemption.admin.looks import LookAdmin
from redemption.admin.plans import CouponPlanAdmin

coupons.register()

__all__ = ["CouponAdmin", "CouponPlanAdmin", "EmbedAdmin", "LookAdmin"]
