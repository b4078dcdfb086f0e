"""Trying a draft on past orders in a real browser: what a seller sees before he publishes anything."""

import os
from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from random import Random

import pytest
import time_machine
from django.urls import reverse
from playwright.sync_api import ConsoleMessage, Page, expect
from pytest_django.live_server_helper import LiveServer

from crm.choices import OrderStatus
from crm.feeds.records import BuyerRecord, OrderRecord
from crm.models import Channel
from crm.orders import record
from loyalty.choices import BacktestState
from loyalty.models import BacktestJob, RuleSet
from loyalty.rulebook import draft_of, save_draft
from tests.factories import StaffFactory, TierFactory
from tests.loyalty.rulesets import SPEND, rule

PASSWORD = "right horse battery"
NAMES = ("林小鹿", "王大勇", "陈一诺", "赵明远", "周思齐")


@pytest.fixture
def draft(shop: Channel, at: datetime) -> RuleSet:
    """Three months of orders, and a draft that pays more for large ones."""
    TierFactory(code="base", name="普通会员", rank=0)
    chance = Random(9)
    orders = []
    for number in range(60):
        paid_at = at - timedelta(hours=chance.randint(1, 85 * 24))
        name = chance.choice(NAMES)
        orders.append(
            OrderRecord(
                f"35153131{number:08}", 2, status=OrderStatus.PAID, buyer=BuyerRecord(name, name),
                paid=Decimal(chance.randint(1000, 60_000)) / 100, placed_at=paid_at, paid_at=paid_at,
            )
        )  # fmt: skip
    record(shop, orders, at=at)
    found = draft_of(0, at=at, actor_id=None, note="店庆双倍积分")
    steps = rule("steps", {"steps": [["199", 300], ["399", 900]]}, name="满额送积分", caps={"budget": 9000})
    save_draft(found.pk, [{**SPEND, "name": "每消费 1 元得 1 分"}, steps])
    return found


@pytest.fixture
def desk(page: Page, live_server: LiveServer, at: datetime) -> Iterator[Page]:
    """The owner, signed in. At the end the browser must not have met an error or a refused script."""
    errors: list[str] = []

    def note(message: ConsoleMessage) -> None:
        if message.type == "error" and "favicon" not in message.location["url"]:
            errors.append(message.text)

    page.on("console", note)
    page.on("pageerror", lambda error: errors.append(str(error)))
    with time_machine.travel(at, tick=True):
        StaffFactory(username="owner", password=PASSWORD, is_superuser=True)
        page.goto(f"{live_server.url}/admin/")
        page.locator("[name=username]").fill("owner")
        page.locator("[name=password]").fill(PASSWORD)
        page.locator("[name=password]").press("Enter")
        page.wait_for_url(f"{live_server.url}/admin/")
        yield page
    assert errors == []


def fits(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"))


def look(page: Page, name: str) -> None:
    """Keep a picture where BACKTEST_PICTURES says so."""
    if folder := os.environ.get("BACKTEST_PICTURES"):
        page.wait_for_timeout(400)
        page.screenshot(path=f"{folder}/{name}.png", full_page=True)


@pytest.mark.usefixtures("tasks_at_once")
@pytest.mark.parametrize("size", [(390, 844), (1280, 900)])
def test_a_draft_is_tried_from_its_own_page(
    desk: Page, live_server: LiveServer, draft: RuleSet, size: tuple[int, int]
) -> None:
    desk.set_viewport_size({"width": size[0], "height": size[1]})
    desk.goto(f"{live_server.url}{reverse('admin:loyalty_ruleset_change', args=[draft.pk])}")

    start = reverse("admin:loyalty_backtest_start")
    desk.locator(f"a[href='{start}?draft={draft.pk}']").click()
    expect(desk.locator("[name=rules]")).to_have_value(str(draft.pk))
    assert fits(desk)
    look(desk, f"start-{size[0]}")
    desk.locator("form.pk-form [type=submit]").click()

    expect(desk.locator(".pk-chart canvas")).to_have_count(4)
    assert fits(desk)
    look(desk, f"result-{size[0]}")
    desk.locator(f"a[href='{reverse('admin:loyalty_ruleset_change', args=[draft.pk])}']").first.click()
    expect(desk).to_have_url(f"{live_server.url}{reverse('admin:loyalty_ruleset_change', args=[draft.pk])}")


def test_progress_is_shown_until_the_result_is_there(
    desk: Page, live_server: LiveServer, draft: RuleSet, at: datetime
) -> None:
    job = BacktestJob.objects.create(
        rule_set=draft, first_day=at.date(), last_day=at.date(), margin=10, created_at=at, beat_at=at,
        state=BacktestState.RUNNING, done=20, orders=60,
    )  # fmt: skip
    desk.goto(f"{live_server.url}{reverse('admin:loyalty_backtestjob_change', args=[job.pk])}")
    expect(desk.locator("#progress")).to_contain_text("33 %")
    look(desk, "progress-390")

    BacktestJob.objects.update(done=45)
    expect(desk.locator("#progress")).to_contain_text("75 %")
    BacktestJob.objects.update(state=BacktestState.CANCELLED)

    expect(desk.locator("#progress")).to_have_count(0)
    desk.goto(f"{live_server.url}{reverse('admin:loyalty_backtestjob_changelist')}")
    assert fits(desk)
    look(desk, "list-390")
