"""What the pages read of an account, in how many queries."""

from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from pytest_django import DjangoAssertNumQueries

from crm.models import Channel, Member
from loyalty.api import AccountSummary, burn, history, summary
from loyalty.choices import EntryKind
from loyalty.posting import accrual
from tests.factories import OrderFactory
from tests.loyalty.postings import earned, returned, ripe, waiting, write

DAY = timedelta(days=1)


class TestSummary:
    def test_a_member_who_never_had_points_has_zeros(
        self, xiaolu: Member, at: datetime, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        with django_assert_num_queries(1):
            assert summary(xiaolu.pk, at) == AccountSummary()

    def test_balance_pending_and_what_expires_next_in_one_query(
        self, xiaolu: Member, dayong: Member, at: datetime, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        write(
            earned(xiaolu, 100, key="never", at=at),
            earned(xiaolu, 20, key="soon 1", at=at, expires_at=at + DAY),
            earned(xiaolu, 30, key="soon 2", at=at, expires_at=at + DAY),
            earned(xiaolu, 40, key="later", at=at, expires_at=at + 2 * DAY),
            waiting(xiaolu, 7, key="waiting", at=at),
            earned(dayong, 1000, key="his", at=at),
            at=at,
        )
        burn(xiaolu.pk, 5, key="coupon", at=at)

        with django_assert_num_queries(1):
            seen = summary(xiaolu.pk, at)

        assert (seen.balance, seen.spendable, seen.pending, seen.held, seen.debt) == (185, 185, 7, 0, 0)
        assert (seen.expiring_points, seen.expiring_at) == (45, at + DAY)

    def test_lapsed_lots_are_in_the_balance_until_the_night_but_not_spendable(
        self, xiaolu: Member, at: datetime
    ) -> None:
        write(earned(xiaolu, 20, key="a", at=at, expires_at=at + DAY), earned(xiaolu, 5, key="b", at=at), at=at)

        last_moment, lapsed = summary(xiaolu.pk, at + DAY - timedelta(microseconds=1)), summary(xiaolu.pk, at + DAY)

        assert (last_moment.spendable, last_moment.expiring_points) == (25, 20)
        assert (lapsed.balance, lapsed.spendable) == (25, 5)
        assert (lapsed.expiring_points, lapsed.expiring_at) == (0, None)

    def test_what_can_be_spent_is_what_a_burn_accepts(self, xiaolu: Member, at: datetime) -> None:
        write(earned(xiaolu, 20, key="a", at=at, expires_at=at + DAY), earned(xiaolu, 5, key="b", at=at), at=at)

        burn(xiaolu.pk, summary(xiaolu.pk, at + DAY).spendable, key="all", at=at + DAY)

        assert summary(xiaolu.pk, at + DAY).spendable == 0

    def test_a_debt_is_shown_as_a_positive_figure(self, xiaolu: Member, at: datetime) -> None:
        write(waiting(xiaolu, 30, key="later", at=at), returned(xiaolu, 12, key="return", at=at), at=at)

        seen = summary(xiaolu.pk, at)

        assert (seen.balance, seen.debt, seen.spendable, seen.pending) == (-12, 12, 0, 30)


class TestHistory:
    def test_a_line_knows_its_order_its_channel_and_its_lot_in_one_query(
        self, shop: Channel, xiaolu: Member, at: datetime, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        order = OrderFactory(channel=shop, member=xiaolu, external_no="35153131", title="Spring tea", paid=Decimal(9))
        write(
            accrual(
                xiaolu.pk, 9, key="order", effective_at=at, available_at=at, expires_at=at + DAY, order_id=order.pk,
                reference="tea", trace={"paid": "9.00"},
            ),
            at=at + DAY / 2,
        )  # fmt: skip
        burn(xiaolu.pk, 4, key="coupon", at=at, reason="A coupon", reference="C1")

        with django_assert_num_queries(1):
            burnt, line = history(xiaolu.pk)

        assert (line.kind, line.points, line.pending, line.balance_after) == (EntryKind.ACCRUAL, 9, 0, 9)
        assert (line.order_no, line.order_title, line.channel_name) == ("35153131", "Spring tea", "山间茶铺")
        assert (line.effective_at, line.recorded_at) == (at, at + DAY / 2)
        assert (line.expires_at, line.remaining, line.reference) == (at + DAY, 5, "tea")
        assert line.trace == {"paid": "9.00"}
        assert (burnt.kind, burnt.points, burnt.reason, burnt.reference) == (EntryKind.BURN, -4, "A coupon", "C1")
        assert (burnt.order_no, burnt.expires_at, burnt.remaining) == ("", None, None)

    def test_a_maturation_speaks_of_the_lot_of_its_accrual(self, xiaolu: Member, at: datetime) -> None:
        write(waiting(xiaolu, 9, key="order", at=at), ripe(xiaolu, "order", at=at, expires_at=at + DAY), at=at)
        burn(xiaolu.pk, 4, key="coupon", at=at)

        line = history(xiaolu.pk)[1]

        assert (line.kind, line.points, line.pending) == (EntryKind.MATURATION, 9, -9)
        assert (line.expires_at, line.remaining) == (at + DAY, 5)

    def test_pages_follow_each_other_without_gap_or_overlap_even_while_points_come_in(
        self, xiaolu: Member, dayong: Member, at: datetime, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        for number in range(7):
            write(earned(xiaolu, 1, key=f"hers {number}", at=at), earned(dayong, 1, key=f"his {number}", at=at), at=at)
        everything = [line.entry_id for line in history(xiaolu.pk)]

        first = history(xiaolu.pk, limit=3)
        write(earned(xiaolu, 1, key="late", at=at), at=at)
        with django_assert_num_queries(1):
            second = history(xiaolu.pk, before_id=first[-1].entry_id, limit=3)
        third = history(xiaolu.pk, before_id=second[-1].entry_id, limit=3)

        assert [line.entry_id for line in first + second + third] == everything
        assert history(xiaolu.pk, before_id=third[-1].entry_id) == []

    def test_a_statement_is_in_the_order_of_recording_so_its_balances_run_on(
        self, xiaolu: Member, at: datetime
    ) -> None:
        write(earned(xiaolu, 5, key="new", at=at), at=at)
        write(earned(xiaolu, 7, key="late news of last month", at=at - 30 * DAY), at=at)

        assert [(line.points, line.balance_after) for line in history(xiaolu.pk)] == [(7, 12), (5, 5)]


@pytest.mark.parametrize("member_id", [0, 10**12])
def test_nobody_has_no_history(db: None, member_id: int) -> None:
    assert history(member_id) == []
