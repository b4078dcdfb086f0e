"""Tables of the redemption store."""

from redemption.models.coupon import Coupon, PoolCode
from redemption.models.coupon_plan import CouponPlan, Denomination, PlanUse, PlanWindow
from redemption.models.embed import Embed
from redemption.models.look import Look
from redemption.models.payment_key import PaymentKey, SpentCall
from redemption.models.redemption import Address, Payment, Redemption, RedemptionMove
from redemption.models.reward import (
    Reward,
    RewardCategory,
    RewardCode,
    RewardPicture,
    RewardTag,
    Stock,
    StockChange,
)

__all__ = [
    "Address",
    "Coupon",
    "CouponPlan",
    "Denomination",
    "Embed",
    "Look",
    "Payment",
    "PaymentKey",
    "PlanUse",
    "PlanWindow",
    "PoolCode",
    "Redemption",
    "RedemptionMove",
    "Reward",
    "RewardCategory",
    "RewardCode",
    "RewardPicture",
    "RewardTag",
    "SpentCall",
    "Stock",
    "StockChange",
]
