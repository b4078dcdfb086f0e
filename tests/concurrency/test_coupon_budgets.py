"""The budget of a coupon plan, its limits and its pool of codes under sixteen writers at once, each with a connection
of its own and real commits. The controls run the same race with one guard cut out of the function's own text."""

from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from django.db import transaction

from crm.models import Member
from loyalty import api as loyalty
from redemption import desk
from redemption.checkout import redeem_coupon
from redemption.coupons.ending import end_expired
from redemption.coupons.voiding import void_coupons
from redemption.models import Coupon, CouponPlan, PlanUse, PoolCode
from redemption.refusals import Refused
from redemption.tokens import Wish
from tests.concurrency.test_coupons import SESSIONS, at_once, remake
from tests.factories import CouponPlanFactory, MemberFactory, StaffFactory

pytestmark = pytest.mark.django_db(transaction=True)

Ask = Callable[[int], str]
GUARD = "       AND (u.coupons + 1 <= p.budget_coupons AND u.yuan + worth <= p.budget_yuan) IS NOT FALSE;"
LOOK = "    IF u.coupons + 1 > p.budget_coupons OR u.yuan + worth > p.budget_yuan THEN"


@pytest.fixture
def plan(transactional_db: None) -> CouponPlan:
    """Coupons of five yuan, for fifty points."""
    return CouponPlanFactory(name="Shop coupon", denominations=(5,))


@pytest.fixture
def crowd(transactional_db: None, at: datetime) -> list[Member]:
    """Sixteen members with five hundred points each."""
    members: list[Member] = [MemberFactory(name=f"Buyer {number}") for number in range(SESSIONS)]
    for member in members:
        loyalty.adjust(member.pk, 500, key=f"gift:{member.pk}", at=at, reason="A gift", actor_id=None)
    return members


@pytest.fixture
def ask(crowd: list[Member], plan: CouponPlan, at: datetime) -> Ask:
    """What one session does: its own member asks for a coupon."""

    def ask(session: int) -> str:
        member = crowd[session]
        token = Wish(member.pk, plan.pk, 5, 50, False, 0, at).token()
        try:
            redeem_coupon(member.pk, plan.pk, 5, token=token, at=at)
        except Refused as refusal:
            return refusal.code
        return "coupon"

    return ask


def spent(members: list[Member], at: datetime) -> Counter[int]:
    return Counter(500 - loyalty.summary(member.pk, at).spendable for member in members)


@pytest.mark.parametrize("budget", [{"budget_yuan": 39}, {"budget_coupons": 7}])
def test_a_budget_is_given_out_to_its_last_coupon_and_no_further(
    budget: dict[str, int], ask: Ask, crowd: list[Member], plan: CouponPlan, at: datetime
) -> None:
    CouponPlan.objects.update(**budget)
    # Nobody is turned away at the door: all sixteen come to the row that counts.
    remake("redemption_coupon_obstacle", LOOK, "    IF FALSE THEN")

    answers = at_once(ask)

    assert answers == {"coupon": 7, "budget_spent": 9}
    used = PlanUse.objects.get(plan=plan)
    assert (used.coupons, used.yuan, Coupon.objects.count()) == (7, 35, 7)
    assert spent(crowd, at) == {50: 7, 0: 9}


def test_control_without_the_guard_more_is_given_out_than_there_is(ask: Ask, plan: CouponPlan) -> None:
    CouponPlan.objects.update(budget_coupons=7)
    remake("redemption_coupon_obstacle", LOOK, "    IF FALSE THEN")
    remake("redemption_take_coupon", GUARD, "       AND TRUE;")

    assert at_once(ask) == {"coupon": 16}
    assert PlanUse.objects.get(plan=plan).coupons == 16


def test_the_look_at_the_budget_alone_spares_those_who_come_too_late(ask: Ask) -> None:
    CouponPlan.objects.update(budget_coupons=7)
    at_once(ask)

    assert {ask(session) for session in range(SESSIONS)} <= {"coupon", "budget_spent"}
    assert Coupon.objects.count() == 7


def test_one_member_s_limit_holds_for_all_his_sessions(crowd: list[Member], plan: CouponPlan, at: datetime) -> None:
    CouponPlan.objects.update(limit_ever=2)
    member = crowd[0]

    def ask(session: int) -> str:
        token = Wish(member.pk, plan.pk, 5, 50, False, session, at).token()
        try:
            redeem_coupon(member.pk, plan.pk, 5, token=token, at=at)
        except Refused as refusal:
            return refusal.code
        return "coupon"

    assert at_once(ask) == {"coupon": 2, "limit": 14}


class TestAPool:
    @pytest.fixture(autouse=True)
    def pool(self, plan: CouponPlan, at: datetime) -> None:
        CouponPlan.objects.update(source="pool")
        PoolCode.objects.bulk_create(
            PoolCode(plan=plan, yuan=5, code=f"TB{number:04}", added_at=at) for number in range(10)
        )

    def test_each_code_is_given_out_once(self, ask: Ask, crowd: list[Member], at: datetime) -> None:
        answers = at_once(ask)

        assert answers == {"coupon": 10, "no_code": 6}
        assert Coupon.objects.values("code").distinct().count() == 10
        assert not PoolCode.objects.filter(coupon=None).exists()
        assert spent(crowd, at) == {50: 10, 0: 6}

    def test_control_without_the_lock_two_would_take_the_same(self, ask: Ask) -> None:
        remake("redemption_take_coupon", "           FOR UPDATE SKIP LOCKED;", "        ;")
        remake(
            "redemption_take_coupon",
            "        fresh := pooled.code;",
            "        PERFORM pg_sleep(0.2); fresh := pooled.code;",
        )

        with pytest.raises(Exception, match="redemption_coupon_code"):
            at_once(ask)


def test_used_made_void_and_ended_at_once_a_coupon_becomes_one_of_them(
    ask: Ask, crowd: list[Member], at: datetime
) -> None:
    CouponPlan.objects.update(expiry_gives_back=True)
    clerk = StaffFactory(username="clerk")
    at_once(ask)
    coupons = list(Coupon.objects.all())
    later = coupons[0].expires_at - timedelta(microseconds=1)

    def act(session: int) -> str:
        for coupon in coupons:
            if session % 3 == 0:
                desk.use(coupon.code, actor_id=clerk.pk, at=later)
            elif session % 3 == 1:
                void_coupons([coupon.pk], reason="A test", actor_id=clerk.pk, at=later)
            else:
                with transaction.atomic():
                    end_expired(later + timedelta(seconds=1), later, coupon.pk - 1, 1)
        return "done"

    assert at_once(act) == {"done": 16}
    back = sum(coupon.points_back for coupon in Coupon.objects.all())
    assert not Coupon.objects.filter(state="issued").exists()
    assert not Coupon.objects.filter(state="used", points_back__gt=0).exists()
    assert sum(loyalty.summary(member.pk, at).spendable for member in crowd) == 16 * 450 + back
    assert PlanUse.objects.get().coupons == Coupon.objects.exclude(state="void").count()
