"""Backtests in the admin: starting one, watching it, reading it, taking its figures away."""

import csv
import io
from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.test import Client
from django.urls import reverse
from openpyxl import load_workbook

from crm.choices import OrderStatus
from crm.feeds.records import BuyerRecord, OrderRecord
from crm.models import Channel, Member, StaffAction
from crm.orders import record
from loyalty.backtest import jobs
from loyalty.backtest.run import Period
from loyalty.choices import BacktestState
from loyalty.models import BacktestJob, RuleSet
from loyalty.rulebook import draft_of, save_draft
from tests.factories import StaffFactory
from tests.loyalty.rulesets import SPEND, rule
from tests.staff import Grant

pytestmark = pytest.mark.django_db

START = "admin:loyalty_backtest_start"
PAGE = "admin:loyalty_backtestjob_change"
DOUBLE = rule("spend", {"per": "1", "points": 20}, name="Twenty a yuan")
DAY = timedelta(days=1)
ENGLISH = {"accept-language": "en"}


@pytest.fixture(autouse=True)
def today(at: datetime) -> Iterator[None]:
    """The day that the pages take for today."""
    with time_machine.travel(at, tick=False):
        yield


@pytest.fixture
def draft(at: datetime) -> RuleSet:
    found = draft_of(0, at=at, actor_id=None, note="Anniversary")
    save_draft(found.pk, [DOUBLE])
    return found


@pytest.fixture
def orders(shop: Channel, xiaolu: Member, dayong: Member, at: datetime) -> None:
    """Three orders in February and March."""
    record(
        shop,
        [
            OrderRecord(
                number, 2, status=OrderStatus.PAID, buyer=BuyerRecord(nick), paid=Decimal(paid),
                placed_at=at - days * DAY, paid_at=at - days * DAY,
            )
            for number, nick, paid, days in (
                ("A1", "小鹿爱喝茶", "100", 20), ("A2", "小鹿爱喝茶", "60", 3), ("A3", "dayong_w", "0.50", 2),
            )
        ],
        at=at,
    )  # fmt: skip


@pytest.fixture
def done(draft: RuleSet, orders: None, at: datetime) -> BacktestJob:
    """A backtest of the draft over ninety days, finished."""
    job = jobs.start(
        draft.pk, Period((at - 89 * DAY).date(), at.date()), margin=Decimal(10), actor_id=StaffFactory().pk, at=at
    )
    jobs.run(job.pk, clock=lambda: at)
    job.refresh_from_db()
    return job


def page(client: Client, job: BacktestJob) -> str:
    return client.get(reverse(PAGE, args=[job.pk]), headers=ENGLISH).content.decode()


class TestStart:
    def test_it_begins_with_the_named_draft_and_the_last_ninety_days(
        self, admin_client: Client, draft: RuleSet, orders: None
    ) -> None:
        draft_of(0, at=draft.created_at, actor_id=None, note="A later draft")

        form = admin_client.get(reverse(START), {"draft": draft.pk}).context["form"]

        assert form["rules"].value() == str(draft.pk)
        assert (f"{form['first'].value()}", f"{form['last'].value()}") == ("2025-12-11", "2026-03-10")

    @pytest.mark.usefixtures("orders", "tasks_at_once")
    def test_it_is_started_and_a_worker_does_it(
        self, admin_client: Client, draft: RuleSet, django_capture_on_commit_callbacks: Any
    ) -> None:
        with django_capture_on_commit_callbacks(execute=True):
            response = admin_client.post(
                reverse(START), {"rules": draft.pk, "first": "2026-03-01", "last": "2026-03-10", "margin": "10"}
            )

        job = BacktestJob.objects.get()
        assert response.headers["Location"] == reverse(PAGE, args=[job.pk])
        assert (job.state, job.orders) == (BacktestState.DONE, 2)
        assert StaffAction.objects.filter(action="backtest.start").exists()

    @pytest.mark.usefixtures("orders")
    @pytest.mark.parametrize(
        ("given", "field", "reason"),
        [
            ({"last": "2026-03-11"}, "last", "This day has not come yet"),
            ({"first": "2026-03-10", "last": "2026-03-01"}, "last", "ends before it begins"),
            ({"first": "2001-01-01"}, "first", "at most ten years"),
            ({"first": "2025-12-01", "last": "2025-12-31"}, "first", "No member paid an order on these days"),
            ({"margin": "0"}, "margin", "greater than or equal to"),
        ],
    )
    def test_days_that_make_no_sense_are_refused(
        self, admin_client: Client, draft: RuleSet, given: dict[str, str], field: str, reason: str
    ) -> None:
        usual = {"rules": draft.pk, "first": "2026-02-01", "last": "2026-03-10", "margin": "10"}

        response = admin_client.post(reverse(START), usual | given, headers=ENGLISH)

        assert reason in str(response.context["form"].errors[field])
        assert not BacktestJob.objects.exists()

    def test_without_any_orders_it_says_where_they_come_from(self, admin_client: Client) -> None:
        shown = admin_client.get(reverse(START), headers=ENGLISH).content.decode()

        assert "There are no orders of members yet" in shown
        assert reverse("admin:crm_importjob_add") in shown

    def test_a_draft_that_cannot_be_published_says_why(
        self, admin_client: Client, draft: RuleSet, orders: None
    ) -> None:
        draft.rules.update(config={"per": "0", "points": 1})

        response = admin_client.post(
            reverse(START), {"rules": draft.pk, "first": "2026-02-01", "last": "2026-03-10", "margin": "10"}
        )

        assert len(response.context["form"].errors["rules"]) == 2


