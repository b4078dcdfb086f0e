"""Earning rules in a real browser: somebody who has never seen the admin sets up a festival and publishes it."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from playwright.sync_api import Browser, ConsoleMessage, Page, expect
from pytest_django.live_server_helper import LiveServer

from crm.models import Channel, Member, Tier
from loyalty.models import Entry, RuleSet
from tests.cast import SHANGHAI
from tests.crm.files import PAID, Trade, write
from tests.factories import LONG_AGO, StaffFactory, TierFactory

PASSWORD = "right horse battery"
EVE = datetime(2026, 11, 10, 12, 0, tzinfo=SHANGHAI)
"""The day before Double 11."""
DOUBLE_11, A_YEAR_AGO = "2026-11-11 20:15:00", "2025-11-11 20:15:00"


@pytest.fixture(scope="session")
def browser_context_args(browser_context_args: dict[str, Any]) -> dict[str, Any]:
    """The same phone, in English: the stories below name the buttons."""
    return {**browser_context_args, "locale": "en-US"}


@pytest.fixture
def clock() -> Iterator[Any]:
    """Noon of the day before Double 11. The server lives in this process, so its clock is this one."""
    with time_machine.travel(EVE, tick=True) as traveller:
        yield traveller


@pytest.fixture
def tiers(db: None) -> list[Tier]:
    """普通, VIP and SVIP."""
    names = (("base", "普通会员"), ("vip", "VIP会员"), ("svip", "SVIP会员"))
    return [TierFactory(code=code, name=name, rank=rank) for rank, (code, name) in enumerate(names)]


def sign_in(page: Page, live_server: LiveServer) -> None:
    StaffFactory(username="owner", password=PASSWORD, is_superuser=True)
    page.goto(f"{live_server.url}/admin/")
    page.locator("[name=username]").fill("owner")
    page.locator("[name=password]").fill(PASSWORD)
    page.locator("[name=password]").press("Enter")
    page.wait_for_url(f"{live_server.url}/admin/")


@pytest.fixture
def desk(clock: Any, page: Page, live_server: LiveServer) -> Iterator[Page]:
    """The owner's phone, signed in. At the end it must not have met an error or a refused script."""
    errors: list[str] = []

    def note(message: ConsoleMessage) -> None:
        if message.type == "error" and "favicon" not in message.location["url"]:
            errors.append(message.text)

    page.on("console", note)
    page.on("pageerror", lambda error: errors.append(str(error)))
    sign_in(page, live_server)
    yield page
    assert errors == []


