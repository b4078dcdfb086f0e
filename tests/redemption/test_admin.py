"""The store in the admin: plans, coupons, and the desk where a coupon is taken."""

from datetime import datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client
from django.urls import reverse
from django.utils import translation

from crm.admin.stafflog import action_label
from crm.models import Member, StaffAction, User
from redemption.checkout import redeem_coupon
from redemption.choices import CouponState
from redemption.models import Coupon, CouponPlan
from redemption.tokens import new_token
from tests.cast import GivePoints
from tests.staff import Grant

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clock")]

CHECK = "admin:redemption_coupon_check"


@pytest.fixture
def coupon(plan: CouponPlan, xiaolu: Member, give_points: GivePoints, at: datetime) -> Coupon:
    """A coupon of 10 yuan that 林小鹿 has taken."""
    give_points(xiaolu, 300)
    return redeem_coupon(xiaolu.pk, plan.pk, 10, token=new_token(xiaolu.pk, plan.pk, 10, 100, at=at), at=at)


@pytest.fixture
def desk(grant: Grant, client: Client) -> User:
    """Somebody who may take coupons, signed in."""
    user = grant("redemption.use_coupon", "redemption.view_coupon")
    client.force_login(user)
    return user


def look_up(client: Client, code: str) -> Any:
    response: Any = client.get(reverse(CHECK), {"code": code})
    return response


def test_a_hidden_code_cannot_be_guessed_by_filters(client: Client, grant: Grant, coupon: Coupon) -> None:
    coupons, guess = reverse("admin:redemption_coupon_changelist"), {"code__startswith": coupon.code[:1]}
    client.force_login(grant("redemption.view_coupon"))
    assert client.get(coupons, guess).status_code == 400
    client.force_login(grant("redemption.view_coupon", "redemption.use_coupon"))
    assert client.get(coupons, guess).status_code == 200


class TestDesk:
    def test_a_code_shows_its_coupon_and_takes_nothing(self, desk: User, client: Client, coupon: Coupon) -> None:
        page = look_up(client, coupon.spoken_code.lower())
        assert page.context["coupon"] == coupon
        assert page.context["usable"]
        coupon.refresh_from_db()
        assert coupon.state == CouponState.ISSUED

    def test_a_press_takes_it_once(self, desk: User, client: Client, coupon: Coupon, at: datetime) -> None:
        first = client.post(reverse(CHECK), {"code": coupon.code})
        second = client.post(reverse(CHECK), {"code": coupon.code})
        assert (first.context["result"].ok, second.context["result"].ok) == (True, False)
        coupon.refresh_from_db()
        assert (coupon.state, coupon.used_by, coupon.used_at) == (CouponState.USED, desk, at)

    def test_a_used_coupon_offers_no_button(self, desk: User, client: Client, coupon: Coupon) -> None:
        client.post(reverse(CHECK), {"code": coupon.code})
        assert not look_up(client, coupon.code).context["usable"]

    def test_an_expired_coupon_offers_no_button(self, desk: User, client: Client, coupon: Coupon, at: datetime) -> None:
        with time_machine.travel(at + timedelta(days=91), tick=False):
            client.force_login(desk)
            assert not look_up(client, coupon.code).context["usable"]

    @pytest.mark.parametrize("typed", ["K7PF-2MRX-94TT", "hello", "", "x" * 100])
    def test_what_is_no_code_of_ours_is_answered_kindly(self, typed: str, desk: User, client: Client) -> None:
        page = look_up(client, typed)
        assert page.context["form"].errors["code"]

    def test_others_neither_look_nor_take(self, client: Client, grant: Grant, coupon: Coupon) -> None:
        client.force_login(grant("redemption.view_coupon", "redemption.view_couponplan"))
        assert client.get(reverse(CHECK)).status_code == 403
        assert client.post(reverse(CHECK), {"code": coupon.code}).status_code == 403