class TestResult:
    def test_it_tells_what_the_draft_would_have_cost(self, admin_client: Client, done: BacktestJob) -> None:
        shown = page(admin_client, done)

        assert "Draft: Anniversary would have paid 3,040 points more than the rules of that time: 304.00 yuan." in shown
        assert "Twenty a yuan" in shown and "林小鹿" in shown and "February 2026" in shown
        assert "every order comes to just what the journal gave for it" in shown

    def test_it_tells_what_a_draft_that_pays_less_would_have_saved(
        self, admin_client: Client, orders: None, at: datetime
    ) -> None:
        meagre = draft_of(0, at=at, actor_id=None, note="Half as much")
        save_draft(meagre.pk, [rule("spend", {"per": "2", "points": 1}, name="One in two yuan")])
        period = Period((at - 89 * DAY).date(), at.date())
        job = jobs.start(meagre.pk, period, margin=Decimal(10), actor_id=StaffFactory().pk, at=at)
        jobs.run(job.pk, clock=lambda: at)

        assert "would have paid 80 points less than the rules of that time: 8.00 yuan." in page(admin_client, job)

    def test_its_charts_have_the_figures_of_its_tables(self, admin_client: Client, done: BacktestJob) -> None:
        charts = admin_client.get(reverse(PAGE, args=[done.pk]), headers=ENGLISH).context["charts"]

        assert charts["months"]["months"] == ["2026-02", "2026-03"]
        assert [series["values"] for series in charts["months"]["series"]] == [[100, 60], [2000, 1200]]
        assert [series["values"] for series in charts["rules"]["series"]] == [[160], [3200]]

    def test_orders_above_the_margin_are_shown_with_their_share(self, admin_client: Client, done: BacktestJob) -> None:
        [first, *_] = admin_client.get(reverse(PAGE, args=[done.pk])).context["dear"]

        assert (first.number, first.candidate, first.percent) == ("A1", 2000, Decimal(200))

    def test_it_leads_back_to_the_draft_and_warns_when_that_was_changed(
        self, admin_client: Client, done: BacktestJob, draft: RuleSet
    ) -> None:
        assert reverse("admin:loyalty_ruleset_change", args=[draft.pk]) in page(admin_client, done)
        assert "The draft has been changed since" not in page(admin_client, done)

        save_draft(draft.pk, [SPEND])

        assert "The draft has been changed since" in page(admin_client, done)

    def test_a_period_without_orders_has_nothing_to_show(
        self, admin_client: Client, draft: RuleSet, at: datetime
    ) -> None:
        job = jobs.start(draft.pk, Period(at.date(), at.date()), margin=Decimal(10), actor_id=StaffFactory().pk, at=at)
        jobs.run(job.pk, clock=lambda: at)

        assert "the rules had nothing to pay" in page(admin_client, job)

    def test_who_may_not_see_members_sees_their_numbers_only(
        self, client: Client, grant: Grant, done: BacktestJob
    ) -> None:
        client.force_login(grant("loyalty.view_backtestjob"))

        shown = page(client, done)

        assert "林小鹿" not in shown
        assert "Start another one" not in shown


