"""A buyer on the seller's own site redeems a reward there, where browsers keep no cookie of ours."""

import re
from datetime import datetime

import pytest
from django.conf import LazySettings
from django.core import mail
from playwright.sync_api import FrameLocator, Page, Route, expect

from crm.models import Member
from loyalty import api as loyalty
from redemption.models import Redemption, Reward, Stock
from redemption.rewards.choices import RewardKind
from tests.browser import gates
from tests.browser.embeds.conftest import NewToken, Paste, frame
from tests.browser.sites import Site
from tests.factories import AddressFactory, RewardFactory


@pytest.fixture
def cup(transactional_db: None) -> Reward:
    name = "手作青瓷品茗杯一对（月白釉，附棉麻收纳袋与手写卡片）"
    return RewardFactory(name=name, points=300, cash="9.90", list_price="68.00", stock=5, limit_ever=3)


@pytest.fixture
def ticket(transactional_db: None) -> Reward:
    return RewardFactory(name="茶席体验券", kind=RewardKind.TICKET, points=300, stock=5)


def dialog(page: Page) -> FrameLocator:
    """What stands over the seller's page."""
    return page.frame_locator("dialog iframe")


def press(page: Page, name: str, *, number: int = 0) -> None:
    """Open a reward of the grid, once the buyer is known there."""
    expect(frame(page, number).locator(".top .figure")).to_be_visible()
    frame(page, number).get_by_role("link", name=name).click()


def fill_address(question: FrameLocator) -> None:
    question.locator("[name=province]").select_option("浙江省")
    typed = {
        "recipient": "林小鹿", "phone": "13800000001", "city": "杭州市", "district": "西湖区",
        "street": "龙井路 1 号 3 幢 402 室",
    }  # fmt: skip
    for name, value in typed.items():
        question.locator(f"[name={name}]").fill(value)


def points_of(member: Member) -> int:
    return loyalty.summary(member.pk, datetime.now().astimezone()).spendable


def test_from_the_grid_to_a_redemption_with_a_new_address(
    *,
    page: Page,
    tea_house: Site,
    paste: Paste,
    new_token: NewToken,
    rich: Member,
    cup: Reward,
    complaints: list[str],
) -> None:
    paste("bar", "rewards", token=new_token())
    page.goto(tea_house.address)
    expect(frame(page, 1).get_by_text("1,230")).to_be_visible()

    press(page, "手作青瓷", number=1)
    fill_address(dialog(page))
    dialog(page).get_by_role("button", name="使用这个地址").click()
    expect(dialog(page).locator(".sum .total")).to_contain_text("300 积分")
    [framed] = [each for each in page.frames if each.url.endswith("#panel")]
    assert gates.barriers(framed) == []
    dialog(page).get_by_role("button", name="300 积分兑换").click()

    expect(dialog(page).get_by_text("兑换成功")).to_be_visible()
    taken = Redemption.objects.select_related("address").get()
    assert (taken.member, taken.reward, taken.quantity) == (rich, cup, 1)
    assert taken.address is not None
    assert taken.address.street == "龙井路 1 号 3 幢 402 室"
    expect(dialog(page).get_by_text(f"备注中填写 {taken.number}")).to_be_visible()
    assert points_of(rich) == 930
    assert Stock.objects.get().free == 4

    dialog(page).get_by_role("button", name="返回").click()
    expect(page.locator("dialog")).to_have_count(0)
    expect(frame(page, 1).get_by_text("930")).to_be_visible()
    assert page.evaluate("window.moved") == 0
    assert complaints == []


def test_a_badge_beside_an_item_leads_to_a_redemption_without_leaving_the_page(
    *,
    page: Page,
    tea_house: Site,
    paste: Paste,
    new_token: NewToken,
    rich: Member,
    ticket: Reward,
    complaints: list[str],
) -> None:
    paste("badge", token=new_token(), reward=ticket)
    tea_house.body += "<p id='below'>Add to the basket</p>"
    page.goto(tea_house.address)
    below = page.locator("#below").bounding_box()

    expect(frame(page, 0).locator("main.ready .pill")).to_contain_text("剩 5")
    frame(page, 0).locator(".pill").press("Enter")
    dialog(page).get_by_role("button", name="300 积分兑换").click()
    expect(dialog(page).get_by_text("兑换成功")).to_be_visible()
    page.keyboard.press("Escape")

    expect(page.locator("dialog")).to_have_count(0)
    expect(frame(page, 0).locator(".pill")).to_contain_text("剩 4")
    assert Redemption.objects.get().reward == ticket
    assert points_of(rich) == 930
    assert page.locator("#below").bounding_box() == below
    assert page.evaluate("window.moved") == 0
    assert complaints == []


def test_for_a_visitor_who_is_nobody_the_badge_leads_to_the_store(
    page: Page, home: str, tea_house: Site, paste: Paste, ticket: Reward
) -> None:
    paste("badge", reward=ticket)
    page.goto(tea_house.address)

    with page.expect_popup() as opened:
        frame(page, 0).locator(".pill").click()

    assert opened.value.url.startswith(home)
    assert page.locator("dialog").count() == 0


def test_the_network_is_lost_in_the_middle_and_the_second_press_says_that_it_counted_once(
    *, page: Page, tea_house: Site, paste: Paste, new_token: NewToken, rich: Member, ticket: Reward
) -> None:
    paste("rewards", token=new_token())
    page.goto(tea_house.address)
    press(page, "茶席体验券")
    button = dialog(page).get_by_role("button", name="300 积分兑换")
    expect(button).to_be_visible()
    lost: list[int] = []

    def lose_the_answer(route: Route) -> None:
        if lost:
            route.continue_()
        else:
            lost.append(route.fetch().status)
            route.abort("connectionreset")

    page.route(f"**/reward/{ticket.pk}/", lose_the_answer)
    button.click()
    expect(dialog(page).get_by_role("alert")).to_contain_text("网络中断")
    assert lost == [200]

    button.click()

    expect(dialog(page).get_by_text("只扣了一次积分")).to_be_visible()
    expect(dialog(page).get_by_text(Redemption.objects.get().number)).to_be_visible()
    assert points_of(rich) == 930


