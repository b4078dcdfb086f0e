"""Tables of the redemption store."""

from redemption.models.coupon import Coupon, CouponPlan, Denomination

__all__ = ["Coupon", "CouponPlan", "Denomination"]