class TestProgress:
    def test_the_page_asks_again_until_the_job_has_ended(
        self, admin_client: Client, done: BacktestJob, at: datetime
    ) -> None:
        BacktestJob.objects.update(state=BacktestState.RUNNING, result=None, done=1, orders=3, beat_at=at)
        progress = reverse("admin:loyalty_backtest_progress", args=[done.pk])

        response = admin_client.get(progress, headers=ENGLISH)

        assert "1 of 3 orders (33 %)" in response.content.decode()
        assert "HX-Refresh" not in response.headers
        BacktestJob.objects.update(state=BacktestState.FAILED)
        assert admin_client.get(progress).headers["HX-Refresh"] == "true"

    def test_it_can_be_cancelled(self, admin_client: Client, done: BacktestJob, at: datetime) -> None:
        BacktestJob.objects.update(state=BacktestState.RUNNING, result=None, beat_at=at)

        admin_client.post(reverse("admin:loyalty_backtest_cancel", args=[done.pk]))

        assert BacktestJob.objects.get().state == BacktestState.CANCELLED
        assert admin_client.get(reverse("admin:loyalty_backtest_csv", args=[done.pk])).status_code == 404

    def test_who_comes_too_late_to_cancel_is_told_so(self, admin_client: Client, done: BacktestJob) -> None:
        response = admin_client.post(
            reverse("admin:loyalty_backtest_cancel", args=[done.pk]), follow=True, headers=ENGLISH
        )

        assert "The backtest had ended already." in response.content.decode()


class TestDownload:
    def test_the_csv_has_every_figure(self, admin_client: Client, done: BacktestJob) -> None:
        response = admin_client.get(reverse("admin:loyalty_backtest_csv", args=[done.pk]), headers=ENGLISH)

        text = b"".join(response).decode("utf-8-sig")
        rows = {(row["Part"], row["Name"]): row for row in csv.DictReader(io.StringIO(text))}
        assert rows["By month", "March 2026"]["Points under the tried rules"] == "1200"
        assert rows["In all", "Points that stay"]["Cost in yuan under the tried rules"] == "320.00"
        assert ("Orders above the margin", "A2") in rows
        assert StaffAction.objects.filter(action="backtest.export").exists()

    def test_the_workbook_has_the_same_rows(self, admin_client: Client, done: BacktestJob) -> None:
        response = admin_client.get(reverse("admin:loyalty_backtest_xlsx", args=[done.pk]), headers=ENGLISH)

        sheet = load_workbook(io.BytesIO(b"".join(response))).worksheets[0]
        assert [cell.value for cell in sheet[1]][:2] == ["Part", "Name"]
        assert sheet.max_row > 8


class TestPermissions:
    def test_seeing_needs_a_permission_and_starting_another_one(
        self, client: Client, grant: Grant, done: BacktestJob
    ) -> None:
        client.force_login(grant("loyalty.view_ruleset"))
        assert client.get(reverse(PAGE, args=[done.pk])).status_code == 403
        client.force_login(grant("loyalty.view_backtestjob"))
        assert client.get(reverse("admin:loyalty_backtestjob_changelist")).status_code == 200
        assert client.get(reverse(START)).status_code == 403
        assert client.post(reverse("admin:loyalty_backtest_cancel", args=[done.pk])).status_code == 403
        client.force_login(grant("loyalty.add_backtestjob"))
        assert client.get(reverse(START)).status_code == 200

    def test_a_backtest_that_is_not_there_has_no_page(self, admin_client: Client) -> None:
        assert admin_client.get(reverse(PAGE, args=[99])).status_code == 404
        assert admin_client.get(reverse(PAGE, args=["nine"])).status_code == 404
