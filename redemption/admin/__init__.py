"""Admin pages of the store."""

from redemption.admin import coupons, redemptions
from redemption.admin.coupons import CouponAdmin
from redemption.admin.embeds import EmbedAdmin
from redemption.admin.looks import LookAdmin
from redemption.admin.payments import PaymentAdmin, PaymentKeyAdmin
from redemption.admin.plans import CouponPlanAdmin
from redemption.admin.redemptions import RedemptionAdmin
from redemption.admin.rewards import RewardAdmin, RewardCategoryAdmin

coupons.register()
redemptions.register()

__all__ = [
    "CouponAdmin",
    "CouponPlanAdmin",
    "EmbedAdmin",
    "LookAdmin",
    "PaymentAdmin",
    "PaymentKeyAdmin",
    "RedemptionAdmin",
    "RewardAdmin",
    "RewardCategoryAdmin",
]
