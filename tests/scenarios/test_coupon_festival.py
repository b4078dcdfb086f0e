"""A shop's festival: five points make one yuan inside its window and ten a second after; the last coupon of the budget
goes to one; what was taken by mistake is made void and its points come back; what nobody used is over."""

from datetime import datetime, timedelta

import pytest

from crm.models import Channel, Member
from loyalty import api as loyalty
from redemption import desk
from redemption.checkout import redeem_coupon
from redemption.coupons.ending import end_expired
from redemption.coupons.refusals import BudgetSpent, PriceChanged
from redemption.coupons.voiding import void_coupons
from redemption.models import Coupon, CouponPlan, PlanWindow
from redemption.offers import current_offers
from redemption.tokens import new_token
from tests.cast import GivePoints
from tests.factories import CouponPlanFactory, StaffFactory

DAY = timedelta(days=1)


@pytest.fixture
def festival(db: None, at: datetime) -> CouponPlan:
    """Coupons of 100 yuan, of which there are three; for a day five points make one yuan."""
    plan: CouponPlan = CouponPlanFactory(name="Festival", denominations=(100,), budget_yuan=300, validity_days=30)
    PlanWindow.objects.create(plan=plan, name="Tea festival", points_per_yuan=5, starts_at=at, ends_at=at + DAY)
    return plan


def test_a_festival(
    *, xiaolu: Member, dayong: Member, shop: Channel, festival: CouponPlan, at: datetime, give_points: GivePoints
) -> None:
    clerk = StaffFactory().pk
    give_points(xiaolu, 2500)
    give_points(dayong, 1000)
    last_second = at + DAY - timedelta(seconds=1)

    def take(member: Member, points: int, moment: datetime) -> Coupon:
        token = new_token(member.pk, festival.pk, 100, points, at=moment)
        return redeem_coupon(member.pk, festival.pk, 100, token=token, at=moment)

    # Inside the window 100 yuan cost 500 points, to its last second; a second later 1000 again.
    assert [offer.points for offer in current_offers(at)] == [500]
    used, mistaken = take(xiaolu, 500, at), take(xiaolu, 500, last_second)
    with pytest.raises(PriceChanged):
        take(xiaolu, 500, at + DAY)
    left = take(xiaolu, 1000, at + DAY)
    assert loyalty.summary(xiaolu.pk, at + DAY).spendable == 500

    # The budget is gone, until a coupon that was taken by mistake is made void.
    with pytest.raises(BudgetSpent):
        take(dayong, 1000, at + DAY)
    void_coupons([mistaken.pk], reason="Taken by mistake", actor_id=clerk, at=at + DAY)
    assert loyalty.summary(xiaolu.pk, at + DAY).spendable == 1000
    assert take(dayong, 1000, at + DAY).yuan == 100

    # One is used, one is never used and ends by itself; the void one stays void.
    assert desk.use(used.code, actor_id=clerk, at=at + 2 * DAY).ok
    end_expired(at + 40 * DAY, at + 40 * DAY, 0, 100)
    states = dict(Coupon.objects.filter(member=xiaolu).values_list("pk", "state"))
    assert states == {used.pk: "used", mistaken.pk: "void", left.pk: "expired"}
    assert loyalty.audit().ok
