"""The seller's own site, on another origin, pastes our snippets; browsers there keep no cookie of ours."""

import secrets
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import jwt
import pytest
from playwright.sync_api import BrowserType, FrameLocator, Page, Route, expect
from pytest_django.live_server_helper import LiveServer

from crm.choices import SsoAlgorithm
from crm.models import Channel, Member
from crm.sso.keys import make_key
from loyalty import api as loyalty
from redemption.embeds.choices import EmbedTemplate
from redemption.embeds.snippets import TOKEN, snippet
from redemption.models import Coupon, CouponPlan, Embed
from tests.browser import gates
from tests.browser.sites import Site, site
from tests.cast import GivePoints
from tests.factories import CouponPlanFactory

NewToken = Callable[..., str]
Paste = Callable[..., None]
# How much of the page has moved since it was first painted, as browsers measure it.
WATCH_SHIFTS = """
window.moved = 0;
new PerformanceObserver((list) => { for (const shift of list.getEntries()) window.moved += shift.value; })
  .observe({ type: "layout-shift", buffered: true });
"""


@pytest.fixture(scope="module")
def phone(browser_type: BrowserType, browser_type_launch_args: dict[str, Any]) -> Iterator[Any]:
    """A browser that blocks the cookies of third parties."""
    flags = [*browser_type_launch_args["args"], "--test-third-party-cookie-phaseout"]
    browser = browser_type.launch(**{**browser_type_launch_args, "args": flags})
    yield browser
    browser.close()


@pytest.fixture
def page(phone: Any, browser_context_args: dict[str, Any]) -> Iterator[Page]:
    context = phone.new_context(**browser_context_args)
    page = context.new_page()
    page.add_init_script(WATCH_SHIFTS)
    yield page
    context.close()


@pytest.fixture
def complaints(page: Page) -> list[str]:
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    return said


@pytest.fixture
def home(live_server: LiveServer) -> str:
    return live_server.url.replace("127.0.0.1", "localhost")


@pytest.fixture
def tea_house(home: str) -> Iterator[Site]:
    with site(home) as own:
        yield own


@pytest.fixture
def plan(transactional_db: None) -> CouponPlan:
    return CouponPlanFactory(name="全场红包", denominations=(5, 10, 20))


@pytest.fixture
def rich(xiaolu: Member, give_points: GivePoints) -> Member:
    give_points(xiaolu, 1230)
    return xiaolu


@pytest.fixture
def new_token(shop: Channel, at: datetime) -> NewToken:
    key, secret = make_key(channel_id=shop.pk, name="Tea", algorithm=SsoAlgorithm.HS256, actor_id=None, at=at)

    def new_token(**changes: object) -> str:
        now = int(time.time())
        claims = {
            "sub": "小鹿爱喝茶",
            "aud": "pointkeeper:tea:embed",
            "iat": now,
            "exp": now + 120,
            "jti": secrets.token_hex(8),
        }
        return jwt.encode(claims | changes, secret, headers={"kid": key.key_id})

    return new_token


@pytest.fixture
def paste(shop: Channel, tea_house: Site, home: str, at: datetime) -> Paste:
    """``paste("card", "coupons", token=…)``: make embeds for the tea house's site and paste their snippets there."""

    def paste(*templates: str, token: str = "", into: Site = tea_house) -> None:
        into.body = ""
        for template in templates:
            embed = Embed.objects.create(
                name=template, template=template, channel=shop, origins=tea_house.address, changed_at=at
            )
            lines = snippet(
                template, key=embed.public_key, home=home, height=embed.height, title=template, signed_in=bool(token)
            )
            into.body += str(lines).replace(TOKEN, token)

    return paste


def frame(page: Page, number: int) -> FrameLocator:
    return page.frame_locator("iframe[data-pointkeeper]").nth(number)


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
    expect(page.get_by_role("link", name="float")).to_be_visible()
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
