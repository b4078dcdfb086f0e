"""The admin in a real browser: a seller imports a file and looks after a member, on a phone and at a desk."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone
from playwright.sync_api import Browser, ConsoleMessage, Page, expect
from pytest_django.live_server_helper import LiveServer

from crm.models import Channel, ImportJob, Member, Order
from loyalty import api as loyalty
from tests.cast import GivePoints
from tests.crm.files import Trade, write
from tests.factories import OrderFactory, StaffFactory

PASSWORD = "right horse battery"
TRADES = [Trade(1, "小鹿爱喝茶", "88.50"), Trade(2, "mei_chen", "60.00"), Trade(3, "x", no="3.51531E+16")]


@pytest.fixture(autouse=True)
def folder(settings: object, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = tmp_path / "media"  # type: ignore[attr-defined]


@pytest.fixture(scope="session")
def browser_context_args(browser_context_args: dict[str, Any]) -> dict[str, Any]:
    """The same phone, in English: the stories below name the buttons."""
    return {**browser_context_args, "locale": "en-US"}


@pytest.fixture
def desk(page: Page, live_server: LiveServer) -> Iterator[Page]:
    """The owner's browser, signed in, in English. At the end it must not have met an error or a refused script."""
    errors: list[str] = []

    def note(message: ConsoleMessage) -> None:
        if message.type == "error" and "favicon" not in message.location["url"]:
            errors.append(message.text)

    page.on("console", note)
    page.on("pageerror", lambda error: errors.append(str(error)))
    StaffFactory(username="owner", password=PASSWORD, is_superuser=True)
    page.goto(f"{live_server.url}/admin/")
    page.locator("[name=username]").fill("owner")
    page.locator("[name=password]").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url(f"{live_server.url}/admin/")
    yield page
    assert errors == []


