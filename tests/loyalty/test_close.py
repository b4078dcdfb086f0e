"""Days are closed: what was there, what came and went, what is left, and what it will cost."""

from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, timedelta
from decimal import Decimal
from threading import Event
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.models import Sum

from crm.models import Member
from loyalty.close import close_due_days
from loyalty.journal import expire_due
from loyalty.liability import Cohorts, cost_on, expected_breakage, full_cohorts, liability, publish_cost
from loyalty.models import DayClose, Entry, EntrySeal, LiabilityRate
from loyalty.movements import adjust, burn, capture, hold, open_balance, release, undo
from tests.loyalty.postings import earned, returned, ripe, waiting, write
from tests.loyalty.tampering import CHECK_VIOLATION, refusal_of, tamper

DAY = timedelta(days=1)
FIRST = date(2026, 3, 10)


def figures(day: date, *names: str) -> tuple[Any, ...]:
    """Figures of a closed day."""
    row: tuple[Any, ...] = DayClose.objects.values_list(*names).get(day=day)
    return row


def one_day(member: Member, points: int, at: datetime) -> None:
    """A day on which one member earned."""
    write(earned(member, points, key=f"order:{at:%Y%m%d%H%M}", at=at), at=at)


@pytest.fixture
def story(xiaolu: Member, dayong: Member, at: datetime, books_add_up: None) -> datetime:
    """Two days of 林小鹿 and 王大勇 in which every kind of entry occurs. Returns noon of the third day."""
    write(
        earned(xiaolu, 500, key="order:1", at=at, expires_at=at + 400 * DAY),
        waiting(xiaolu, 80, key="order:2", at=at),
        waiting(xiaolu, 20, key="order:3", at=at),
        at=at,
    )
    open_balance(dayong.pk, 300, key="old:1", at=at, expires_at=at + DAY / 2, reason="Carried over", actor_id=None)
    burn(xiaolu.pk, 120, key="coupon:1", at=at)

    later = at + DAY
    write(ripe(xiaolu, "order:2", at=later), at=later)
    write(returned(xiaolu, 20, key="back:3", about_key="order:3", at=later), at=later)
    hold(xiaolu.pk, 60, key="hold:1", at=later, deadline=None)
    capture(xiaolu.pk, "hold:1", key="capture:1", at=later, points=25)
    release(xiaolu.pk, "hold:1", key="release:1", at=later, revive_until=None, points=15)
    undo(xiaolu.pk, "coupon:1", key="undo:1", at=later, revive_until=None, points=40)
    adjust(xiaolu.pk, 7, key="adjust:1", at=later, reason="An apology", actor_id=None)
    adjust(xiaolu.pk, -2, key="adjust:2", at=later, reason="Too much", actor_id=None)
    write(returned(xiaolu, 90, key="back:1", about_key="order:1", at=later), at=later)
    expire_due(later)
    return later + DAY


@pytest.mark.django_db
class TestEquation:
    def test_the_first_day_begins_with_nothing(self, story: datetime) -> None:
        assert close_due_days(story) == 2

        assert figures(FIRST, "opening", "accrued", "carried_over", "burned", "closing") == (0, 500, 300, 120, 680)
        assert figures(FIRST, "pending_opening", "pending_accrued", "pending_closing") == (0, 100, 100)
        assert figures(FIRST, "entries", "late_entries", "debt") == (5, 0, 0)

    def test_the_next_day_begins_where_it_ended_and_knows_every_kind_of_entry(self, story: datetime) -> None:
        close_due_days(story)
        second = FIRST + DAY

        # 680 + 80 - 300 + (7 - 2) - 90 + 40 - 60 + 15 = 370
        assert figures(second, "opening", "matured", "expired", "adjusted", "reversed", "undone") == (
            680, 80, 300, 5, 90, 40,
        )  # fmt: skip
        assert figures(second, "set_aside", "released", "closing") == (60, 15, 370)
        # 100 - 80 - 20 = 0
        assert figures(second, "pending_opening", "pending_reversed", "pending_closing") == (100, 20, 0)
        # 0 + 60 - 25 - 15 = 20
        assert figures(second, "held_opening", "captured", "held_closing") == (0, 25, 20)
        assert figures(second, "entries") == (10,)

    def test_outstanding_points_cost_a_tenth_of_a_yuan_each_while_the_shop_says_nothing_else(
        self, story: datetime
    ) -> None:
        close_due_days(story)

        assert figures(FIRST + DAY, "rate_version", "cost_per_point", "breakage", "liability") == (
            0, Decimal("0.10"), 0, Decimal("37.00"),
        )  # fmt: skip

    def test_what_a_member_owes_is_in_the_closing_figure_and_named_beside_it(
        self, xiaolu: Member, dayong: Member, at: datetime
    ) -> None:
        write(earned(xiaolu, 100, key="a", at=at), earned(dayong, 50, key="b", at=at), at=at)
        burn(xiaolu.pk, 100, key="c", at=at)
        write(returned(xiaolu, 100, key="d", about_key="a", at=at), at=at)
        one_day(xiaolu, 30, at + DAY)

        close_due_days(at + 2 * DAY)

        assert figures(FIRST, "closing", "debt") == (-50, 100)
        assert figures(FIRST + DAY, "closing", "debt") == (-20, 70)
        assert figures(FIRST, "liability") == (Decimal("0.00"),)

    def test_a_figure_that_does_not_add_up_is_refused_by_the_database(self, story: datetime) -> None:
        """The guard is the constraint ``loyalty_dayclose_adds_up``."""
        close_due_days(story)

        with pytest.raises(IntegrityError) as refused:
            tamper(DayClose, "UPDATE loyalty_dayclose SET burned = burned + 1")

        assert refusal_of(refused.value) == CHECK_VIOLATION


