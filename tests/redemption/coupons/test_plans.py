"""What a plan allows: amounts, limits, budget, tier and window, each refusal with its figures."""

from datetime import datetime, timedelta

import pytest
from django.utils import translation
from pytest_django import DjangoAssertNumQueries

from crm.api import grant_tier
from crm.models import Channel, Member
from redemption.checkout import redeem_coupon
from redemption.coupons import refusals
from redemption.coupons.voiding import void_coupons
from redemption.models import Coupon, CouponPlan, PlanUse, PlanWindow
from redemption.offers import current_offers, current_terms
from redemption.posters.drawing import coupon_words
from redemption.refusals import Refused
from redemption.tokens import new_token
from tests.cast import GivePoints
from tests.factories import IdentityFactory, TierFactory
from tests.redemption.coupons.conftest import Take, find_offer, spendable

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


@pytest.fixture
def rich(xiaolu: Member, give_points: GivePoints) -> Member:
    """林小鹿 with points enough for anything."""
    give_points(xiaolu, 100_000)
    return xiaolu


def said(refusal: Refused) -> str:
    with translation.override("en"):
        return refusal.message()


class TestAnyAmount:
    @pytest.fixture(autouse=True)
    def any_amount(self, plan: CouponPlan) -> None:
        plan.denominations.all().delete()
        CouponPlan.objects.update(least_yuan=5, most_yuan=50, step_yuan=5)

    @pytest.mark.parametrize("yuan", [5, 15, 50])
    def test_within_bounds_and_steps_it_is_issued(self, yuan: int, rich: Member, plan: CouponPlan, take: Take) -> None:
        coupon = take(rich, plan, yuan)

        assert (coupon.yuan, coupon.points) == (yuan, yuan * 10)

    @pytest.mark.parametrize("yuan", [0, 4, 7, 51, 55, -5])
    def test_outside_of_them_it_is_refused(
        self, yuan: int, rich: Member, plan: CouponPlan, take: Take, at: datetime
    ) -> None:
        assert find_offer(plan.pk, yuan, at) is None
        with pytest.raises((refusals.DenominationNotOffered, ValueError)):
            take(rich, plan, yuan)
        assert not Coupon.objects.exists()

    def test_the_shelf_shows_the_smallest(self, plan: CouponPlan, at: datetime) -> None:
        assert [offer.yuan for offer in current_offers(at)] == [5]


class TestSpecialRatio:
    @pytest.fixture(autouse=True)
    def festival(self, plan: CouponPlan, at: datetime) -> PlanWindow:
        return PlanWindow.objects.create(
            plan=plan, name="Double 11", points_per_yuan=5, starts_at=at, ends_at=at + HOUR, limit=2
        )

    def test_inside_it_costs_the_special_points_and_the_moment_after_the_usual_ones(
        self, rich: Member, plan: CouponPlan, take: Take, at: datetime
    ) -> None:
        assert take(rich, plan, 10, at=at - timedelta(seconds=1)).points == 100
        assert take(rich, plan, 10, at=at).points == 50
        assert take(rich, plan, 10, at=at + HOUR - timedelta(seconds=1)).points == 50
        assert take(rich, plan, 10, at=at + HOUR).points == 100

    def test_a_page_of_the_festival_does_not_give_its_price_afterwards(
        self, rich: Member, plan: CouponPlan, at: datetime
    ) -> None:
        token = new_token(rich.pk, plan.pk, 10, 50, at=at)

        with pytest.raises(refusals.PriceChanged):
            redeem_coupon(rich.pk, plan.pk, 10, token=token, at=at + HOUR)

    def test_its_own_limit_ends_with_it(self, rich: Member, plan: CouponPlan, take: Take, at: datetime) -> None:
        take(rich, plan, 5)
        take(rich, plan, 10)
        with pytest.raises(refusals.LimitReached) as refusal:
            take(rich, plan, 20)

        assert "2 of the 2 coupons" in said(refusal.value)
        assert (refusal.value.which, refusal.value.again_at) == ("special", at + HOUR)
        assert take(rich, plan, 20, at=at + HOUR).points == 200

    def test_of_two_the_one_that_began_last_is_in_force(self, plan: CouponPlan, at: datetime) -> None:
        PlanWindow.objects.create(
            plan=plan, name="Last hour", points_per_yuan=4, starts_at=at + HOUR / 2, ends_at=at + HOUR
        )

        assert [find_offer(plan.pk, 10, moment).points for moment in (at, at + HOUR / 2)] == [50, 40]  # type: ignore[union-attr]

    def test_a_poster_says_until_when(self, plan: CouponPlan, at: datetime) -> None:
        with translation.override("en"):
            words = [coupon_words(offer) for offer in current_offers(at)]

        assert words[0].small == "Double 11, until March 10, 2026, 13:00"

    def test_the_offer_says_what_it_costs_otherwise(self, plan: CouponPlan, at: datetime) -> None:
        offer = find_offer(plan.pk, 10, at)

        assert offer is not None and offer.special is not None
        assert (offer.special.name, offer.special.usual, offer.special.ends_at) == ("Double 11", 10, at + HOUR)


