"""The store of coupons as a buyer sees it: what he can afford, any amount, special ratios, limits, refusals."""

from datetime import datetime, timedelta

import pytest

from crm.models import Member, Tier
from redemption.coupons import refusals
from redemption.models import Coupon, CouponPlan, PlanWindow
from redemption.offers import current_offers
from tests.cast import NOON, GivePoints
from tests.factories import CouponPlanFactory, TierFactory
from tests.redemption.conftest import SignIn
from tests.redemption.coupons.conftest import Take

HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def rich(xiaolu: Member, give_points: GivePoints) -> Member:
    """林小鹿 with 130 points."""
    give_points(xiaolu, 130)
    return xiaolu


def read(sign_in: SignIn, member: Member, path: str) -> str:
    page: str = sign_in(member).get(path, follow=True).content.decode()
    return page


def test_a_special_ratio_says_what_it_is_worth_and_how_long_it_lasts(
    rich: Member, plan: CouponPlan, at: datetime, sign_in: SignIn
) -> None:
    PlanWindow.objects.create(
        plan=plan, name="Double 11", points_per_yuan=5, starts_at=at - HOUR, ends_at=at + 2 * HOUR, limit=3
    )

    page = read(sign_in, rich, "/coupons/")

    assert "5 points for one yuan instead of 10" in page
    assert "2\xa0hours left, until March 10, 14:00" in page
    assert "3 of 3 left at the special price" in page
    assert "Take for 50 points" in page


def test_what_he_can_afford_leaves_out_the_rest(rich: Member, plan: CouponPlan, sign_in: SignIn) -> None:
    CouponPlanFactory(name="For the patient", points_per_yuan=100, denominations=(50,))

    page = read(sign_in, rich, "/coupons/?can=afford")

    assert "Take for 100 points" in page
    assert "more points needed" not in page
    assert "For the patient" not in page


class TestAnyAmount:
    @pytest.fixture(autouse=True)
    def any_amount(self, plan: CouponPlan) -> None:
        CouponPlan.objects.update(least_yuan=2, most_yuan=50, step_yuan=2)

    def test_the_form_starts_at_what_the_points_reach_for(self, rich: Member, sign_in: SignIn) -> None:
        page = read(sign_in, rich, "/coupons/")

        assert "Your points are enough for ¥12." in page
        assert 'value="12"' in page

    def test_it_leads_to_the_page_of_that_coupon(self, rich: Member, plan: CouponPlan, sign_in: SignIn) -> None:
        client = sign_in(rich)

        response = client.get(f"/coupons/{plan.pk}/?yuan=8", follow=True)
        assert response.redirect_chain[-1][0] == f"/coupons/{plan.pk}/8/"
        client.post(f"/coupons/{plan.pk}/8/", {"token": response.context["token"]})

        assert Coupon.objects.get().points == 80

    @pytest.mark.parametrize("typed", ["3", "0", "-2", "52", "x", "", "9" * 30, "2.5"])
    def test_another_amount_is_answered_with_the_bounds(
        self, typed: str, rich: Member, plan: CouponPlan, sign_in: SignIn
    ) -> None:
        page = read(sign_in, rich, f"/coupons/{plan.pk}/?yuan={typed}")

        assert "Please type a whole amount from ¥2 to ¥50 in steps of ¥2." in page


def test_a_limit_says_how_many_are_left_and_then_that_it_is_reached(
    rich: Member, plan: CouponPlan, take: Take, sign_in: SignIn
) -> None:
    CouponPlan.objects.update(limit_day=2)
    take(rich, plan, 5)
    assert "1 of 2 left today" in read(sign_in, rich, "/coupons/")

    take(rich, plan, 5)
    told = "You have had 2 of the 2 coupons that you may have today. Again from March 11, 2026, 00:00."
    assert told in read(sign_in, rich, "/coupons/")
    page = read(sign_in, rich, f"/coupons/{plan.pk}/5/")
    assert told in page
    assert 'name="token"' not in page


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"active": False}, "This offer has ended."),
        (
            {"starts_at": datetime.fromisoformat("2026-03-11T04:00Z")},
            "This coupon can be taken from March 11, 2026, 12:00.",
        ),
        ({"ends_at": datetime.fromisoformat("2026-03-09T04:00Z")}, "This offer ended on March 9, 2026, 12:00."),
        ({"budget_yuan": 4}, "Only ¥4 of this offer are left."),
        ({"budget_coupons": 1, "budget_yuan": 1}, "Only ¥1 of this offer are left."),
        ({"source": "pool"}, "All coupons of this value have been given out for now."),
    ],
)
def test_what_is_not_to_be_had_says_why(
    change: dict[str, object], told: str, rich: Member, plan: CouponPlan, sign_in: SignIn
) -> None:
    CouponPlan.objects.update(**change)

    assert told in read(sign_in, rich, f"/coupons/{plan.pk}/5/")


