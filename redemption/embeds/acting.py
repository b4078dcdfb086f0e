"""What a member does inside an embed: he signs in for the day, takes a tier, or turns points into a coupon."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils.translation import gettext as _

from crm import api as crm
from loyalty import api as loyalty
from redemption.checkout import coupon_expiry, redeem_coupon
from redemption.coupons.counter import counter_for
from redemption.coupons.refusals import PlanNotOffered
from redemption.models import Coupon
from redemption.offers import Offer
from redemption.refusals import Refused
from redemption.sign_in_words import told
from redemption.tier_words import claimed_in_words, refusal_in_words
from redemption.tokens import new_token


@dataclass(frozen=True, slots=True)
class Agreement:
    """What a member is asked to agree to: a coupon, what it costs, what stays, and the token of this very wish.
    ``refusal`` says what else than a lack of points stands against it."""

    offer: Offer
    missing: int
    refusal: Refused | None
    left: int
    last_day: datetime
    token: str


def sign_in(member_id: int, at: datetime) -> str:
    """Sign the member in for the day, once, and say what came of it."""
    try:
        return told(loyalty.check_in(member_id, at))
    except loyalty.NoSignInRule:
        return _("The shop does not reward the daily sign-in at the moment.")


def claim_tier_now(member_id: int, offer_id: int, at: datetime) -> tuple[str, bool]:
    """Take the tier of an offer, once; return what came of it in words, and whether the member has it."""
    try:
        grant = crm.claim_tier(member_id, offer_id, at=at)
    except crm.ClaimRefused as refused:
        return refusal_in_words(refused.reason), False
    return claimed_in_words(str(grant.tier), granted_at=grant.granted_at, ends_at=grant.ends_at, at=at), True


def coupon_agreement(member_id: int, plan_id: int, yuan: int, at: datetime) -> Agreement | Refused:
    """Return what the member would agree to, or why the coupon is not offered."""
    offer, _limits, refusal = counter_for(member_id, plan_id, yuan, at)
    if offer is None:
        return refusal or PlanNotOffered()
    summary = loyalty.summary(member_id, at)
    return Agreement(
        offer,
        missing=offer.missing(summary.spendable - summary.debt),
        refusal=refusal,
        left=summary.spendable - offer.points,
        last_day=coupon_expiry(at, offer.validity_days) - timedelta(microseconds=1),
        token=new_token(member_id, plan_id, yuan, offer.points, at=at, conditional=offer.tier is not None),
    )


def take_coupon(member_id: int, plan_id: int, yuan: int, token: str, at: datetime) -> tuple[Coupon, bool]:
    """Return the coupon of a wish, and whether an earlier request had brought it. Raises ``Refused``."""
    coupon = redeem_coupon(member_id, plan_id, yuan, token=token, at=at)
    return coupon, coupon.issued_at < at