class TestLimits:
    def test_of_a_day_end_at_midnight_in_the_shop(
        self, rich: Member, plan: CouponPlan, take: Take, at: datetime
    ) -> None:
        CouponPlan.objects.update(limit_day=1)
        take(rich, plan, 5)
        midnight = at.replace(hour=0) + DAY

        with pytest.raises(refusals.LimitReached) as refusal:
            take(rich, plan, 5, at=midnight - timedelta(seconds=1))

        assert (refusal.value.which, refusal.value.had, refusal.value.most) == ("day", 1, 1)
        assert refusal.value.again_at == midnight
        assert take(rich, plan, 5, at=midnight)

    def test_count_a_member_and_not_his_names_on_platforms(
        self, rich: Member, shop: Channel, plan: CouponPlan, take: Take
    ) -> None:
        IdentityFactory(channel=shop, member=rich, external_id="小鹿的小号")
        CouponPlan.objects.update(limit_ever=2)
        take(rich, plan, 5)
        take(rich, plan, 10)

        with pytest.raises(refusals.LimitReached) as refusal:
            take(rich, plan, 20)

        assert said(refusal.value) == "You have had 2 of the 2 coupons that one member may have."

    def test_of_the_window_count_anew_in_the_next_one(
        self, rich: Member, plan: CouponPlan, take: Take, at: datetime
    ) -> None:
        CouponPlan.objects.update(limit_window=1, starts_at=at - DAY, ends_at=at + DAY)
        take(rich, plan, 5)
        with pytest.raises(refusals.LimitReached):
            take(rich, plan, 5)

        CouponPlan.objects.update(starts_at=at + 2 * DAY, ends_at=at + 3 * DAY)
        assert take(rich, plan, 5, at=at + 2 * DAY)

    def test_the_most_lasting_one_is_named(self, rich: Member, plan: CouponPlan, take: Take) -> None:
        CouponPlan.objects.update(limit_day=1, limit_ever=1)
        take(rich, plan, 5)

        with pytest.raises(refusals.LimitReached) as refusal:
            take(rich, plan, 5)

        assert refusal.value.which == "ever"

    def test_a_coupon_that_became_void_no_longer_counts(
        self, rich: Member, plan: CouponPlan, take: Take, clerk: int, at: datetime
    ) -> None:
        CouponPlan.objects.update(limit_ever=1)
        first = take(rich, plan, 5)
        void_coupons([first.pk], reason="Asked for by mistake", actor_id=clerk, at=at)

        assert take(rich, plan, 5).pk != first.pk


