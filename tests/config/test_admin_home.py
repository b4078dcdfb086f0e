"""The admin's home page, its policy for scripts, and its door."""

from datetime import datetime, timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import translation
from pytest_django import DjangoAssertNumQueries

from config.dashboard import monthly_flow
from crm.models import Channel, Member
from loyalty import api as loyalty
from tests.cast import GivePoints
from tests.factories import OrderFactory, StaffFactory
from tests.staff import Grant

pytestmark = pytest.mark.django_db


def earn(member: Member, points: int, at: datetime, *, pending: bool = False) -> None:
    expires_at = None if pending else loyalty.validity_end(at)
    key = f"order:{member.pk}:{points}:{at:%Y%m%d}"
    available_at = None if pending else at
    loyalty.post(
        [
            loyalty.accrual(
                member.pk, points, key=key, effective_at=at, pending=pending, expires_at=expires_at,
                available_at=available_at,
            )
        ],
        at=at,
    )  # fmt: skip


class TestHome:
    def test_an_empty_shop_is_led_to_its_first_import(self, admin_client: Client, shop: Channel) -> None:
        shown = admin_client.get(reverse("admin:index"))
        assert shown.context["empty"]
        assert reverse("admin:crm_importjob_add") in shown.content.decode()

    def test_a_shop_without_a_channel_is_led_to_make_one(self, admin_client: Client) -> None:
        assert reverse("admin:crm_channel_add") in admin_client.get(reverse("admin:index")).content.decode()

    def test_it_shows_the_shop_in_figures(
        self, admin_client: Client, shop: Channel, xiaolu: Member, dayong: Member, give_points: GivePoints
    ) -> None:
        OrderFactory.create_batch(3, channel=shop, member=xiaolu)
        give_points(xiaolu, 300)
        give_points(dayong, 200)
        figures = [figure["value"] for figure in admin_client.get(reverse("admin:index")).context["figures"]]
        assert figures == [2, 3, 500, 0, 0]

    def test_it_shows_only_what_one_may_see(self, client: Client, grant: Grant, xiaolu: Member) -> None:
        client.force_login(grant("crm.view_member"))
        context = client.get(reverse("admin:index")).context
        assert [figure["value"] for figure in context["figures"]] == [1]
        assert "chart" not in context

    def test_it_costs_the_same_however_large_the_shop(
        self, admin_client: Client, shop: Channel, xiaolu: Member, give_points: GivePoints,
        django_assert_num_queries: DjangoAssertNumQueries,
    ) -> None:  # fmt: skip
        OrderFactory.create_batch(5, channel=shop, member=xiaolu)
        for points in range(1, 20):
            give_points(xiaolu, points)
        admin_client.get(reverse("admin:index"))
        # Session with its login, members, orders, accounts, grants and mails that wait, what waits in the store, two
        # questions for the empty state; the journal is remembered.
        with django_assert_num_queries(9):
            admin_client.get(reverse("admin:index"))


class TestFlow:
    def test_twelve_months_the_current_one_last(self, at: datetime) -> None:
        months = [flow.month.isoformat() for flow in monthly_flow(at)]
        assert len(months) == 12
        assert (months[0], months[-1]) == ("2025-04-01", "2026-03-01")

    def test_points_count_in_the_month_of_the_business(self, xiaolu: Member, at: datetime) -> None:
        earn(xiaolu, 300, at - timedelta(days=40))
        earn(xiaolu, 50, at, pending=True)
        loyalty.burn(xiaolu.pk, 100, key="coupon:1", at=at)
        flow = {item.month.isoformat(): (item.earned, item.spent) for item in monthly_flow(at)}
        assert (flow["2026-01-01"], flow["2026-03-01"]) == ((300, 0), (50, 100))

    def test_a_month_begins_at_midnight_of_the_programme(self, xiaolu: Member, at: datetime) -> None:
        midnight = at.replace(day=1, hour=0)
        earn(xiaolu, 10, midnight - timedelta(seconds=1))
        earn(xiaolu, 20, midnight)
        flow = {item.month.isoformat(): item.earned for item in monthly_flow(at)}
        assert (flow["2026-02-01"], flow["2026-03-01"]) == (10, 20)


class TestPolicy:
    def test_admin_pages_may_run_the_theme_and_no_script_of_their_own(self, client: Client) -> None:
        policy = client.get(reverse("admin:login"))["Content-Security-Policy"]
        assert "script-src 'self' 'unsafe-eval'" in policy
        assert "script-src 'self' 'unsafe-inline'" not in policy

    def test_buyer_pages_keep_the_strict_policy(self, client: Client) -> None:
        policy = client.get(reverse("redemption:home"))["Content-Security-Policy"]
        assert "unsafe" not in policy


class TestDoor:
    @pytest.mark.parametrize(("code", "word"), [("zh-hans", "登录"), ("en", "Log in")])
    def test_the_login_speaks_both_languages_and_offers_the_other(self, code: str, word: str, client: Client) -> None:
        with translation.override(code):
            shown = client.get(reverse("admin:login"), headers={"accept-language": code}).content.decode()
        assert word in shown
        assert "简体中文" in shown
        assert "English" in shown

    def test_a_buyer_does_not_get_in(self, client: Client, xiaolu: Member) -> None:
        client.force_login(StaffFactory(is_staff=False))
        assert client.get(reverse("admin:index")).status_code == 302

    def test_after_too_many_wrong_passwords_even_the_right_one_waits(self, client: Client) -> None:
        StaffFactory(username="owner", password="right horse battery")
        url = reverse("admin:login")
        for _try in range(8):
            client.post(url, {"username": "owner", "password": "wrong"})
        response = client.post(url, {"username": "owner", "password": "right horse battery"})
        assert response.status_code == 429
