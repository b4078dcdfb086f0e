"""The seller's own site on another origin, into whose page our snippets are pasted as the admin gives them."""

import html
import re
import secrets
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import jwt
import pytest
from django.test import Client
from playwright.sync_api import BrowserType, FrameLocator, Page
from pytest_django.live_server_helper import LiveServer

from crm.choices import SsoAlgorithm
from crm.models import Channel, Member
from crm.sso.keys import make_key
from redemption.embeds.snippets import TOKEN
from redemption.models import CouponPlan, Embed
from tests.browser.sites import Site, site
from tests.cast import GivePoints
from tests.factories import CouponPlanFactory, StaffFactory

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
    """``paste("card", "coupons", token=…)``: make embeds for the tea house's site, copy their snippets out of the admin
    and paste them there; only the token is put in by the tea house's server."""
    seller = Client(headers={"host": urlsplit(home).netloc})
    seller.force_login(StaffFactory(is_superuser=True), backend="django.contrib.auth.backends.ModelBackend")

    def copied(embed: Embed, which: str) -> str:
        page = seller.get(f"/admin/redemption/embed/{embed.pk}/change/").content.decode()
        found = re.search(rf'<pre[^>]* id="snippet-{which}"[^>]*>(.*?)</pre>', page, re.DOTALL)
        assert found is not None
        return html.unescape(found[1])

    def paste(*templates: str, token: str = "", into: Site = tea_house, **more: Any) -> None:
        into.body = ""
        for template in templates:
            embed = Embed.objects.create(
                name=template, template=template, channel=shop, origins=tea_house.address, changed_at=at, **more
            )  # fmt: skip
            into.body += copied(embed, "signed" if token else "plain").replace(TOKEN, token)

    return paste


def frame(page: Page, number: int) -> FrameLocator:
    return page.frame_locator("iframe[data-pointkeeper]").nth(number)
