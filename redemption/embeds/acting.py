"""What a member does inside an embed: he signs in for the day, or turns points into a coupon."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils.translation import gettext as _

from loyalty import api as loyalty
from redemption.checkout import coupon_expiry, redeem_coupon
from redemption.models import Coupon
from redemption.offers import Offer, find_offer
from redemption.sign_in_words import told
from redemption.tokens import new_token


@dataclass(frozen=True, slots=True)
class Agreement:
    """What a member is asked to agree to: a coupon, what it costs, what stays, and the token of this very wish."""

    offer: Offer
    missing: int
    left: int
    last_day: datetime
    token: str


def sign_in(member_id: int, at: datetime) -> str:
    """Sign the member in for the day, once, and say what came of it."""
    try:
        return told(loyalty.check_in(member_id, at))
    except loyalty.NoSignInRule:
        return _("The shop does not reward the daily sign-in at the moment.")


def agreement(member_id: int, plan_id: int, yuan: int, at: datetime) -> Agreement | None:
    """Return what the member would agree to; None when the coupon is not offered."""
    offer = find_offer(plan_id, yuan, at)
    if offer is None:
        return None
    summary = loyalty.summary(member_id, at)
    return Agreement(
        offer,
        missing=offer.missing(summary.spendable - summary.debt),
        left=summary.spendable - offer.points,
        last_day=coupon_expiry(at, offer.validity_days) - timedelta(microseconds=1),
        token=new_token(member_id, plan_id, yuan, offer.points, at=at, conditional=offer.tier is not None),
    )


def take_coupon(member_id: int, plan_id: int, yuan: int, token: str, at: datetime) -> tuple[Coupon, bool]:
    """Return the coupon of a wish, and whether an earlier request had brought it. Raises ``Refused``."""
    coupon = redeem_coupon(member_id, plan_id, yuan, token=token, at=at)
    return coupon, coupon.issued_at < at