def no_wider_than_the_screen(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"))


@pytest.mark.usefixtures("tasks_at_once")
def test_a_seller_imports_his_first_file(desk: Page, live_server: LiveServer, shop: Channel, tmp_path: Path) -> None:
    desk.goto(f"{live_server.url}/admin/")
    desk.locator("#content").get_by_role("link", name="Import orders").click()
    desk.locator("input[type=file]").set_input_files(write(tmp_path / "march.csv", TRADES))
    desk.get_by_role("button", name="Upload and check").click()
    expect(desk.get_by_text("Waiting for confirmation")).to_be_visible()
    expect(desk.get_by_text("小鹿爱喝茶", exact=True)).to_be_visible()
    expect(desk.get_by_text("1 row will be refused")).to_be_visible()
    assert no_wider_than_the_screen(desk)
    assert not Order.objects.exists()
    desk.get_by_role("button", name="Import these orders").click()
    expect(desk.get_by_text("1 refused row")).to_be_visible()
    assert Order.objects.count() == 2
    with desk.expect_download() as download:
        desk.get_by_role("link", name="Download as CSV").click()
    assert "3.51531E+16" in download.value.path().read_text(encoding="utf-8-sig")


def test_progress_moves_by_itself_and_ends_in_the_result(
    desk: Page, live_server: LiveServer, shop: Channel, at: datetime
) -> None:
    job = ImportJob.objects.create(channel=shop, created_at=at, state="running", beat_at=timezone.now())
    file = job.files.create(name="march.csv", size=1, sha256="0" * 64, rows=1000, counts={"rows": 100, "seconds": 1.0})
    desk.goto(f"{live_server.url}/admin/crm/importjob/{job.pk}/change/")
    expect(desk.get_by_text("100 of 1,000 rows (10 %)")).to_be_visible()
    file.counts = {"rows": 900, "seconds": 9.0}
    file.save()
    expect(desk.get_by_text("900 of 1,000 rows (90 %)")).to_be_visible()
    ImportJob.objects.filter(pk=job.pk).update(state="done", finished_at=at)
    expect(desk.get_by_role("button", name="Run again")).to_be_visible()


def test_points_are_adjusted_from_the_member_page(
    desk: Page, live_server: LiveServer, xiaolu: Member, give_points: GivePoints, at: datetime
) -> None:
    give_points(xiaolu, 300)
    desk.goto(f"{live_server.url}/admin/crm/member/{xiaolu.pk}/change/")
    assert no_wider_than_the_screen(desk)
    desk.get_by_role("link", name="Adjust points").click()
    desk.get_by_label("Points").fill("50")
    desk.get_by_label("Reason").fill("Broken cup")
    desk.get_by_role("button", name="Continue").click()
    expect(desk.get_by_text("350")).to_be_visible()
    desk.get_by_role("button", name="Book it").click()
    expect(desk.get_by_text("Booked. The balance is now 350 points.")).to_be_visible()
    assert loyalty.summary(xiaolu.pk, at).balance == 350


def test_the_home_page_draws_its_chart(
    desk: Page, live_server: LiveServer, shop: Channel, xiaolu: Member, give_points: GivePoints
) -> None:
    OrderFactory(channel=shop, member=xiaolu)
    give_points(xiaolu, 300)
    desk.goto(f"{live_server.url}/admin/")
    expect(desk.locator("#chart canvas")).to_be_visible()
    assert no_wider_than_the_screen(desk)


@pytest.mark.usefixtures("tasks_at_once")
def test_an_import_works_without_scripts(
    browser: Browser, live_server: LiveServer, shop: Channel, tmp_path: Path
) -> None:
    StaffFactory(username="owner", password=PASSWORD, is_superuser=True)
    page = browser.new_context(java_script_enabled=False, locale="en-US").new_page()
    page.set_default_timeout(8000)
    page.goto(f"{live_server.url}/admin/crm/importjob/add/")
    page.locator("[name=username]").fill("owner")
    page.locator("[name=password]").fill(PASSWORD)
    page.locator("[name=password]").press("Enter")
    page.locator("input[type=file]").set_input_files(write(tmp_path / "march.csv", TRADES))
    page.get_by_role("button", name="Upload and check").click()
    page.get_by_role("button", name="Import these orders").click()
    expect(page.get_by_text("1 refused row")).to_be_visible()
    assert Order.objects.count() == 2


@pytest.mark.usefixtures("tasks_at_once")
def test_a_seller_gives_points_to_many_and_sees_what_became_of_each_row(
    desk: Page, live_server: LiveServer, xiaolu: Member, tmp_path: Path
) -> None:
    file = tmp_path / "points.csv"
    file.write_text(f"会员编号,积分\n{xiaolu.pk},120\n{xiaolu.pk},ten\n", encoding="gbk")
    desk.goto(f"{live_server.url}/admin/loyalty/grant/add/")
    assert no_wider_than_the_screen(desk)
    desk.locator("input[type=file]").set_input_files(file)
    desk.get_by_role("button", name="Upload and check").click()
    expect(desk.get_by_text("cost 12.00 yuan")).to_be_visible()
    expect(desk.get_by_text("is not a number of points")).to_be_visible()
    assert no_wider_than_the_screen(desk)
    desk.get_by_label("Reason").fill("Spring gift")
    desk.get_by_role("button", name="Post these points").click()
    expect(desk.get_by_text("Rows posted")).to_be_visible()
    assert loyalty.summary(xiaolu.pk, timezone.now()).balance == 120
    with desk.expect_download() as download:
        desk.get_by_role("link", name="Download the report as CSV").click()
    assert "Given" in download.value.path().read_text(encoding="utf-8-sig")


def test_a_statement_and_the_longest_trace_fit_on_a_phone(
    desk: Page, live_server: LiveServer, xiaolu: Member, at: datetime
) -> None:
    loyalty.adjust(xiaolu.pk, 30, key="gift", at=at, reason="A broken cup", actor_id=None)
    loyalty.burn(xiaolu.pk, 20, key="out", at=at, trace={"words": "long " * 50, "number": "9" * 300})
    desk.goto(f"{live_server.url}/admin/loyalty/account/{xiaolu.pk}/statement/")
    desk.get_by_text("Given by the shop").click()
    expect(desk.get_by_text("Reason: A broken cup")).to_be_visible()
    assert no_wider_than_the_screen(desk)
    desk.get_by_text("Filter", exact=True).click()
    desk.get_by_label("Kind").select_option("burn")
    desk.get_by_role("button", name="Show").click()
    expect(desk.get_by_text("Given by the shop")).to_have_count(0)
    entry = loyalty.history(xiaolu.pk)[0].entry_id
    desk.goto(f"{live_server.url}/admin/loyalty/entry/{entry}/change/")
    assert no_wider_than_the_screen(desk)
