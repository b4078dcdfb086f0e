"""What all buyer pages share: the policy they run under, the languages, the pages for when something goes wrong."""

import re
from datetime import datetime
from typing import Any

import pytest
from django.conf import settings
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.test import Client, RequestFactory, override_settings
from django.views import defaults
from pytest_django import DjangoAssertNumQueries

from crm.models import Member
from redemption.models import CouponPlan
from tests.cast import GivePoints
from tests.redemption.conftest import SignIn

PAGES = [
    "/",
    "/rewards/",
    "/rewards/mine/",
    "/addresses/",
    "/addresses/add/",
    "/history/",
    "/coupons/",
    "/coupons/mine/",
    "/profile/",
    "/me/",
    "/tier/",
    "/account/logout/",
    "/nowhere/",
]


@pytest.mark.parametrize("path", PAGES)
def test_no_page_needs_unsafe_scripts_or_styles(
    path: str, xiaolu: Member, plan: CouponPlan, give_points: GivePoints, sign_in: SignIn
) -> None:
    give_points(xiaolu, 70)

    response = sign_in(xiaolu).get(path)

    policy = response["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert "default-src 'self'" in policy
    page = response.content.decode()
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=|javascript:", page)
    assert not re.search(r"<script(?![^>]*\ssrc=)", page)


@pytest.mark.parametrize(
    "path", ["/rewards/", "/rewards/mine/", "/addresses/", "/history/", "/coupons/", "/coupons/mine/"]
)
def test_what_shows_a_members_points_stays_out_of_caches(path: str, xiaolu: Member, sign_in: SignIn) -> None:
    assert "no-store" in sign_in(xiaolu).get(path)["Cache-Control"]


@pytest.mark.parametrize(
    ("wanted", "served"),
    [
        ("en-US,en;q=0.9", "en"),
        ("zh-CN,zh;q=0.9,en;q=0.5", "zh-hans"),
        ("zh-TW,zh;q=0.9", "zh-hant"),
        ("zh-HK", "zh-hant"),
        ("fr,de;q=0.5", "zh-hans"),
        ("", "zh-hans"),
    ],
)
def test_the_language_of_the_browser_is_used_and_chinese_where_we_have_none_of_his(
    wanted: str, served: str, client: Client, db: None
) -> None:
    response = client.get("/", headers={"accept-language": wanted})

    assert f'<html lang="{served}">' in response.content.decode()
    assert response["Content-Language"] == served


def test_a_visitor_can_change_the_language_and_stays_where_he_was(client: Client, db: None) -> None:
    answer = client.post("/i18n/setlang/", {"language": "en", "next": "/account/login/code/"})

    assert answer["Location"] == "/account/login/code/"
    page = client.get("/account/login/code/", headers={"accept-language": "zh-CN"}).content.decode()
    assert '<html lang="en">' in page
    assert "简体中文" in page


def test_dates_follow_the_language(
    xiaolu: Member, plan: CouponPlan, at: datetime, give_points: GivePoints, sign_in: SignIn
) -> None:
    give_points(xiaolu, 70)
    client = sign_in(xiaolu)

    assert "March 10, 2026" in client.get("/history/").content.decode()
    assert "2026年3月10日" in client.get("/history/", headers={"accept-language": "zh-CN"}).content.decode()


def test_signing_out_needs_a_press_of_the_button(xiaolu: Member, sign_in: SignIn) -> None:
    client = sign_in(xiaolu)

    assert "Sign out?" in client.get("/account/logout/").content.decode()
    assert client.get("/history/").status_code == 200
    assert client.post("/account/logout/")["Location"] == "/"
    assert client.get("/history/").status_code == 302


@pytest.mark.parametrize(
    ("view", "status"),
    [(defaults.bad_request, 400), (defaults.permission_denied, 403), (defaults.page_not_found, 404)],
)
def test_errors_are_told_in_the_shops_own_look(view: Any, status: int, rf: RequestFactory, db: None) -> None:
    request: HttpRequest = rf.get("/")

    response = view(request, Exception("secret detail"))

    page = response.content.decode()
    assert response.status_code == status
    assert "buyer/shop.css" in page
    assert "secret detail" not in page


def test_the_page_for_our_own_faults_needs_nothing_that_may_be_broken(
    rf: RequestFactory, django_assert_num_queries: DjangoAssertNumQueries, db: None
) -> None:
    with django_assert_num_queries(0):
        response = defaults.server_error(rf.get("/"))

    assert response.status_code == 500
    assert "buyer/shop.css" in response.content.decode()


def test_a_stale_form_is_explained(db: None) -> None:
    strict = Client(enforce_csrf_checks=True, headers={"accept-language": "en"})

    response = strict.post("/account/login/code/", {"email": "xiaolu@example.com"})

    assert response.status_code == 403
    assert "The page was open for too long" in response.content.decode()


@pytest.mark.parametrize("name", ["429.html", "lockout.html"])
def test_who_is_slowed_down_is_told_why(name: str, rf: RequestFactory) -> None:
    assert "buyer/shop.css" in render_to_string(name, request=rf.get("/"))


@override_settings(SHOP_CONTACT="WeChat tea-shop")
def test_every_page_says_how_to_reach_the_shop(client: Client, db: None) -> None:
    assert "WeChat tea-shop" in client.get("/").content.decode()


def test_the_policy_of_the_settings_has_no_unsafe_word() -> None:
    assert "unsafe" not in str(settings.CONTENT_SECURITY_POLICY)