def no_wider_than_the_screen(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"))


def open_part(page: Page, title: str) -> None:
    """Unfold a part of the form by the keyboard, as people without a mouse do."""
    page.locator("summary", has_text=title).focus()
    page.keyboard.press("Enter")


def set_up_double_11(page: Page) -> None:
    """Double points on 双11 for VIP and above, not on special-price goods, with a budget: from the pages alone."""
    page.get_by_role("link", name="Set up your own rules").click()
    page.get_by_label("Name of the draft").fill("Double 11")
    page.get_by_role("button", name="Begin the draft").click()
    page.get_by_role("link", name="Add a rule").click()
    page.get_by_role("link", name="Festival").click()
    page.get_by_label("Name", exact=True).fill("Double points on Double 11")
    page.get_by_label("Factor").fill("2")
    page.get_by_label("Which days").select_option(label="Double 11 (next: Nov. 11, 2026)")


def limit_it(page: Page, open_: Callable[[Page, str], None]) -> None:
    open_(page, "For whom")
    page.get_by_label("Tier at least").select_option(label="VIP会员 and above")
    open_(page, "For which orders and goods")
    for policy in ("Normal", "Bonus product"):
        page.get_by_label(policy, exact=True).check()
    open_(page, "Limits")
    page.get_by_label("Budget").fill("100000")
    page.get_by_role("button", name="Save the rule").click()


def hold(member: Member, tier: Tier) -> None:
    """Let the member hold a tier for two years."""
    member.tier_grants.create(tier=tier, begins_at=LONG_AGO, granted_at=LONG_AGO)


@pytest.mark.usefixtures("tasks_at_once")
def test_double_points_on_double_11(
    desk: Page,
    live_server: LiveServer,
    clock: Any,
    *,
    shop: Channel,
    xiaolu: Member,
    dayong: Member,
    tiers: list[Tier],
    tmp_path: Path,
    settings: Any,
) -> None:
    settings.MEDIA_ROOT = tmp_path / "media"
    hold(xiaolu, tiers[1])
    last_year = [Trade(9, "小鹿爱喝茶", placed=A_YEAR_AGO), Trade(10, "dayong_w", placed=A_YEAR_AGO)]
    bring_in(desk, live_server, write(tmp_path / "last-year.csv", last_year))
    before = {member: pending(member) for member in (xiaolu, dayong)}
    desk.goto(f"{live_server.url}/admin/loyalty/ruleset/")
    expect(desk.get_by_text("Nothing has been published yet")).to_be_visible()

    set_up_double_11(desk)
    assert no_wider_than_the_screen(desk)
    limit_it(desk, open_part)
    expect(desk.get_by_text("Orders on certain days earn 2 times the points.")).to_be_visible()
    expect(desk.get_by_text("Only for VIP会员 and above.")).to_be_visible()
    expect(desk.get_by_text("It stops when it has given 100,000 points")).to_be_visible()
    assert no_wider_than_the_screen(desk)

    desk.get_by_role("link", name="Try on past orders").click()
    desk.get_by_label("From").fill("2025-11-01")
    desk.get_by_role("button", name="Start the backtest").click()
    expect(desk.get_by_text("would have paid 100 points more than the rules of that time")).to_be_visible()
    desk.get_by_role("link", name="Draft: Double 11").click()

    desk.get_by_role("link", name="Review and publish").click()
    expect(desk.get_by_text("An order of 100 yuan can earn 200 points.")).to_be_visible()
    expect(desk.get_by_text("That is more than the 10 % from which this page warns.")).to_be_visible()
    assert no_wider_than_the_screen(desk)
    desk.get_by_label("Reason").fill("Double 11")
    desk.get_by_label("I know how much these rules can pay.").check()
    desk.get_by_role("button", name="Publish these rules").click()
    expect(desk.get_by_text("Published as version 1. It counts from now on.")).to_be_visible()
    expect(desk.get_by_text("In force now: version 1")).to_be_visible()

    clock.move_to(EVE + timedelta(days=2))
    trades = [
        Trade(1, "小鹿爱喝茶", status=PAID, placed=DOUBLE_11),
        Trade(2, "dayong_w", status=PAID, placed=DOUBLE_11),
    ]
    bring_in(desk, live_server, write(tmp_path / "double11.csv", trades))
    assert pending(xiaolu) - before[xiaolu] == 200
    assert pending(dayong) - before[dayong] == 100


def bring_in(page: Page, live_server: LiveServer, file: Path) -> None:
    page.goto(f"{live_server.url}/admin/crm/importjob/add/")
    page.locator("input[type=file]").set_input_files(file)
    page.get_by_role("button", name="Upload and check").click()
    page.get_by_role("button", name="Import these orders").click()
    expect(page.get_by_role("button", name="Run again")).to_be_visible()


def pending(member: Member) -> int:
    return sum(Entry.objects.filter(account_id=member.pk).values_list("pending", flat=True))


def test_a_mistake_is_told_at_its_field_and_the_summary_leads_there(
    desk: Page, live_server: LiveServer, tiers: list[Tier]
) -> None:
    desk.goto(f"{live_server.url}/admin/loyalty/ruleset/")
    set_up_double_11(desk)
    desk.get_by_label("Factor").fill("-2")
    desk.get_by_role("button", name="Save the rule").click()

    summary = desk.get_by_role("alert")
    expect(summary.get_by_text("A factor cannot be negative.")).to_be_visible()
    summary.get_by_role("link", name="Factor").click()
    expect(desk.locator("#field-config_factor").get_by_text("A factor cannot be negative.")).to_be_in_viewport()


def test_only_the_inputs_of_the_chosen_way_are_shown(desk: Page, live_server: LiveServer) -> None:
    desk.goto(f"{live_server.url}/admin/loyalty/ruleset/")
    set_up_double_11(desk)

    expect(desk.get_by_label("Days before it")).to_be_visible()
    expect(desk.get_by_label("First day", exact=True)).to_be_hidden()
    desk.get_by_label("Which days").select_option("dates")
    expect(desk.get_by_label("First day", exact=True)).to_be_visible()
    expect(desk.get_by_label("Days before it")).to_be_hidden()


def test_rules_are_set_up_and_published_without_scripts(
    clock: Any, browser: Browser, live_server: LiveServer, tiers: list[Tier]
) -> None:
    page = browser.new_context(java_script_enabled=False, locale="en-US").new_page()
    page.set_default_timeout(8000)
    sign_in(page, live_server)
    page.goto(f"{live_server.url}/admin/loyalty/ruleset/")
    set_up_double_11(page)
    limit_it(page, lambda page, title: page.locator("summary", has_text=title).click())
    page.get_by_role("button", name="Move Double points on Double 11 up").click()
    page.get_by_role("link", name="Review and publish").click()
    page.get_by_label("Reason").fill("Double 11")
    page.get_by_label("I know how much these rules can pay.").check()
    page.get_by_role("button", name="Publish these rules").click()
    expect(page.get_by_text("In force now: version 1")).to_be_visible()

    festival = RuleSet.objects.get(version=1).rules.get(code="festival")
    assert (festival.config["factor"], festival.caps, festival.position) == ("2", {"budget": 100000}, 10)