class TestCoupons:
    def test_they_are_never_changed_by_hand(self, admin_client: Client, coupon: Coupon) -> None:
        assert admin_client.get(reverse("admin:redemption_coupon_add")).status_code == 403
        change = reverse("admin:redemption_coupon_change", args=[coupon.pk])
        assert admin_client.get(change).status_code == 200
        assert admin_client.post(change, {"state": "used"}).status_code == 403

    def test_a_coupons_page_tells_its_state_in_words(self, desk: User, client: Client, coupon: Coupon) -> None:
        page = client.get(reverse("admin:redemption_coupon_change", args=[coupon.pk])).content.decode()
        assert str(coupon.standing(coupon.issued_at).label) in page
        assert "(&#x27;" not in page

    def test_the_code_is_found_as_it_is_spoken(self, desk: User, client: Client, coupon: Coupon) -> None:
        url = reverse("admin:redemption_coupon_changelist")
        assert list(client.get(url, {"q": coupon.spoken_code}).context["cl"].result_list) == [coupon]
        assert list(client.get(url, {"q": coupon.code[:6]}).context["cl"].result_list) == []

    @pytest.mark.parametrize("name", ["changelist", "change"])
    def test_those_who_may_not_take_coupons_see_only_the_end_of_a_code(
        self, name: str, client: Client, grant: Grant, coupon: Coupon
    ) -> None:
        client.force_login(grant("redemption.view_coupon"))
        url = reverse(f"admin:redemption_coupon_{name}", args=[coupon.pk] if name == "change" else [])
        shown = client.get(url).content.decode()
        assert coupon.code[-4:] in shown
        assert coupon.code not in shown
        assert coupon.spoken_code not in shown

    def test_the_member_page_shows_them(self, client: Client, grant: Grant, coupon: Coupon, xiaolu: Member) -> None:
        client.force_login(grant("crm.view_member", "redemption.view_coupon"))
        shown = client.get(reverse("admin:crm_member_change", args=[xiaolu.pk])).content.decode()
        assert f"••••-••••-{coupon.code[-4:]}" in shown


class TestPlans:
    FORM = {
        "name": "Spring", "description": "", "points_per_yuan": "10", "validity_days": "90", "active": "on",
        "starts_at_0": "", "starts_at_1": "", "ends_at_0": "", "ends_at_1": "",
        "step_yuan": "1", "source": "generated", "low_codes": "50", "visibility": "hidden", "void_gives_back": "on",
        "windows-TOTAL_FORMS": "0", "windows-INITIAL_FORMS": "0",
        "denominations-TOTAL_FORMS": "1", "denominations-INITIAL_FORMS": "0", "denominations-0-yuan": "5",
    }  # fmt: skip

    @pytest.fixture
    def manager(self, grant: Grant, client: Client) -> User:
        user = grant("redemption.add_couponplan", "redemption.view_couponplan")
        client.force_login(user)
        return user

    def test_a_plan_comes_with_its_denominations(self, manager: User, client: Client) -> None:
        client.post(reverse("admin:redemption_couponplan_add"), self.FORM)
        made = CouponPlan.objects.get()
        assert (made.name, [item.yuan for item in made.denominations.all()]) == ("Spring", [5])

    def test_a_plan_without_denominations_is_refused(self, manager: User, client: Client) -> None:
        client.post(reverse("admin:redemption_couponplan_add"), self.FORM | {"denominations-0-yuan": ""})
        assert not CouponPlan.objects.exists()

    def test_a_window_that_ends_before_it_starts_is_refused(self, manager: User, client: Client) -> None:
        window = {"starts_at_0": "2026-04-02", "starts_at_1": "00:00", "ends_at_0": "2026-04-01", "ends_at_1": "00:00"}
        client.post(reverse("admin:redemption_couponplan_add"), self.FORM | window)
        assert not CouponPlan.objects.exists()


def test_the_look_is_changed_in_the_admin_and_worn_at_once(client: Client, grant: Grant) -> None:
    client.force_login(grant("redemption.view_look", "redemption.change_look"))
    page = client.get(reverse("admin:redemption_look_changelist"), follow=True)
    assert page.content.decode().count("<linearGradient") == 7  # A swatch for each dress.

    client.post(page.redirect_chain[-1][0], {"theme": "jade", "festive": "never"})

    assert "buyer/themes/jade.css" in Client().get("/").content.decode()
    done = StaffAction.objects.get(action="look.change")
    assert done.details == {"theme": "jade", "festive": "never"}
    with translation.override("en"):
        assert "Changed the look" in str(action_label(done.action))


def test_the_look_is_neither_added_nor_deleted_nor_open_to_everybody(client: Client, grant: Grant) -> None:
    client.force_login(grant("redemption.add_look", "redemption.delete_look"))
    assert client.get(reverse("admin:redemption_look_changelist")).status_code == 403
    assert client.get(reverse("admin:redemption_look_add")).status_code == 403
