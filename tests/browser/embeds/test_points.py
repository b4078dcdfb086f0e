"""The seller's own site, on another origin, pastes our snippets; browsers there keep no cookie of ours."""

from datetime import datetime
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from crm.models import Member
from loyalty import api as loyalty
from redemption.embeds.choices import EmbedTemplate
from redemption.models import Coupon, CouponPlan
from tests.browser import gates
from tests.browser.embeds.conftest import NewToken, Paste, frame
from tests.browser.sites import Site, site


def kept(page: Page, home: str) -> str:
    """Return what is left of a cookie that a page of ours, framed or not, would keep."""
    [own] = [each for each in page.frames if each.url.startswith(home)][:1]
    own.evaluate("() => { document.cookie = 'kept=1; SameSite=None; Secure'; }")
    return str(own.evaluate("() => document.cookie"))


def test_a_signed_in_buyer_sees_his_points_in_three_embeds_and_redeems(
    *,
    page: Page,
    tea_house: Site,
    paste: Paste,
    new_token: NewToken,
    rich: Member,
    plan: CouponPlan,
    complaints: list[str],
) -> None:
    paste("bar", "card", "coupons", token=new_token())

    page.goto(tea_house.address)
    for number in range(3):
        expect(frame(page, number).get_by_text("1,230")).to_be_visible()

    frame(page, 2).get_by_role("button", name="¥20").click()
    expect(frame(page, 2).get_by_text("200 积分")).to_be_visible()
    frame(page, 2).get_by_role("button", name="确认兑换").click()
    expect(frame(page, 2).locator(".code")).to_be_visible()
    expect(frame(page, 2).locator(".code")).to_have_text(Coupon.objects.get().spoken_code)

    frame(page, 2).get_by_role("button", name="返回").click()
    expect(frame(page, 2).get_by_text("1,030")).to_be_visible()
    assert page.evaluate("window.moved") == 0
    assert page.locator("html").evaluate("page => page.scrollWidth") == 390
    assert complaints == []


def test_control_only_as_a_third_party_we_keep_no_cookie(page: Page, home: str, tea_house: Site, paste: Paste) -> None:
    paste("card")
    page.goto(tea_house.address)
    expect(frame(page, 0).locator(".lacquer")).to_be_visible()
    assert kept(page, home) == ""

    page.goto(home)
    assert "kept=1" in kept(page, home)


def test_a_visitor_who_is_nobody_is_invited(page: Page, tea_house: Site, paste: Paste, plan: CouponPlan) -> None:
    paste("card", "coupons", "float")

    page.goto(tea_house.address)

    expect(frame(page, 0).get_by_role("link", name="登录查看")).to_be_visible()
    expect(frame(page, 1).get_by_text("¥10")).to_be_visible()
    assert page.evaluate("window.moved") == 0


def test_the_floating_button_opens_and_nothing_moves(
    *,
    page: Page,
    tea_house: Site,
    paste: Paste,
    new_token: NewToken,
    rich: Member,
    plan: CouponPlan,
    complaints: list[str],
) -> None:
    paste("float", token=new_token())
    page.goto(tea_house.address)
    knob = frame(page, 0).locator("[data-toggle]")
    panel = frame(page, 0).locator(".panel")
    expect(panel).to_be_hidden()

    knob.click()
    expect(panel).to_be_visible()
    expect(frame(page, 0).get_by_text("1,230")).to_be_visible()
    knob.press("Escape")
    expect(panel).to_be_hidden()

    assert page.evaluate("window.moved") == 0
    assert complaints == []


def test_a_frame_that_was_hidden_for_a_while_is_as_high_as_before(
    page: Page, tea_house: Site, paste: Paste, new_token: NewToken, rich: Member
) -> None:
    paste("card", token=new_token())
    page.goto(tea_house.address)
    expect(frame(page, 0).get_by_text("1,230")).to_be_visible()
    height = page.locator("iframe").get_attribute("height")

    page.locator("iframe").evaluate("frame => { frame.width = 0; }")
    page.wait_for_timeout(300)
    page.locator("iframe").evaluate("frame => { frame.width = '100%'; }")
    page.wait_for_timeout(300)

    assert page.locator("iframe").get_attribute("height") == height


