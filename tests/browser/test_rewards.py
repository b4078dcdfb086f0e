"""A buyer with a phone takes a reward: with scripts and without, and while the network breaks."""

from datetime import datetime

import pytest
from playwright.sync_api import Page, Route, expect
from pytest_django.live_server_helper import LiveServer

from crm.models import Member
from loyalty import api as loyalty
from redemption.models import Redemption, Reward
from tests.browser.conftest import Phone
from tests.browser.test_buyer import assert_fits, open_page, sign_in
from tests.cast import GivePoints
from tests.factories import AddressFactory, RewardFactory


@pytest.fixture
def cup(transactional_db: None) -> Reward:
    name = "手作青瓷品茗杯一对（月白釉，附棉麻收纳袋与手写卡片）"
    return RewardFactory(name=name, points=300, list_price="68.00", stock=5, limit_ever=3)


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
def test_from_the_shelf_to_a_redemption_that_is_cancelled_in_part(
    scripts: bool,
    *,
    phone: Phone,
    live_server: LiveServer,
    xiaolu: Member,
    cup: Reward,
    at: datetime,
    give_points: GivePoints,
) -> None:
    give_points(xiaolu, 1230)
    complaints: list[str] = []
    page = open_page(phone(java_script_enabled=scripts), complaints)
    sign_in(page, live_server, "xiaolu@example.com")

    page.get_by_role("link", name="兑换", exact=True).click()
    expect(page.locator(".badge.swap")).to_have_text("积分换")
    assert_fits(page)
    page.locator("a.good").click()
    assert_fits(page)
    page.select_option("#quantity", "2")
    page.get_by_role("button", name="立即兑换").click()

    # She has no address yet.
    page.fill("input[name=recipient]", "林小鹿")
    page.fill("input[name=phone]", "13800000001")
    page.select_option("select[name=province]", "浙江省")
    page.fill("input[name=city]", "杭州市")
    page.fill("input[name=district]", "西湖区")
    page.fill("input[name=street]", "龙井路 1 号 3 幢 402 室")
    assert_fits(page)
    page.get_by_role("button", name="使用这个地址").click()

    expect(page.locator(".sum .total")).to_contain_text("600 积分")
    assert_fits(page)
    page.get_by_role("button", name="600 积分兑换").click()
    page.wait_for_url("**/rewards/mine/*/")
    expect(page.locator(".way .now")).to_contain_text("已下单")
    assert_fits(page)

    page.get_by_role("link", name="取消兑换").click()
    page.select_option("#pieces", "1")
    page.get_by_role("button", name="取消并退回积分").click()
    expect(page.locator(".messages .note")).to_contain_text("积分已退回")
    taken = Redemption.objects.get()
    assert (taken.quantity, taken.cancelled) == (2, 1)
    assert loyalty.summary(xiaolu.pk, at).balance == 930
    assert not complaints


def test_a_lost_answer_and_a_second_press_are_one_redemption_and_the_page_says_so(
    *, page: Page, live_server: LiveServer, xiaolu: Member, cup: Reward, at: datetime, give_points: GivePoints
) -> None:
    give_points(xiaolu, 1230)
    AddressFactory(member=xiaolu)
    sign_in(page, live_server, "xiaolu@example.com")
    page.goto(f"{live_server.url}/rewards/{cup.pk}/take/")
    lost: list[int] = []

    def lose_the_answer(route: Route) -> None:
        if route.request.method == "POST" and not lost:
            lost.append(route.fetch(max_redirects=0).status)
            route.abort("connectionreset")
        else:
            route.continue_()

    page.route(f"**/rewards/{cup.pk}/take/", lose_the_answer)
    page.locator("form:has(input[name=token]) button").click()
    page.wait_for_url("chrome-error://**")
    assert lost == [302]
    page.reload()  # The browser sends the form once more.

    page.wait_for_url("**/rewards/mine/*/")
    expect(page.get_by_text("只扣了一次积分")).to_be_visible()
    assert Redemption.objects.get().quantity == 1
    assert loyalty.summary(xiaolu.pk, at).balance == 930