@pytest.mark.django_db
class TestCalendar:
    def test_a_day_is_closed_when_it_has_ended_in_the_programme_s_time_zone(self, xiaolu: Member, at: datetime) -> None:
        one_day(xiaolu, 10, at)
        midnight = at + DAY / 2

        assert close_due_days(midnight - timedelta(seconds=1)) == 0
        assert close_due_days(midnight) == 1

    def test_the_last_moment_belongs_to_the_day_and_midnight_to_the_next(self, xiaolu: Member, at: datetime) -> None:
        midnight = at + DAY / 2
        one_day(xiaolu, 10, midnight - timedelta(seconds=1))
        one_day(xiaolu, 5, midnight)

        close_due_days(at + 2 * DAY)

        assert figures(FIRST, "accrued", "closing") == (10, 10)
        assert figures(FIRST + DAY, "accrued", "closing") == (5, 15)

    def test_before_the_first_entry_there_is_nothing_to_close(self, db: None, at: datetime) -> None:
        assert close_due_days(at) == 0

    def test_a_run_that_comes_days_late_closes_each_day_also_those_without_entries(
        self, xiaolu: Member, at: datetime
    ) -> None:
        one_day(xiaolu, 10, at)
        one_day(xiaolu, 5, at + 3 * DAY)

        assert close_due_days(at + 5 * DAY) == 5

        closes = DayClose.objects.order_by("number").values_list("day", "entries", "closing")
        assert [(day - FIRST, entries, closing) for day, entries, closing in closes] == [
            (0 * DAY, 1, 10), (1 * DAY, 0, 10), (2 * DAY, 0, 10), (3 * DAY, 1, 15), (4 * DAY, 0, 15),
        ]  # fmt: skip

    def test_a_second_run_closes_nothing_and_changes_nothing(self, story: datetime) -> None:
        close_due_days(story)
        before = list(DayClose.objects.values_list())

        assert close_due_days(story) == 0
        assert list(DayClose.objects.values_list()) == before

    def test_an_entry_that_turns_up_for_a_closed_day_goes_into_the_next_one_as_late(
        self, xiaolu: Member, at: datetime
    ) -> None:
        one_day(xiaolu, 10, at)
        close_due_days(at + DAY)
        one_day(xiaolu, 7, at + timedelta(hours=1))
        one_day(xiaolu, 5, at + DAY)

        close_due_days(at + 2 * DAY)

        assert figures(FIRST + DAY, "entries", "late_entries", "accrued", "closing") == (2, 1, 12, 22)
        assert EntrySeal.objects.count() == Entry.objects.count()


@pytest.mark.django_db(transaction=True)
class TestConcurrency:
    def test_what_a_long_transaction_commits_after_the_close_is_late_and_not_lost(
        self, xiaolu: Member, dayong: Member, at: datetime
    ) -> None:
        """His entry has a lower id than hers, and is not there yet when hers is sealed. The guard is ``settled`` in
        ``loyalty_seal_day``: without it the next day would begin its search after her entry."""
        wrote, closed = Event(), Event()

        def slowly() -> None:
            try:
                with transaction.atomic():
                    one_day(dayong, 7, at)
                    wrote.set()
                    assert closed.wait(30)
            finally:
                connection.close()

        with ThreadPoolExecutor(1) as pool:
            slow = pool.submit(slowly)
            assert wrote.wait(30)
            one_day(xiaolu, 10, at + timedelta(minutes=1))
            assert close_due_days(at + DAY) == 1
            closed.set()
            slow.result(30)
        close_due_days(at + 2 * DAY)
        close_due_days(at + 3 * DAY)

        assert figures(FIRST, "entries", "closing") == (1, 10)
        assert figures(FIRST + DAY, "entries", "late_entries", "closing") == (1, 1, 17)
        assert figures(FIRST + 2 * DAY, "entries", "closing") == (0, 17)
        assert Entry.objects.aggregate(points=Sum("points"))["points"] == 17

    def test_days_that_are_done_are_not_searched_again(self, xiaolu: Member, at: datetime) -> None:
        one_day(xiaolu, 10, at)
        one_day(xiaolu, 5, at + DAY)

        close_due_days(at + 5 * DAY)

        seen = Entry.objects.latest("pk").pk
        assert list(DayClose.objects.order_by("number").values_list("sealed_from", "sealed_to")) == [
            (0, 0), (0, 0), (0, seen), (seen, seen), (seen, seen),
        ]  # fmt: skip

    def test_two_workers_at_once_close_each_day_once(self, xiaolu: Member, at: datetime) -> None:
        """The guard is the advisory lock: without it both would take the same number, and one would fail."""
        for number in range(6):
            one_day(xiaolu, 10, at + number * DAY)

        def work(_: int) -> int:
            try:
                return close_due_days(at + 6 * DAY)
            finally:
                connection.close()

        with ThreadPoolExecutor(2) as pool:
            closed = list(pool.map(work, range(2)))

        assert sum(closed) == 6
        assert list(DayClose.objects.order_by("day").values_list("number", "closing")) == [
            (number, 10 * number) for number in range(1, 7)
        ]