def test_a_wrong_site_is_refused_by_the_browser(
    *, page: Page, home: str, paste: Paste, new_token: NewToken, rich: Member, complaints: list[str]
) -> None:
    with site(home) as thief:
        paste("card", token=new_token(), into=thief)
        page.goto(thief.address)

        expect(page.locator("iframe")).to_be_visible()
        page.wait_for_timeout(500)
        assert any("frame-ancestors" in complaint for complaint in complaints)
        assert frame(page, 0).locator(".lacquer").count() == 0


def test_a_token_that_was_used_or_altered_is_refused(
    *, page: Page, tea_house: Site, paste: Paste, new_token: NewToken, rich: Member
) -> None:
    once = new_token()
    paste("card", token=once)
    page.goto(tea_house.address)
    expect(frame(page, 0).get_by_text("1,230")).to_be_visible()

    page.reload()
    expect(frame(page, 0).get_by_role("alert")).to_contain_text("店铺未能让您在这里登录")
    expect(frame(page, 0).get_by_text("1,230")).to_have_count(0)

    head, body, signature = new_token().split(".")
    paste("card", token=f"{head}.{body[:-2]}xx.{signature}")
    page.goto(tea_house.address)
    expect(frame(page, 0).get_by_role("alert")).to_contain_text("店铺未能让您在这里登录")


def test_the_network_is_lost_in_the_middle_and_the_second_press_says_that_it_counted_once(
    *, page: Page, tea_house: Site, paste: Paste, new_token: NewToken, rich: Member, plan: CouponPlan
) -> None:
    paste("coupons", token=new_token())
    page.goto(tea_house.address)
    frame(page, 0).get_by_role("button", name="¥20").click()
    lost: list[int] = []

    def lose_the_answer(route: Route) -> None:
        if lost:
            route.continue_()
        else:
            lost.append(route.fetch().status)
            route.abort("connectionreset")

    page.route(f"**/coupon/{plan.pk}/20/", lose_the_answer)
    frame(page, 0).get_by_role("button", name="确认兑换").click()
    expect(frame(page, 0).get_by_role("alert")).to_contain_text("网络中断")
    assert lost == [200]

    frame(page, 0).get_by_role("button", name="确认兑换").click()

    expect(frame(page, 0).get_by_text("只扣了一次积分")).to_be_visible()
    expect(frame(page, 0).locator(".code")).to_have_text(Coupon.objects.get().spoken_code)
    assert loyalty.summary(rich.pk, datetime.now().astimezone()).balance == 1030


def test_without_scripts_the_public_side_is_there(
    *, phone: Any, browser_context_args: dict[str, Any], tea_house: Site, paste: Paste, plan: CouponPlan
) -> None:
    paste("card", "float")
    context = phone.new_context(**{**browser_context_args, "java_script_enabled": False})
    page = context.new_page()

    page.goto(tea_house.address)

    expect(frame(page, 0).get_by_role("link", name="登录查看")).to_be_visible()
    expect(page.get_by_role("link", name="我的积分")).to_be_visible()
    context.close()


@pytest.mark.parametrize("signed_in", [False, True], ids=["visitor", "buyer"])
def test_no_embed_has_a_barrier(
    *,
    page: Page,
    tea_house: Site,
    paste: Paste,
    new_token: NewToken,
    rich: Member,
    plan: CouponPlan,
    complaints: list[str],
    signed_in: bool,
) -> None:
    for template in EmbedTemplate.values:
        paste(template, token=new_token() if signed_in else "")
        page.goto(tea_house.address, wait_until="networkidle")
        [embed] = [each for each in page.frames if each != page.main_frame]

        assert gates.barriers(embed) == [], template
        gates.keep_picture(page, "embed", template, "buyer" if signed_in else "visitor")
    assert complaints == []