class TestPlanForAHigherTier:
    """小鹿 stands below the tier that the plan asks for: she sees of it what the plan says."""

    @pytest.fixture(autouse=True)
    def vip(self, plan: CouponPlan) -> Tier:
        TierFactory(name="普通会员", rank=0)
        vip: Tier = TierFactory(name="VIP会员", rank=2)
        CouponPlan.objects.update(min_tier=vip, limit_ever=1, budget_yuan=777)
        return vip

    @pytest.mark.parametrize("path", ["/", "/coupons/"])
    def test_nothing_unless_it_says_so(self, path: str, rich: Member, plan: CouponPlan, sign_in: SignIn) -> None:
        page = read(sign_in, rich, path)
        assert f'href="/coupons/{plan.pk}/5/"' not in page
        assert "Shop coupon" not in page
        assert sign_in(rich).get(f"/coupons/{plan.pk}/5/").status_code == 404
        assert sign_in(rich).get(f"/coupons/{plan.pk}/", {"yuan": "5"}).status_code == 404

    def test_taking_it_answers_like_a_plan_that_never_was(
        self, rich: Member, plan: CouponPlan, sign_in: SignIn
    ) -> None:
        buyer = sign_in(rich)

        hidden, unknown = (buyer.post(f"/coupons/{plan_id}/5/", {"token": "x"}) for plan_id in (plan.pk, plan.pk + 1))

        assert (hidden.status_code, hidden["Location"]) == (unknown.status_code, unknown["Location"])

    def test_a_page_from_better_days_names_no_tier(self, rich: Member, plan: CouponPlan, take: Take) -> None:
        with pytest.raises(refusals.PlanNotOffered):
            take(rich, plan, 5)

    def test_of_a_teaser_the_name_and_the_tier(self, rich: Member, plan: CouponPlan, sign_in: SignIn) -> None:
        CouponPlan.objects.update(visibility="teaser")
        page = read(sign_in, rich, "/coupons/")
        assert "Shop coupon" in page
        assert "This coupon is for members from the tier VIP会员 up." in page
        for told in (f"/coupons/{plan.pk}/5/", "50 points", "777", "You can have"):
            assert told not in page
        assert "for members from the tier VIP会员 up." in read(sign_in, rich, f"/coupons/{plan.pk}/5/")
        assert "Shop coupon" not in read(sign_in, rich, "/")

    def test_all_of_what_everybody_sees_and_it_is_not_given(
        self, rich: Member, plan: CouponPlan, sign_in: SignIn
    ) -> None:
        CouponPlan.objects.update(visibility="visible")
        page = read(sign_in, rich, "/coupons/")
        assert "This coupon is for members from the tier VIP会员 up." in page
        assert "50 points" in page
        assert f'href="/coupons/{plan.pk}/5/"' not in page

    def test_strangers_see_what_everybody_sees(self, plan: CouponPlan) -> None:
        assert current_offers(NOON) == []
        CouponPlan.objects.update(visibility="visible")
        assert len(current_offers(NOON)) == 3

    def test_who_has_the_tier_sees_and_takes_it(
        self, vip: Tier, rich: Member, plan: CouponPlan, take: Take, sign_in: SignIn
    ) -> None:
        rich.tier_grants.create(tier=vip, begins_at=NOON - timedelta(days=1), granted_at=NOON)
        assert f'href="/coupons/{plan.pk}/5/"' in read(sign_in, rich, "/coupons/")
        assert f'href="/coupons/{plan.pk}/5/"' in read(sign_in, rich, "/")
        assert take(rich, plan, 5).yuan == 5


def test_a_spent_budget_is_told_in_the_store(rich: Member, plan: CouponPlan, take: Take, sign_in: SignIn) -> None:
    CouponPlan.objects.update(budget_coupons=1)
    take(rich, plan, 5)

    assert "All coupons of this offer have been given out." in read(sign_in, rich, "/coupons/")