class TestBudget:
    def test_is_given_out_to_the_last_yuan(
        self, rich: Member, dayong: Member, plan: CouponPlan, take: Take, at: datetime
    ) -> None:
        CouponPlan.objects.update(budget_yuan=25)
        take(rich, plan, 20)
        assert [offer.yuan for offer in current_offers(at)] == [5]

        with pytest.raises(refusals.BudgetSpent) as refusal:
            take(rich, plan, 10)
        assert said(refusal.value) == "Only ¥5 of this offer are left. Please choose a smaller coupon."

        take(rich, plan, 5)
        with pytest.raises(refusals.BudgetSpent) as refusal:
            take(rich, plan, 5)
        assert said(refusal.value) == "All coupons of this offer have been given out. Your points are untouched."
        assert current_terms(at)[0].spent
        assert spendable(rich, at) == 100_000 - 250

    def test_may_be_a_number_of_coupons(self, rich: Member, plan: CouponPlan, take: Take) -> None:
        CouponPlan.objects.update(budget_coupons=1)
        take(rich, plan, 20)

        with pytest.raises(refusals.BudgetSpent):
            take(rich, plan, 5)

    def test_a_void_coupon_gives_back_what_it_took(
        self, rich: Member, plan: CouponPlan, take: Take, clerk: int, at: datetime
    ) -> None:
        CouponPlan.objects.update(budget_yuan=20)
        first = take(rich, plan, 20)
        void_coupons([first.pk], reason="Asked for by mistake", actor_id=clerk, at=at)

        assert take(rich, plan, 20)
        used = PlanUse.objects.get(plan=plan)
        assert (used.coupons, used.yuan) == (1, 20)

    def test_any_amount_shrinks_to_what_is_left(self, rich: Member, plan: CouponPlan, take: Take, at: datetime) -> None:
        CouponPlan.objects.update(least_yuan=1, most_yuan=100, budget_yuan=50)
        take(rich, plan, 20)

        [terms] = current_terms(at)
        assert terms.span is not None
        assert (terms.span.least, terms.span.most) == (1, 30)


def test_a_tier_is_asked_for_also_when_the_page_did_not_know(
    rich: Member, plan: CouponPlan, take: Take, clerk: int, at: datetime
) -> None:
    vip = TierFactory(code="vip", name="VIP会员", rank=2)
    CouponPlan.objects.update(min_tier=vip, visibility="visible")

    with pytest.raises(refusals.TierTooLow) as refusal:
        take(rich, plan, 10)
    assert said(refusal.value) == "This coupon is for members from the tier VIP会员 up."
    assert current_offers(at, rank=1) == []
    assert len(current_offers(at, rank=2)) == 3

    grant_tier(rich.pk, "vip", at=at, until=None, reason="A friend of the house", actor_id=clerk)
    assert take(rich, plan, 10)


def test_before_and_after_its_window_nobody_gets_one(rich: Member, plan: CouponPlan, at: datetime) -> None:
    CouponPlan.objects.update(starts_at=at, ends_at=at + HOUR)
    for moment, refused, words in [
        (at - HOUR, refusals.NotYet, "This coupon can be taken from March 10, 2026, 12:00."),
        (at + HOUR, refusals.NoLonger, "This offer ended on March 10, 2026, 13:00. Your points are untouched."),
    ]:
        token = new_token(rich.pk, plan.pk, 10, 100, at=moment)
        with pytest.raises(refused) as refusal:
            redeem_coupon(rich.pk, plan.pk, 10, token=token, at=moment)
        assert said(refusal.value) == words


def test_a_checkout_is_one_round_trip_and_returns_what_was_written(
    rich: Member, plan: CouponPlan, at: datetime, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    CouponPlan.objects.update(limit_day=3, limit_ever=9, budget_yuan=1000)
    token = new_token(rich.pk, plan.pk, 10, 100, at=at)

    with django_assert_num_queries(3):
        # Two of them are the savepoint that a test's own transaction makes necessary.
        returned = redeem_coupon(rich.pk, plan.pk, 10, token=token, at=at)

    [written] = Coupon.objects.values()
    assert {name: getattr(returned, name) for name in written} == written
