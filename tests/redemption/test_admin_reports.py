"""The report of what members took for their points, its files, and the page of what is running now."""

import csv
import io
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from crm.models import Channel, Member, StaffAction, User
from redemption.checkout import redeem_coupon
from redemption.models import CouponPlan, Redemption, Reward
from redemption.reports.live import live
from redemption.reports.taken import SIDES, Row
from redemption.rewards.giving_back import cancel
from redemption.tokens import new_token
from tests.cast import NOON, GivePoints
from tests.factories import OrderFactory, RewardFactory, TierFactory
from tests.redemption.rewards.conftest import Take, home_of, redemption_of, shown, take
from tests.redemption.whole_reports import sales_of_redeemers, taken_between
from tests.staff import Grant

__all__ = ["home_of", "shown", "take"]

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clock")]

REPORT, EXPORT, LIVE = (f"admin:redemption_redemption_{name}" for name in ("report", "report_export", "live"))
DAY = timedelta(days=1)


@pytest.fixture
def owner(grant: Grant, client: Client) -> User:
    user = grant("redemption.view_redemption", "redemption.export_redemption", "crm.view_member")
    client.defaults["HTTP_ACCEPT_LANGUAGE"] = "en"
    client.force_login(user)
    return user


@pytest.fixture
def cup(xiaolu: Member, dayong: Member, give_points: GivePoints) -> Reward:
    """A cup for 100 points; 小鹿 and 大勇 have points enough."""
    give_points(xiaolu, 2000)
    give_points(dayong, 2000)
    cup: Reward = RewardFactory(name="Tea cup", points=100, stock=50)
    return cup


def figures(side: str, since: datetime = NOON - DAY, until: datetime = NOON + DAY) -> list[tuple[Any, ...]]:
    return [
        (row.name or row.day, row.times, row.members, row.pieces, row.points)
        for row in taken_between(since, until).sides[side]
    ]


def coupon(member: Member, plan: CouponPlan, yuan: int, at: datetime) -> None:
    redeem_coupon(member.pk, plan.pk, yuan, token=new_token(member.pk, plan.pk, yuan, yuan * 10, at=at), at=at)