class TestLiability:
    def test_breakage_is_the_share_that_lapsed_cut_off_after_four_places(self) -> None:
        # 60 / 260 = 0.230769…
        assert expected_breakage(Cohorts(accrued=260, expired=60)) == Decimal("0.2307")

    def test_without_history_nothing_is_expected_to_lapse(self) -> None:
        assert expected_breakage(Cohorts(accrued=0, expired=0)) == Decimal("0.0000")

    @pytest.mark.parametrize(
        ("closing", "cost", "breakage", "yuan"),
        [
            (12_345, "0.10", "0", "1234.50"),
            (12_345, "0.10", "0.2307", "949.70"),  # 1234.50 × 0.7693 = 949.70085
            (1, "0.015", "0", "0.02"),  # Half a fen goes up.
            (0, "0.10", "0.5", "0.00"),
            (-500, "0.10", "0", "0.00"),  # What members owe is no asset.
        ],
    )
    def test_it_is_points_by_cost_by_what_will_be_used(self, closing: int, cost: str, breakage: str, yuan: str) -> None:
        assert liability(closing, Decimal(cost), Decimal(breakage)) == Decimal(yuan)

    def test_a_cohort_counts_when_the_validity_of_all_its_points_has_ended(
        self, xiaolu: Member, dayong: Member, at: datetime, books_add_up: None
    ) -> None:
        """March: she earns 200 and spends 140, he earns 100 of which 40 are taken back and 60 he spends; hers lapse.
        April: points that are valid for longer than the story lasts."""
        write(
            earned(xiaolu, 200, key="hers", at=at, expires_at=at + 10 * DAY),
            earned(dayong, 100, key="his", at=at, expires_at=at + 15 * DAY),
            at=at,
        )
        burn(xiaolu.pk, 140, key="coupon", at=at)
        write(returned(dayong, 40, key="back", about_key="his", at=at), at=at)
        burn(dayong.pk, 60, key="tea", at=at)
        april = at + 30 * DAY
        write(earned(dayong, 1000, key="april", at=april, expires_at=april + 90 * DAY), at=april)
        expire_due(at + 12 * DAY)

        assert full_cohorts(at + 12 * DAY) == Cohorts(accrued=0, expired=0)
        assert full_cohorts(at + 40 * DAY) == Cohorts(accrued=260, expired=60)

    def test_the_share_is_worked_out_on_the_first_of_a_month_and_holds_for_the_month(
        self, xiaolu: Member, at: datetime
    ) -> None:
        write(earned(xiaolu, 100, key="march", at=at, expires_at=at + 10 * DAY), at=at)
        burn(xiaolu.pk, 75, key="coupon", at=at)
        expire_due(at + 12 * DAY)
        write(earned(xiaolu, 40, key="more", at=at + 25 * DAY, expires_at=at + 400 * DAY), at=at + 25 * DAY)

        close_due_days(at + 40 * DAY)

        assert figures(date(2026, 3, 31), "breakage") == (Decimal("0.0000"),)
        assert figures(date(2026, 4, 1), "breakage") == (Decimal("0.2500"),)
        # 40 × 0.10 × 0.75
        assert figures(date(2026, 4, 4), "breakage", "closing", "liability") == (Decimal("0.2500"), 40, Decimal("3.00"))

    def test_a_published_cost_counts_from_its_day_on_and_closed_days_keep_theirs(
        self, xiaolu: Member, at: datetime
    ) -> None:
        one_day(xiaolu, 1000, at)
        close_due_days(at + DAY)
        publish_cost(Decimal("0.02"), effective_from=at + DAY, at=at + DAY, actor_id=None, reason="100 points = 2 yuan")

        close_due_days(at + 2 * DAY)

        assert figures(FIRST, "rate_version", "liability") == (0, Decimal("100.00"))
        assert figures(FIRST + DAY, "rate_version", "liability") == (1, Decimal("20.00"))
        assert cost_on(at).version == 0

    @pytest.mark.parametrize(("cost", "reason"), [("-0.01", "Why not"), ("0.10", "  ")])
    def test_a_cost_needs_a_figure_and_a_reason(self, db: None, at: datetime, cost: str, reason: str) -> None:
        with pytest.raises(ValueError, match="needs a figure"):
            publish_cost(Decimal(cost), effective_from=at, at=at, actor_id=None, reason=reason)
        assert not LiabilityRate.objects.exists()
