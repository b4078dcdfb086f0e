"""Every page that a buyer can reach: no barrier, nothing inline, nothing of strangers, no complaint, no sideways push.

The pages are found as a buyer finds them, by their links, so that a page that is new is looked at too.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from pprint import pformat
from typing import Any

import pytest
from django.conf import settings
from django.core import mail
from django.test import Client
from django.utils import timezone
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect
from pytest_django.live_server_helper import LiveServer

from config.demo.cast import CAST, Role
from config.demo.loading import load_demo
from crm.models import Channel, Identity, Member, TierGrant, TierOffer
from redemption.models import Coupon, CouponPlan
from tests.browser import gates
from tests.cast import GivePoints
from tests.crm.tiers.seller import Seller
from tests.crm.tiers.test_cards import begin
from tests.factories import CouponPlanFactory, UserFactory

Open = Callable[..., Page]
LOOKS = [
    ("zh-hans", 390, "light"),
    ("zh-hant", 390, "dark"),
    ("en", 1280, "light"),
]
REGULAR = next(persona for persona in CAST if persona.role is Role.REGULAR)
PAGES_OF_A_KIND = 2
FIRST_VISIT = 60_000  # Bytes, compressed.


@pytest.fixture
def rich(xiaolu: Member, give_points: GivePoints) -> Member:
    """林小鹿, who has points, coupons and a history."""
    for points in (300, 500, -40, 470):
        give_points(xiaolu, points)
    return xiaolu


@pytest.fixture
def plan(transactional_db: None) -> CouponPlan:
    return CouponPlanFactory(name="全场红包", denominations=(5, 10, 20))


@pytest.fixture
def visit(browser: Browser, browser_context_args: dict[str, Any], live_server: LiveServer) -> Iterator[Open]:
    """``visit(member, "en", 1280, "dark")``: a page of a browser in which he is signed in."""
    with ExitStack() as stack:

        def visit(member: Member | None, language: str = "zh-hans", width: int = 390, scheme: str = "light") -> Page:
            changes = {"viewport": {"width": width, "height": 844}, "color_scheme": scheme, "is_mobile": width < 600}
            context: BrowserContext = stack.enter_context(browser.new_context(**{**browser_context_args, **changes}))
            cookies = {settings.LANGUAGE_COOKIE_NAME: language}
            if member:
                member.user = member.user or UserFactory(username=f"buyer-of-{member.pk}")
                member.save()
                client = Client()
                client.force_login(member.user, backend="django.contrib.auth.backends.ModelBackend")
                cookies[settings.SESSION_COOKIE_NAME] = client.cookies[settings.SESSION_COOKIE_NAME].value
            context.add_cookies([{"name": k, "value": v, "url": live_server.url} for k, v in cookies.items()])
            return context.new_page()

        yield visit


def walk(page: Page, home: str, name: tuple[str, ...]) -> tuple[dict[str, list[str]], set[str]]:
    """Visit what the home page leads to, two pages of a kind; return what is wrong and all that was seen."""
    seen, waiting, kinds = set[str](), [f"{home}/"], dict[str, int]()
    wrong: dict[str, list[str]] = {}
    while waiting:
        address = waiting.pop(0)
        kind = gates.kind_of(address)
        if address in seen or kinds.get(kind, 0) >= PAGES_OF_A_KIND:
            continue
        seen.add(address)
        kinds[kind] = kinds.get(kind, 0) + 1
        watched = gates.watch(page, home)
        answer = page.goto(address)
        found = [] if answer and answer.ok else [f"answered {answer and answer.status}"]
        found += gates.too_wide(page) + gates.inline(page) + gates.barriers(page)
        found += watched.complaints + watched.strangers
        if found:
            wrong[address] = found
        waiting += gates.links(page, home)
        picture = re.sub(r"\W+", "_", kind).strip("_") or "home"
        gates.keep_picture(page, picture, str(kinds[kind]), *name)
    return wrong, seen


def test_no_page_of_a_buyer_of_the_demo_shop_has_a_barrier(
    tmp_path: Path, transactional_db: None, visit: Open, live_server: LiveServer
) -> None:
    load_demo(tmp_path, at=timezone.now(), orders=1_500, members=260)
    buyer = Identity.objects.get(external_id=REGULAR.nick).member

    for look in LOOKS:
        wrong, seen = walk(visit(buyer, *look), live_server.url, (*map(str, look), "buyer"))
        assert not wrong, pformat(wrong)
        assert len(seen) > 12, seen


def test_no_page_for_visitors_has_a_barrier(visit: Open, live_server: LiveServer, plan: CouponPlan) -> None:
    for look in LOOKS:
        wrong, _ = walk(visit(None, *look), live_server.url, (*map(str, look), "visitor"))
        assert not wrong, pformat(wrong)


@pytest.mark.parametrize("signed_in", [False, True], ids=["visitor", "buyer"])
def test_a_first_visit_is_light(
    *, signed_in: bool, visit: Open, live_server: LiveServer, rich: Member, plan: CouponPlan
) -> None:
    page = visit(rich if signed_in else None)
    watched = gates.watch(page, live_server.url)

    page.goto(live_server.url, wait_until="networkidle")

    assert 5_000 < watched.weight() <= FIRST_VISIT


# What has the focus: whether a ring is drawn around it, and whether anything else lies over its middle.
FOCUS = """() => {
  const one = document.activeElement, style = getComputedStyle(one), box = one.getBoundingClientRect();
  const top = document.elementFromPoint(box.left + box.width / 2, box.top + box.height / 2);
  const ring = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
  return {name: one.outerHTML.slice(0, 120), ring, covered: !(one === top || one.contains(top) || top?.contains(one))};
}"""


def go_to(page: Page, target: Locator) -> None:
    """Press Tab until the target has the focus, and see that one can see where one is all the way."""
    page.wait_for_load_state()
    for _ in range(80):
        page.keyboard.press("Tab")
        focus = page.evaluate(FOCUS)
        assert focus["ring"], f"No ring around {focus['name']}"
        assert not focus["covered"], f"Something lies over {focus['name']}"
        if target.evaluate("one => one === document.activeElement"):
            expect(target).to_be_in_viewport()
            return
    pytest.fail(f"The keyboard does not get to {target}")


@pytest.fixture
def reached(rich: Member, shop: Channel) -> TierOffer:
    """林小鹿 has bought enough for a tier that she may take herself."""
    seller = Seller(shop)
    begin(seller, taking="claim", restart="never", claim_days=7)
    rich.identities.update(external_id=rich.name)
    seller.record(rich, "1", 1200, timezone.now() - timedelta(days=1))
    return TierOffer.objects.get()


@pytest.mark.parametrize("width", [390, 1280])
def test_the_keyboard_alone_signs_in_takes_a_tier_and_redeems(
    width: int, *, visit: Open, live_server: LiveServer, rich: Member, plan: CouponPlan, reached: TierOffer
) -> None:
    page = visit(None, width=width)
    page.goto(live_server.url)
    go_to(page, page.locator("input[name=email]"))
    page.keyboard.type("xiaolu@example.com")
    page.keyboard.press("Enter")
    expect(page.locator("input[name=code]")).to_be_focused()
    code = re.search(r"\d{4}-\d{4}", str(mail.outbox[-1].body))
    assert code is not None
    page.keyboard.type(code.group())
    page.keyboard.press("Enter")
    page.wait_for_url(f"{live_server.url}/")

    go_to(page, page.locator("a[href='/tier/']").first)
    page.keyboard.press("Enter")
    page.wait_for_url("**/tier/")
    go_to(page, page.locator(f"form[action='/tier/{reached.pk}/'] button"))
    page.keyboard.press("Enter")
    expect(page.locator(".messages .note")).to_be_visible()
    assert TierGrant.objects.filter(member=rich, tier=reached.tier).exists()
    go_to(page, page.locator(".top .brand"))
    page.keyboard.press("Enter")
    page.wait_for_url(f"{live_server.url}/")

    go_to(page, page.locator(f"a[href='/coupons/{plan.pk}/10/']").first)
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/coupons/{plan.pk}/10/")
    go_to(page, page.locator("form:has(input[name=token]) button"))
    page.keyboard.press("Enter")

    page.wait_for_url("**/coupons/mine/*/")
    expect(page.locator(".coupon-code")).to_have_text(Coupon.objects.get().spoken_code)
