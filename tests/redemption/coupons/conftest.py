"""What the stories of coupons share."""

from collections.abc import Callable
from datetime import datetime

import pytest

from crm.models import Member
from loyalty import api as loyalty
from redemption.checkout import redeem_coupon
from redemption.models import Coupon, CouponPlan
from redemption.offers import Offer, current_terms
from redemption.tokens import new_token
from tests.factories import StaffFactory

Take = Callable[..., Coupon]


def find_offer(plan_id: int, yuan: int, at: datetime) -> Offer | None:
    """The coupon of this plan and value if it is offered at this moment, whoever may take it."""
    return next((one.offer(yuan) for one in current_terms(at, plan_id=plan_id)), None)


@pytest.fixture
def clerk(db: None) -> int:
    """The person at the desk."""
    return int(StaffFactory(username="clerk").pk)


@pytest.fixture
def take(at: datetime) -> Take:
    """``take(member, plan, 10)``: he opens the page of a coupon of ten yuan, and agrees to the price it shows."""

    def take(member: Member, plan: CouponPlan, yuan: int = 10, *, at: datetime = at) -> Coupon:
        offer = find_offer(plan.pk, yuan, at)
        points = offer.points if offer else yuan * plan.points_per_yuan
        return redeem_coupon(member.pk, plan.pk, yuan, token=new_token(member.pk, plan.pk, yuan, points, at=at), at=at)

    return take


def spendable(member: Member, at: datetime) -> int:
    """How many points he can spend."""
    return loyalty.summary(member.pk, at).spendable