class TestTaken:
    @pytest.fixture(autouse=True)
    def _taken(self, xiaolu: Member, dayong: Member, cup: Reward, take: Take, plan: CouponPlan) -> None:
        """小鹿 takes two cups today and one tomorrow, and a coupon of 10 yuan; 大勇 takes one cup today."""
        take(xiaolu, cup, 2)
        take(dayong, cup)
        take(xiaolu, cup, at=NOON + timedelta(hours=13))
        coupon(xiaolu, plan, 10, NOON)

    def test_every_side_adds_up_to_the_whole(self) -> None:
        taken = taken_between(NOON - DAY, NOON + DAY)
        assert taken.total is not None
        assert (taken.total.times, taken.total.members, taken.total.points) == (4, 2, 500)
        for side in ("day", "tier", "channel", "member"):
            assert sum(row.points for row in taken.sides[side]) == 500, side
        assert sum(row.points for side in ("reward", "plan") for row in taken.sides[side]) == 500

    def test_by_reward_plan_and_member(self) -> None:
        assert figures("reward") == [("Tea cup", 3, 2, 4, 400)]
        assert figures("plan") == [("Shop coupon", 1, 1, 1, 100)]
        assert figures("member") == [("林小鹿", 3, 1, 4, 400), ("王大勇", 1, 1, 1, 100)]

    def test_a_day_is_one_of_the_programme(self) -> None:
        assert [row[0].isoformat() for row in figures("day")] == ["2026-03-10", "2026-03-11"]
        assert [row.points for row in taken_between(NOON - DAY, NOON + timedelta(hours=12)).sides["day"]] == [400]

    def test_the_tier_is_that_of_the_moment(self, xiaolu: Member) -> None:
        TierFactory(rank=0, name="普通会员")
        gold = TierFactory(rank=1, name="高级会员")
        xiaolu.tier_grants.create(tier=gold, begins_at=NOON + timedelta(hours=1), granted_at=NOON)
        assert figures("tier") == [("普通会员", 3, 2, 4, 400), ("高级会员", 1, 1, 1, 100)]

    def test_the_channel_is_that_of_the_latest_order_before(self, xiaolu: Member, shop: Channel) -> None:
        OrderFactory(member=xiaolu, channel=shop, placed_at=NOON - DAY)
        OrderFactory(member=xiaolu, placed_at=NOON + 2 * DAY)
        assert figures("channel") == [("山间茶铺", 3, 1, 4, 400), (None, 1, 1, 1, 100)]

    def test_what_was_cancelled_is_out(self, xiaolu: Member, owner: User) -> None:
        first = Redemption.objects.earliest("pk")
        cancel(first.pk, 1, seen=0, actor_id=owner.pk, reason="Broken", at=NOON)
        assert figures("reward") == [("Tea cup", 3, 2, 3, 300)]
        cancel(first.pk, 1, seen=1, actor_id=owner.pk, reason="Broken", at=NOON)
        assert figures("reward") == [("Tea cup", 2, 2, 2, 200)]

    def test_it_says_what_is_left_and_what_the_points_cost(self, cup: Reward) -> None:
        taken = taken_between(NOON - DAY, NOON + DAY)
        assert taken.left == {cup.pk: 46}
        assert taken.total is not None
        assert taken.total.cost(taken.per_point) == Decimal("50.00")

    def test_it_costs_the_same_however_much_was_taken(
        self, xiaolu: Member, cup: Reward, take: Take, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        for _more in range(5):
            take(xiaolu, cup)
        # The figures, the names of rewards, plans and members (there is neither tier nor channel), the cost of a point,
        # what is left.
        with django_assert_num_queries(6):
            taken_between(NOON - DAY, NOON + DAY)

    def test_sales_are_those_of_the_thirty_days_after(self, xiaolu: Member, dayong: Member, shop: Channel) -> None:
        for member, days, paid in ((xiaolu, -10, 50), (xiaolu, 3, 100), (xiaolu, 29, 70), (xiaolu, 31, 900)):
            OrderFactory(member=member, channel=shop, paid=Decimal(paid), placed_at=NOON + days * DAY)
        OrderFactory(member=dayong, channel=shop, status="closed", placed_at=NOON + DAY)
        OrderFactory(member=xiaolu, paid=Decimal(500), channel__code="redemption-store", placed_at=NOON + DAY)

        sales = sales_of_redeemers(NOON - DAY, NOON + DAY, NOON + 20 * DAY).total

        assert (sales.members, sales.buyers, sales.orders, sales.complete) == (2, 1, 2, 0)
        assert (sales.before, sales.after) == (Decimal("50.00"), Decimal("170.00"))

    def test_each_reward_and_plan_has_the_sales_of_those_who_took_it(
        self, xiaolu: Member, dayong: Member, cup: Reward, plan: CouponPlan, shop: Channel
    ) -> None:
        for member, days, paid in ((xiaolu, -10, 50), (xiaolu, 3, 100), (dayong, 2, 30), (dayong, 31, 900)):
            OrderFactory(member=member, channel=shop, paid=Decimal(paid), placed_at=NOON + days * DAY)

        sales = sales_of_redeemers(NOON - DAY, NOON + DAY, NOON + 31 * DAY)

        # Both took the cup, 小鹿 also a coupon: her hundred yuan stand with either, and once in the whole.
        cups, coupons = sales.of("reward", cup.pk), sales.of("plan", plan.pk)
        assert (cups.members, cups.buyers, cups.before, cups.after) == (2, 2, Decimal(50), Decimal(130))
        assert (coupons.members, coupons.buyers, coupons.before, coupons.after) == (1, 1, Decimal(50), Decimal(100))
        assert (sales.total.members, sales.total.after) == (2, Decimal(130))
        assert cups.percent_half_up(Decimal("40.00")) == Decimal("30.8")
        assert sales.of("reward", 0).percent_half_up(Decimal("40.00")) is None

    def test_the_thirty_days_of_a_thing_begin_when_it_was_taken_first(
        self, xiaolu: Member, cup: Reward, take: Take, shop: Channel
    ) -> None:
        pot = RewardFactory(points=10)
        take(xiaolu, pot, at=NOON + 20 * DAY)
        OrderFactory(member=xiaolu, channel=shop, paid=Decimal(80), placed_at=NOON + 10 * DAY)

        sales = sales_of_redeemers(NOON - DAY, NOON + 21 * DAY, NOON + 60 * DAY)

        assert (sales.of("reward", cup.pk).after, sales.of("reward", pot.pk).after) == (Decimal(80), Decimal(0))
        assert sales.of("reward", pot.pk).before == Decimal(80)

    def test_the_file_of_rewards_has_the_sales(
        self, owner: User, client: Client, xiaolu: Member, shop: Channel
    ) -> None:
        OrderFactory(member=xiaolu, channel=shop, paid=Decimal(100), placed_at=NOON + DAY)
        answer: Any = client.get(reverse(EXPORT), {"side": "reward", "kind": "csv"})
        titles, row = csv.reader(io.StringIO(b"".join(answer.streaming_content).decode("utf-8-sig")))
        said = dict(zip(titles, row, strict=True))
        assert said["Sales in the 30 days after, in yuan"] == "100.00"
        assert said["Cost in percent of the sales after"] == "30.0"
        assert said["Members who bought after"] == "1"

    def test_the_page_shows_it_and_costs_a_fixed_number_of_queries(
        self, owner: User, client: Client, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        client.get(reverse(REPORT))
        # Session with its login, permissions (his own and his groups'), how many there are, six of the figures, one of
        # the sales.
        with django_assert_num_queries(11):
            page = client.get(reverse(REPORT))
        assert [table["side"] for table in page.context["tables"]] == list(SIDES)
        assert [name for name, _heading, _figures in page.context["charts"]] == ["days", "rewards", "sales"]
        assert "Tea cup" in page.content.decode()

    @pytest.mark.parametrize("side", SIDES)
    def test_each_side_is_downloaded_and_logged(self, side: str, owner: User, client: Client) -> None:
        answer: Any = client.get(reverse(EXPORT), {"side": side, "kind": "csv"})
        rows = list(csv.reader(io.StringIO(b"".join(answer.streaming_content).decode("utf-8-sig"))))
        assert len(rows) > 1
        assert StaffAction.objects.get(action="redemptions.report").details["side"] == side
        workbook: Any = client.get(reverse(EXPORT), {"side": side, "kind": "xlsx"})
        assert b"".join(workbook.streaming_content).startswith(b"PK")
        assert workbook["Content-Disposition"].endswith('.xlsx"')


class TestPages:
    def test_an_empty_period_says_so(self, owner: User, client: Client) -> None:
        page = client.get(reverse(REPORT), {"since": "2020-01-01", "through": "2020-01-31"})
        assert "Nobody took anything" in page.content.decode()

    @pytest.mark.parametrize(
        "period",
        [{"since": "2026-02-01", "through": "2026-01-01"}, {"since": "2020-01-01", "through": "2026-01-01"},
         {"since": "x", "through": ""}],
    )  # fmt: skip
    def test_a_period_that_cannot_be_is_refused(self, period: dict[str, str], owner: User, client: Client) -> None:
        assert client.get(reverse(REPORT), period).context["form"].errors
        assert client.get(reverse(EXPORT), period | {"side": "day"}).status_code == 404

    def test_they_need_permissions(self, client: Client, grant: Grant) -> None:
        client.force_login(grant("redemption.view_reward"))
        for name in (REPORT, EXPORT, LIVE):
            assert client.get(reverse(name)).status_code == 403, name
        client.force_login(grant("redemption.view_redemption"))
        assert client.get(reverse(EXPORT), {"side": "day"}).status_code == 403
        assert not client.get(reverse(REPORT)).context["may_export"]


class TestLive:
    def test_only_what_is_in_its_window_runs(
        self, xiaolu: Member, cup: Reward, take: Take, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        flash = RewardFactory(name="Flash", points=50, stock=10, starts_at=NOON - DAY, ends_at=NOON + DAY)
        RewardFactory(starts_at=NOON + DAY)
        RewardFactory(ends_at=NOON - DAY)
        take(xiaolu, cup)
        taken = redemption_of(take(xiaolu, flash, 3))
        with django_assert_num_queries(2):
            found = live(NOON + timedelta(minutes=6))
        [row] = found.rewards
        assert (row.name, row.left, row.pieces, row.members, row.points) == ("Flash", 7, 3, 1, 150)
        assert (row.in_five_minutes, row.in_an_hour, row.share) == (0, 3, 30)
        assert found.latest == [taken]

    def test_the_page_asks_for_its_moving_part_again(self, owner: User, client: Client, cup: Reward) -> None:
        whole = client.get(reverse(LIVE)).content.decode()
        part = client.get(reverse(LIVE), headers={"HX-Request": "true"}).content.decode()
        assert f'hx-get="{reverse(LIVE)}"' in whole
        assert "<html" in whole
        assert "<html" not in part
        assert 'id="live"' in part


def test_a_row_rounds_its_cost_to_the_fen() -> None:
    row = Row("day", None, None, 1, 1, 1, 333, Decimal(0), 0)
    assert row.cost(Decimal("0.015")) == Decimal("5.00")
