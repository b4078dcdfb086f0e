"""A report of very many redemptions is worked out part by part, and comes to the same."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from crm.models import Channel, Member, User
from redemption.models import Reward
from redemption.reports.spans import spans_of
from redemption.reports.working import Work, work_on, worked_out
from tests.cast import NOON, GivePoints
from tests.factories import MemberFactory, OrderFactory, RewardFactory
from tests.redemption.rewards.conftest import Take, home_of, shown, take
from tests.redemption.whole_reports import sales_of_redeemers, taken_between
from tests.staff import Grant

REPORT = "admin:redemption_redemption_report"
EXPORT = "admin:redemption_redemption_report_export"
DAY = timedelta(days=1)
WINDOW = (NOON - DAY, NOON + DAY)

__all__ = ["home_of", "shown", "take"]

pytestmark = pytest.mark.usefixtures("clock")


@pytest.fixture
def owner(grant: Grant, client: Client) -> User:
    user = grant("redemption.view_redemption", "redemption.export_redemption")
    client.defaults["HTTP_ACCEPT_LANGUAGE"] = "en"
    client.force_login(user)
    return user


@pytest.fixture(autouse=True)
def crowd(shop: Channel, give_points: GivePoints, take: Take) -> list[Member]:
    """Seven members, each of whom takes one cup, and every second one a pot; they buy something before and after."""
    cup, pot = RewardFactory(name="Tea cup", points=100), RewardFactory(name="Tea pot", points=300)
    members: list[Member] = [MemberFactory() for _number in range(7)]
    for number, member in enumerate(members):
        give_points(member, 2000)
        take(member, cup, 1 + number % 3)
        if number % 2:
            take(member, pot)
        for days in (-3, 4):
            OrderFactory(member=member, channel=shop, paid=10 + number, placed_at=NOON + days * DAY)
    return members


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three redemptions are a part; a request works on one of them."""
    monkeypatch.setattr("redemption.reports.spans.PART", 3)
    monkeypatch.setattr("redemption.reports.working.PART", 3)
    monkeypatch.setattr("redemption.reports.working._AT_ONCE", timedelta())


def times(work: Work | None) -> int:
    """How often something was taken, as the finished report has it."""
    assert work is not None
    total = work.taken().total
    assert total is not None
    return total.times


def to_the_end(at: datetime) -> Work:
    for _look in range(9):
        work = work_on(*WINDOW, at)
        if work.finished:
            break
    return work


@pytest.mark.usefixtures("small_parts")
class TestInParts:
    def test_it_comes_to_the_same_as_at_once(self, at: datetime) -> None:
        work = to_the_end(at)

        assert len(work.spans) == 4
        assert work.taken() == taken_between(*WINDOW)
        assert work.sales == sales_of_redeemers(*WINDOW, at)

    def test_every_member_is_in_one_part(self, crowd: list[Member]) -> None:
        spans = spans_of(*WINDOW, 10)

        for member in crowd:
            assert len([span for span in spans if span.above < member.pk <= span.upto]) == 1

    def test_a_member_who_took_nearly_everything_is_one_part(self, crowd: list[Member], take: Take) -> None:
        cup = Reward.objects.get(name="Tea cup")
        for _more in range(8):
            take(crowd[3], cup)

        spans = spans_of(*WINDOW, 18)

        assert len(spans) < 6
        assert all(span.above < span.upto for span in spans)
        assert any(span.upto == crowd[3].pk for span in spans)

    def test_it_says_how_far_it_is(self, at: datetime) -> None:
        work = work_on(*WINDOW, at)

        assert (work.percent, work.looked_at, work.counted, work.finished) == (25, 2, 10, False)

    def test_the_finished_one_is_kept_until_it_is_asked_for_anew(
        self, crowd: list[Member], take: Take, at: datetime
    ) -> None:
        to_the_end(at)
        take(crowd[0], Reward.objects.get(name="Tea pot"))

        kept = work_on(*WINDOW, at + DAY)
        assert (kept.at, times(kept)) == (at, 10)

        assert not work_on(*WINDOW, at + DAY, anew=True).finished
        assert times(to_the_end(at + DAY)) == 11


def test_a_small_one_is_worked_out_each_time(crowd: list[Member], take: Take, at: datetime) -> None:
    assert times(work_on(*WINDOW, at)) == 10
    take(crowd[0], Reward.objects.get(name="Tea pot"))

    assert times(worked_out(*WINDOW, at)) == 11


def test_of_nothing_there_is_no_total(at: datetime) -> None:
    assert work_on(NOON - 9 * DAY, NOON - 8 * DAY, at).taken().total is None


@pytest.mark.usefixtures("small_parts")
class TestPages:
    PERIOD = {"since": "2026-03-10", "through": "2026-03-10"}

    def test_the_page_gets_on_with_each_look_and_shows_the_figures_at_the_end(
        self, owner: User, client: Client
    ) -> None:
        page = client.get(reverse(REPORT), self.PERIOD).content.decode()
        assert "2 of 10 redemptions and coupons (25 %)" in page
        assert "Show the latest progress" in page

        parts = [client.get(reverse(REPORT), self.PERIOD, headers={"hx-request": "true"}) for _look in range(3)]
        assert [part.headers.get("HX-Refresh") for part in parts] == [None, None, "true"]
        assert "5 of 10" in parts[0].content.decode()
        assert "<html" not in parts[0].content.decode()

        whole = client.get(reverse(REPORT), self.PERIOD).content.decode()
        assert "Tea pot" in whole
        assert "These are the figures of" in whole

    def test_asked_for_anew_it_begins_once(self, owner: User, client: Client) -> None:
        for _look in range(4):
            client.get(reverse(REPORT), self.PERIOD)

        answer = client.get(reverse(REPORT), self.PERIOD | {"anew": "1"})

        assert answer["Location"] == f"{reverse(REPORT)}?since=2026-03-10&through=2026-03-10"
        assert "5 of 10" in client.get(answer["Location"]).content.decode()

    @pytest.mark.usefixtures("owner")
    def test_a_file_is_of_the_figures_on_the_page_and_else_leads_to_it(
        self, client: Client, crowd: list[Member], take: Take
    ) -> None:
        asked = self.PERIOD | {"side": "reward", "kind": "csv"}
        assert client.get(reverse(EXPORT), asked)["Location"].startswith(f"{reverse(REPORT)}?since=2026-03-10")
        for _look in range(4):
            client.get(reverse(REPORT), self.PERIOD)
        take(crowd[0], Reward.objects.get(name="Tea pot"))

        answer: Any = client.get(reverse(EXPORT), asked)

        assert "Tea pot,3,3,3,900," in b"".join(answer.streaming_content).decode()
