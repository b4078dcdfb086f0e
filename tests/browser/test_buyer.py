"""A buyer with a phone signs in by code, sees the points and takes a coupon, with scripts and without."""

import re
from datetime import datetime

import pytest
from django.core import mail
from playwright.sync_api import BrowserContext, Page, Route, expect
from pytest_django.live_server_helper import LiveServer

from crm.models import Member
from loyalty import api as loyalty
from redemption.models import Coupon, CouponPlan
from tests.browser.conftest import Phone
from tests.cast import GivePoints
from tests.factories import CouponPlanFactory


@pytest.fixture
def plan(transactional_db: None) -> CouponPlan:
    return CouponPlanFactory(name="全场红包", denominations=(5, 10, 20))


def open_page(context: BrowserContext, complaints: list[str]) -> Page:
    """Open a page whose complaints (broken scripts, violations of the policy) are collected."""
    page = context.new_page()
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    return page


def sign_in(page: Page, live_server: LiveServer, address: str) -> None:
    """Ask for a code on the home page, read the mail, type the code."""
    page.goto(live_server.url)
    page.fill("input[name=email]", address)
    page.press("input[name=email]", "Enter")
    expect(page.locator("input[name=code]")).to_be_focused()
    code = re.search(r"\d{4}-\d{4}", str(mail.outbox[-1].body))
    assert code is not None
    page.fill("input[name=code]", code.group())
    page.press("input[name=code]", "Enter")
    page.wait_for_url(f"{live_server.url}/")


def assert_fits(page: Page) -> None:
    """Nothing sticks out to the right of a phone's screen."""
    assert page.locator("html").evaluate("page => page.scrollWidth") == 390


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
@pytest.mark.parametrize(("locale", "language"), [("zh-CN", "zh-hans"), ("en-US", "en")])
def test_a_buyer_signs_in_and_takes_a_coupon(
    locale: str,
    language: str,
    scripts: bool,
    *,
    phone: Phone,
    live_server: LiveServer,
    xiaolu: Member,
    plan: CouponPlan,
    at: datetime,
    give_points: GivePoints,
) -> None:
    give_points(xiaolu, 1230)
    complaints: list[str] = []
    page = open_page(phone(locale=locale, java_script_enabled=scripts), complaints)

    sign_in(page, live_server, "xiaolu@example.com")
    expect(page.locator("html")).to_have_attribute("lang", language)
    expect(page.locator(".card-points")).to_have_text("1,230")
    expect(page.locator(".card-name")).to_have_text("林小鹿")
    assert_fits(page)

    page.locator(f"a[href='/coupons/{plan.pk}/20/']").click()
    assert_fits(page)
    page.locator("form:has(input[name=token]) button").click()
    page.wait_for_url("**/coupons/mine/*/")
    coupon = Coupon.objects.get()
    expect(page.locator(".coupon-code")).to_have_text(coupon.spoken_code)
    assert_fits(page)

    page.goto(live_server.url)
    expect(page.locator(".card-points")).to_have_text("1,030")
    expect(page.locator(".area-coupons .code")).to_have_text(coupon.spoken_code)
    assert loyalty.summary(xiaolu.pk, at).balance == 1030
    assert not complaints


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
def test_older_entries_come_in_place_or_as_a_page(
    scripts: bool, *, phone: Phone, live_server: LiveServer, xiaolu: Member, give_points: GivePoints
) -> None:
    for _ in range(30):
        give_points(xiaolu, 5)
    complaints: list[str] = []
    page = open_page(phone(java_script_enabled=scripts), complaints)
    sign_in(page, live_server, "xiaolu@example.com")
    page.goto(f"{live_server.url}/history/")
    expect(page.locator(".line")).to_have_count(20)

    page.locator(".more a").click()

    if scripts:
        expect(page.locator(".line")).to_have_count(30)
        assert page.url.endswith("/history/")
    else:
        expect(page.locator(".line")).to_have_count(10)
        assert "?before=" in page.url
    assert not complaints


def test_an_entry_opens_to_say_how_it_was_worked_out(
    page: Page, live_server: LiveServer, xiaolu: Member, give_points: GivePoints
) -> None:
    give_points(xiaolu, 5)
    sign_in(page, live_server, "xiaolu@example.com")
    expect(page.locator(".worked")).to_be_hidden()

    page.locator(".line summary").press("Enter")

    expect(page.locator(".worked")).to_contain_text("A gift")


def test_the_language_is_switched_on_the_spot(page: Page, live_server: LiveServer) -> None:
    page.goto(f"{live_server.url}/account/login/code/")
    expect(page.locator("html")).to_have_attribute("lang", "zh-hans")

    page.locator("summary.tool").click()
    page.get_by_role("button", name="English").click()

    expect(page.locator("html")).to_have_attribute("lang", "en")
    assert page.url == f"{live_server.url}/account/login/code/"


def test_the_keyboard_reaches_the_content_first(page: Page, live_server: LiveServer) -> None:
    page.goto(live_server.url)

    page.keyboard.press("Tab")

    expect(page.locator(".skip")).to_be_focused()
    expect(page.locator(".skip")).to_be_in_viewport()


def test_a_press_copies_the_code(
    *, phone: Phone, live_server: LiveServer, xiaolu: Member, plan: CouponPlan, give_points: GivePoints
) -> None:
    give_points(xiaolu, 100)
    page = phone(locale="en-US", permissions=["clipboard-read", "clipboard-write"]).new_page()
    sign_in(page, live_server, "xiaolu@example.com")
    page.goto(f"{live_server.url}/coupons/{plan.pk}/10/")
    page.locator("form:has(input[name=token]) button").click()

    page.get_by_role("button", name="Copy the code").click()

    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == Coupon.objects.get().spoken_code


def test_a_lost_answer_and_a_second_press_are_one_coupon_and_the_page_says_so(
    *, page: Page, live_server: LiveServer, xiaolu: Member, plan: CouponPlan, at: datetime, give_points: GivePoints
) -> None:
    give_points(xiaolu, 1230)
    sign_in(page, live_server, "xiaolu@example.com")
    page.goto(f"{live_server.url}/coupons/{plan.pk}/20/")
    lost: list[int] = []

    def lose_the_answer(route: Route) -> None:
        if route.request.method == "POST" and not lost:
            lost.append(route.fetch(max_redirects=0).status)
            route.abort("connectionreset")
        else:
            route.continue_()

    page.route(f"**/coupons/{plan.pk}/20/", lose_the_answer)
    page.locator("form:has(input[name=token]) button").click()
    page.wait_for_url("chrome-error://**")
    assert lost == [302]
    page.reload()  # The browser sends the form once more.

    page.wait_for_url("**/coupons/mine/*/")
    expect(page.locator(".messages .note")).to_contain_text("只扣了一次积分")
    expect(page.locator(".coupon-code")).to_have_text(Coupon.objects.get().spoken_code)
    assert loyalty.summary(xiaolu.pk, at).balance == 1030