def test_a_double_press_is_one_redemption(
    *, page: Page, tea_house: Site, paste: Paste, new_token: NewToken, rich: Member, ticket: Reward
) -> None:
    paste("rewards", token=new_token())
    page.goto(tea_house.address)
    press(page, "茶席体验券")

    dialog(page).get_by_role("button", name="300 积分兑换").dblclick()

    expect(dialog(page).get_by_text("兑换成功")).to_be_visible()
    assert Redemption.objects.count() == 1
    assert points_of(rich) == 930


def test_a_dear_one_asks_for_a_code_and_the_page_remembers_it(
    *,
    page: Page,
    tea_house: Site,
    paste: Paste,
    new_token: NewToken,
    rich: Member,
    ticket: Reward,
    settings: LazySettings,
    complaints: list[str],
) -> None:
    settings.SPEND_CODE_POINTS = 100
    paste("rewards", token=new_token())
    page.goto(tea_house.address)
    press(page, "茶席体验券")
    dialog(page).get_by_role("button", name="x***u@example.com").click()
    expect(dialog(page).locator("[name=code]")).to_be_visible()
    found = re.search(r"\b\d{6}\b", str(mail.outbox[-1].body))
    assert found is not None
    dialog(page).locator("[name=code]").fill(found.group())
    dialog(page).get_by_role("button", name="继续").click()

    dialog(page).get_by_role("button", name="300 积分兑换").click()
    expect(dialog(page).get_by_text("兑换成功")).to_be_visible()
    dialog(page).get_by_role("button", name="返回").click()

    # It was typed in a frame that is gone; the others know of it.
    press(page, "茶席体验券")
    expect(dialog(page).get_by_role("button", name="300 积分兑换")).to_be_visible()
    assert Redemption.objects.count() == 1
    assert complaints == []


def test_what_stands_against_it_is_said_in_place(
    *, page: Page, tea_house: Site, paste: Paste, new_token: NewToken, rich: Member, transactional_db: None
) -> None:
    RewardFactory(name="紫砂壶", points=2000)
    paste("rewards", token=new_token())
    page.goto(tea_house.address)

    press(page, "紫砂壶")

    expect(dialog(page).get_by_text("还差 770 积分")).to_be_visible()
    expect(dialog(page).get_by_role("button", name="积分兑换")).to_have_count(0)


@pytest.mark.parametrize("template", ["rewards", "badge", "float", "coupons"])
def test_under_the_policy_of_a_strict_shop_all_of_it_works(
    template: str,
    *,
    page: Page,
    home: str,
    tea_house: Site,
    paste: Paste,
    new_token: NewToken,
    rich: Member,
    ticket: Reward,
    complaints: list[str],
) -> None:
    tea_house.policy = f"default-src 'self'; script-src {home}; frame-src {home}"
    paste(template, token=new_token(), reward=ticket)
    page.goto(tea_house.address)

    if template == "float":
        frame(page, 0).locator("[data-toggle]").click()
        expect(frame(page, 0).get_by_text("1,230")).to_be_visible()
    elif template == "coupons":
        expect(frame(page, 0).get_by_text("1,230")).to_be_visible()
    else:
        expect(frame(page, 0).get_by_text("剩 5")).to_be_visible()
        frame(page, 0).locator("[data-open]").click()
        expect(dialog(page).get_by_role("button", name="300 积分兑换")).to_be_visible()
        box = page.locator("dialog").bounding_box()
        assert box is not None
        assert (box["width"], box["height"] > 400) == (374, True)
    assert complaints == []


def test_with_an_older_loader_in_the_browser_it_opens_in_the_grid(
    *, page: Page, tea_house: Site, paste: Paste, new_token: NewToken, rich: Member, ticket: Reward
) -> None:
    """The loader is kept for an hour, the frame for half a minute."""

    def older(route: Route) -> None:
        answer = route.fetch()
        route.fulfill(response=answer, body=answer.text().replace('"HTMLDialogElement" in window', "false"))

    page.route("**/embed.js", older)
    paste("rewards", token=new_token())
    page.goto(tea_house.address)

    press(page, "茶席体验券")
    frame(page, 0).get_by_role("button", name="300 积分兑换").click()

    expect(frame(page, 0).get_by_text("兑换成功")).to_be_visible()
    assert page.evaluate("window.moved") == 0
    assert Redemption.objects.count() == 1


def test_saved_addresses_are_chosen_from(
    *, page: Page, tea_house: Site, paste: Paste, new_token: NewToken, rich: Member, cup: Reward
) -> None:
    AddressFactory(member=rich, preferred=True, street="苏堤 2 号")
    AddressFactory(member=rich, street="龙井路 1 号")
    paste("rewards", token=new_token())
    page.goto(tea_house.address)
    press(page, "手作青瓷")
    dialog(page).get_by_label("件数").select_option("2")
    dialog(page).get_by_role("button", name="重新计算").click()
    expect(dialog(page).locator(".sum .total")).to_contain_text("600 积分")
    dialog(page).get_by_label("龙井路 1 号").check()
    dialog(page).get_by_role("button", name="600 积分兑换").click()

    expect(dialog(page).get_by_text("兑换成功")).to_be_visible()
    taken = Redemption.objects.select_related("address").get()
    assert taken.address is not None
    assert (taken.quantity, taken.address.street) == (2, "龙井路 1 号")
