"""What becomes due with time alone. The night may come late, twice, or stop half-way: the books end alike."""

import io
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
import time_machine
from celery.schedules import crontab
from django.conf import settings as project
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.utils import translation

from crm.choices import OrderStatus
from crm.feeds.records import BuyerRecord, OrderRecord
from crm.models import Channel, Member
from crm.orders import record
from loyalty import tasks
from loyalty.explain import explain, headline
from loyalty.journal import post
from loyalty.models import Account, Entry, Hold, Lot
from loyalty.movements import burn, capture, hold
from loyalty.night_steps import NightChunk, NightStep, on_night
from loyalty.nightly import Step, run_nightly
from loyalty.policies import publish_policy
from loyalty.posting import InsufficientPoints, Posting, undoing
from loyalty.statement import history
from loyalty.validity import BUILT_IN, valid_until
from tests.cast import NOON, SHANGHAI
from tests.factories import MemberFactory
from tests.loyalty.postings import balance, earned, left, pending, returned, ripe, spent, waiting, write

pytestmark = pytest.mark.usefixtures("books_add_up")

XIAOLU = BuyerRecord("小鹿爱喝茶", "林小鹿")
THIRTY_DAYS = timedelta(days=30)
RIPE = NOON + THIRTY_DAYS
PAID = OrderRecord(
    "1", 2, status=OrderStatus.PAID, buyer=XIAOLU, paid=Decimal("100.80"), placed_at=NOON - timedelta(days=1),
    paid_at=NOON - timedelta(days=1),
)  # fmt: skip
SHIPPED = replace(PAID, status=OrderStatus.SHIPPED, shipped_at=NOON)


def completed(at: datetime) -> OrderRecord:
    return replace(SHIPPED, status=OrderStatus.COMPLETED, completed_at=at)


def night(at: datetime) -> dict[str, Step]:
    """The night's work at an instant, by step."""
    return {step.step: step for step in run_nightly(at, at=at)}


class TestOrdersNobodyConfirms:
    def test_thirty_days_after_shipping_the_points_are_available(
        self, shop: Channel, xiaolu: Member, at: datetime
    ) -> None:
        record(shop, [SHIPPED], at=at)

        assert night(RIPE - timedelta(microseconds=1))["mature"].lots == 0
        step = night(RIPE)["mature"]

        assert (step.accounts, step.lots, step.points) == (1, 1, 100)
        assert (balance(xiaolu), pending(xiaolu)) == (100, 0)
        lot = Lot.objects.get()
        assert (lot.available_at, lot.expires_at) == (RIPE, valid_until(BUILT_IN, RIPE))

    def test_an_order_that_was_known_before_it_was_shipped_too(
        self, shop: Channel, xiaolu: Member, at: datetime
    ) -> None:
        record(shop, [PAID], at=at)
        assert night(RIPE)["mature"].lots == 0

        record(shop, [SHIPPED], at=RIPE)

        assert night(RIPE)["mature"].points == 100

    def test_one_that_is_not_known_to_be_shipped_waits(self, shop: Channel, xiaolu: Member, at: datetime) -> None:
        record(shop, [PAID], at=at)

        assert night(NOON + timedelta(days=300))["mature"].lots == 0

    def test_the_number_of_days_is_the_policy_s(self, shop: Channel, xiaolu: Member, at: datetime) -> None:
        week = replace(BUILT_IN, success_after_days=7)
        publish_policy(week, effective_from=at - THIRTY_DAYS, at=at, actor_id=None, reason="Soon")
        record(shop, [SHIPPED], at=at)

        assert night(NOON + timedelta(days=7))["mature"].lots == 1

    def test_or_the_buyer_has_to_confirm(self, shop: Channel, xiaolu: Member, at: datetime) -> None:
        only_confirmed = replace(BUILT_IN, success_after_days=None)
        publish_policy(only_confirmed, effective_from=at - THIRTY_DAYS, at=at, actor_id=None, reason="No")
        record(shop, [SHIPPED], at=at)

        assert night(NOON + timedelta(days=300))["mature"].lots == 0

    def test_when_the_confirmation_comes_later_nothing_more_happens(
        self, shop: Channel, xiaolu: Member, at: datetime
    ) -> None:
        record(shop, [SHIPPED], at=at)
        night(RIPE)
        entries = Entry.objects.count()

        record(shop, [completed(RIPE + timedelta(days=5))], at=RIPE + timedelta(days=6))

        assert (balance(xiaolu), Entry.objects.count()) == (100, entries)

    def test_a_late_import_of_the_confirmation_ends_alike(self, shop: Channel, xiaolu: Member, at: datetime) -> None:
        """The order was confirmed after forty days; without any night the points still count from the thirtieth."""
        late = RIPE + timedelta(days=10)

        record(shop, [completed(late)], at=late)

        lot = Lot.objects.get()
        assert (lot.available_at, lot.expires_at) == (RIPE, valid_until(BUILT_IN, RIPE))

    def test_an_early_confirmation_counts_from_its_day_and_the_night_finds_nothing(
        self, shop: Channel, xiaolu: Member, at: datetime
    ) -> None:
        record(shop, [SHIPPED], at=at)
        confirmed = NOON + timedelta(days=9)
        record(shop, [completed(confirmed)], at=confirmed)

        assert night(RIPE)["mature"].lots == 0
        assert Lot.objects.get().available_at == confirmed

    def test_an_import_that_saw_the_order_before_the_night_came_repeats_it(
        self, shop: Channel, xiaolu: Member, at: datetime
    ) -> None:
        """Both would write the same entry: whoever comes second learns that it was written."""
        record(shop, [SHIPPED], at=at)
        night(RIPE)
        key = "order:tea:1:accrual"

        [outcome] = write(ripe(xiaolu, key, at=RIPE), at=RIPE)

        assert (outcome.repeated, outcome.points) == (True, 100)

    def test_an_order_closed_after_that_is_taken_back(self, shop: Channel, xiaolu: Member, at: datetime) -> None:
        record(shop, [SHIPPED], at=at)
        night(RIPE)

        record(shop, [replace(SHIPPED, status=OrderStatus.CLOSED, closed_at=RIPE)], at=RIPE)

        assert (balance(xiaolu), pending(xiaolu)) == (0, 0)

    def test_an_order_closed_before_that_gives_nothing(self, shop: Channel, xiaolu: Member, at: datetime) -> None:
        record(shop, [SHIPPED], at=at)
        record(shop, [replace(SHIPPED, status=OrderStatus.CLOSED, closed_at=at)], at=at)

        assert night(RIPE)["mature"].lots == 0

    def test_what_was_returned_meanwhile_does_not_come(self, shop: Channel, xiaolu: Member, at: datetime) -> None:
        record(shop, [SHIPPED], at=at)
        record(shop, [replace(SHIPPED, refunded=Decimal(40))], at=at)

        assert night(RIPE)["mature"].points == 61

    def test_a_debt_is_settled_first(self, shop: Channel, xiaolu: Member, at: datetime) -> None:
        write(earned(xiaolu, 70, key="in", at=at), at=at)
        write(spent(xiaolu, 70, key="out", at=at), returned(xiaolu, 70, key="back", about_key="in", at=at), at=at)
        record(shop, [SHIPPED, replace(SHIPPED, external_no="2", paid=Decimal(50))], at=at)

        night(RIPE)

        assert balance(xiaolu) == 80
        assert left(xiaolu) == {"in": 0, "order:tea:1:accrual": 30, "order:tea:2:accrual": 50}

    def test_the_statement_says_why(self, shop: Channel, xiaolu: Member, at: datetime) -> None:
        record(shop, [SHIPPED], at=at)
        night(RIPE)
        line = history(xiaolu.pk, limit=1)[0]

        with translation.override("en"):
            assert headline(line) == "Order 1 shipped long ago, pending points available"
            assert "The time for confirming the receipt has passed" in explain(line)[0]
            assert explain(line)[1] == "Valid through April 9, 2027."


class TestHolds:
    DEADLINE = NOON + timedelta(hours=1)

    @pytest.fixture(autouse=True)
    def held(self, xiaolu: Member, at: datetime) -> None:
        write(earned(xiaolu, 100, key="in", at=at, expires_at=NOON + timedelta(days=2)), at=at)
        hold(xiaolu.pk, 80, key="hold", at=at, deadline=self.DEADLINE)

    def test_at_its_deadline_a_hold_gives_its_points_back(self, xiaolu: Member) -> None:
        assert night(self.DEADLINE - timedelta(microseconds=1))["lapse"].lots == 0
        step = night(self.DEADLINE)["lapse"]

        assert (step.accounts, step.lots, step.points) == (1, 1, 80)
        account = Account.objects.get()
        assert (account.balance, account.held) == (100, 0)
        assert Entry.objects.get(key="hold:lapse").effective_at == self.DEADLINE

    def test_what_was_spent_of_it_stays_spent(self, xiaolu: Member, at: datetime) -> None:
        capture(xiaolu.pk, "hold", key="capture", points=30, at=at)

        assert night(self.DEADLINE)["lapse"].points == 50

    def test_a_hold_without_deadline_waits(self, xiaolu: Member, at: datetime) -> None:
        hold(xiaolu.pk, 20, key="for ever", at=at, deadline=None)

        night(self.DEADLINE)

        assert Hold.objects.get(open=True).entry.key == "for ever"

    def test_points_that_come_back_late_have_lapsed_as_they_would_have_in_time(
        self, xiaolu: Member, at: datetime
    ) -> None:
        """The night is ten days late. Grace is for points that come back to a lot which had lapsed by the deadline."""
        publish_policy(replace(BUILT_IN, grace_days=30), effective_from=at, at=at, actor_id=None, reason="Grace")

        steps = night(NOON + timedelta(days=10))

        assert (steps["lapse"].points, steps["expire"].points) == (80, 100)
        assert balance(xiaolu) == 0

    def test_points_that_come_back_to_a_lapsed_lot_have_grace(self, xiaolu: Member, at: datetime) -> None:
        publish_policy(replace(BUILT_IN, grace_days=5), effective_from=at, at=at, actor_id=None, reason="Grace")
        hold(xiaolu.pk, 20, key="long", at=at, deadline=NOON + timedelta(days=3))

        night(NOON + timedelta(days=4))

        assert balance(xiaolu) == 20  # The other eighty had come back in time, and lapsed with their lot.
        assert night(NOON + timedelta(days=9))["expire"].points == 20


class TestTheNight:
    @pytest.fixture
    def members(self, xiaolu: Member, dayong: Member, at: datetime) -> list[Member]:
        """Five members, each with points that become available, points that lapse and points that stay."""
        members = [xiaolu, dayong, *MemberFactory.create_batch(3)]
        for member in members:
            write(*self.postings(member, at), at=at)
            hold(member.pk, 10, key=f"{member.pk}:hold", at=at, deadline=at + timedelta(hours=1))
        return members

    @staticmethod
    def postings(member: Member, at: datetime) -> list[Posting]:
        stem = str(member.pk)
        return [
            earned(member, 50, key=f"{stem}:lapses", at=at, expires_at=at + timedelta(days=3)),
            earned(member, 100, key=f"{stem}:stays", at=at, expires_at=at + timedelta(days=300)),
            replace(waiting(member, 30, key=f"{stem}:waits", at=at), available_at=at + timedelta(days=1)),
        ]

    def state(self) -> list[tuple]:
        entries = Entry.objects.order_by("key").values_list("key", "points", "pending", "held", "effective_at")
        lots = Lot.objects.order_by("id").values_list("remaining", "pending", "expires_at")
        return [*entries, *lots]

    DUE = NOON + timedelta(days=4)

    def test_it_does_all_there_is_to_do(self, members: list[Member]) -> None:
        steps = night(self.DUE)

        figures = {name: (step.accounts, step.lots, step.points) for name, step in steps.items() if name != "close"}
        assert figures == {
            "mature": (5, 5, 150),
            "lapse": (5, 5, 50),
            "erased": (0, 0, 0),
            "coupons": (0, 0, 0),
            "policy": (0, 0, 0),
            "expire": (5, 5, 250),
            "birthdays": (0, 0, 0),
            "referrals": (0, 0, 0),
            "tiers": (0, 0, 0),
            "tier_mails": (0, 0, 0),
            "uploads": (0, 0, 0),
        }
        assert steps["close"].lots > 0
        assert {balance(member) for member in members} == {130}

    def test_twice_is_once(self, members: list[Member]) -> None:
        night(self.DUE)
        once = self.state()

        steps = night(self.DUE)

        assert self.state() == once
        assert {(step.lots, step.points) for step in steps.values()} == {(0, 0)}

    def test_four_nights_in_one_are_four_nights(self, members: list[Member], at: datetime) -> None:
        publish_policy(replace(BUILT_IN, grace_days=20), effective_from=at, at=at, actor_id=None, reason="Grace")
        for member in members:
            hold(member.pk, 5, key=f"{member.pk}:long", at=at, deadline=at + timedelta(days=3, hours=2))
        in_one = self.after(self.DUE)
        in_time = self.after(*(at + timedelta(days=days) for days in range(1, 5)))

        assert in_one == in_time

    def after(self, *nights: datetime) -> list[tuple]:
        """The state after some nights; everything is undone then."""
        with transaction.atomic():
            for at in nights:
                night(at)
            state = self.state()
            transaction.set_rollback(True)
        return state

    @pytest.mark.parametrize("chunks", range(1, 13))
    def test_stopped_after_any_chunk_it_is_taken_up_again(self, members: list[Member], chunks: int) -> None:
        whole = self.after(self.DUE)
        seen = 0

        def pull_the_plug(step: Step) -> None:
            nonlocal seen
            seen += 1
            if seen == chunks:
                raise InterruptedError

        with pytest.raises(InterruptedError):
            run_nightly(self.DUE, at=self.DUE, progress=pull_the_plug, accounts_per_chunk=2)
        run_nightly(self.DUE, at=self.DUE, accounts_per_chunk=2)

        assert self.state() == whole

    @pytest.mark.django_db(transaction=True)
    def test_once_it_has_ended_the_disk_has_all_of_it(self, members: list[Member]) -> None:
        """No chunk waits for the disk. The guard is ``_keep`` at the end."""
        ends: list[str] = []

        def note_the_end(step: Step) -> None:
            cursor.execute("SELECT pg_current_wal_insert_lsn()")
            ends.append(cursor.fetchone()[0])

        with connection.cursor() as cursor:
            cursor.execute("SET synchronous_commit = on")  # As in a shop; the throwaway server waits for nothing.
            run_nightly(self.DUE, at=self.DUE, progress=note_the_end, accounts_per_chunk=2)
            cursor.execute("SELECT pg_current_wal_flush_lsn() >= %s::pg_lsn", [ends[-1]])
            assert cursor.fetchone() == (True,)

    def test_small_chunks_do_the_same_as_large_ones(self, members: list[Member]) -> None:
        heard: list[Step] = []

        steps = run_nightly(self.DUE, at=self.DUE, progress=heard.append, accounts_per_chunk=2)

        assert [step.lots for step in steps if step.step == "mature"] == [5]
        assert [step.lots for step in heard if step.step == "mature"] == [2, 4, 5, 5]

    def test_entries_carry_the_instant_at_which_they_were_due(self, xiaolu: Member, members: list[Member]) -> None:
        at = self.DUE + timedelta(days=30)

        run_nightly(self.DUE, at=at)

        matured = Entry.objects.get(key=f"{xiaolu.pk}:waits:maturation")
        assert (matured.effective_at, matured.recorded_at) == (NOON + timedelta(days=1), at)

    def test_points_that_ripened_and_lapsed_while_no_night_came_do_both(
        self, xiaolu: Member, members: list[Member]
    ) -> None:
        night(NOON + timedelta(days=1000))

        assert balance(xiaolu) == 0
        assert burn_is_refused(xiaolu)


def burn_is_refused(member: Member) -> bool:
    try:
        burn(member.pk, 1, key="coupon", at=NOON)
    except InsufficientPoints:
        return True
    return False


class TestCommand:
    @pytest.fixture(autouse=True)
    def lapsing(self, xiaolu: Member, at: datetime) -> Iterator[None]:
        """Points through 12 March; the clock stands at two in the morning of the 15th."""
        write(earned(xiaolu, 50, key="in", at=at, expires_at=datetime(2026, 3, 13, tzinfo=SHANGHAI)), at=at)
        with time_machine.travel(datetime(2026, 3, 15, 2, 0, tzinfo=SHANGHAI), tick=False), translation.override("en"):
            yield

    def run(self, *args: str) -> dict[str, dict]:
        out = io.StringIO()
        call_command("run_nightly", *args, stdout=out)
        return {line["step"]: line for line in map(json.loads, out.getvalue().splitlines())}

    def test_it_prints_one_object_a_step(self) -> None:
        lines = self.run()

        assert list(lines) == [
            "mature", "lapse", "coupons", "erased", "policy", "expire", "birthdays", "referrals", "tiers", "tier_mails",
            "uploads", "close",
        ]  # fmt: skip
        assert lines["expire"].keys() == {"step", "accounts", "lots", "points", "seconds"}
        assert (lines["expire"]["accounts"], lines["expire"]["points"]) == (1, 50)

    def test_a_day_that_is_over_can_be_named(self) -> None:
        assert self.run("--date", "2026-03-11")["expire"]["points"] == 0
        assert self.run("--date", "2026-03-12")["expire"]["points"] == 50

    def test_today_is_not_over(self) -> None:
        with pytest.raises(CommandError, match="2026-03-15 is not over yet") as error:
            self.run("--date", "2026-03-15")
        assert error.value.returncode == 2

    def test_the_worker_does_the_same(self, xiaolu: Member) -> None:
        tasks.run_nightly()

        assert balance(xiaolu) == 0

    def test_the_night_begins_ten_minutes_after_midnight_of_the_programme(self) -> None:
        entry = project.CELERY_BEAT_SCHEDULE["night work"]

        assert entry["task"] == tasks.run_nightly.name
        assert entry["schedule"] == crontab(hour=0, minute=10)
        assert project.CELERY_TIMEZONE == project.PROGRAMME_TIME_ZONE


def test_the_night_s_lock_is_free_after_a_failure(xiaolu: Member, at: datetime) -> None:
    def fail(step: Step) -> None:
        raise InterruptedError

    for _again in range(2):
        with pytest.raises(InterruptedError):
            run_nightly(at, at=at, progress=fail)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = %s "
            "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
            [0x70_6B_6E_69],
        )
        assert cursor.fetchone() == (0,)


class TestStepsOfTheFloorsAbove:
    @pytest.fixture
    def steps(self, monkeypatch: pytest.MonkeyPatch) -> dict[str, NightStep]:
        """Nobody's steps but those of the test."""
        steps: dict[str, NightStep] = {}
        monkeypatch.setattr("loyalty.night_steps._steps", steps)
        return steps

    def test_they_are_called_chunk_by_chunk_until_nothing_is_left(self, steps: object, db: None, at: datetime) -> None:
        called: list[tuple[int, int]] = []

        def work(due: datetime, recorded: datetime, after: int, most: int) -> NightChunk:
            assert (due, recorded) == (at, at)
            assert connection.in_atomic_block
            called.append((after, most))
            return NightChunk(1, 2, 10, after + 7 if after < 14 else None)

        on_night("sweep", work, most=3)

        step = night(at)["sweep"]

        assert called == [(0, 3), (7, 3), (14, 3)]
        assert (step.accounts, step.lots, step.points, step.done) == (3, 6, 30, True)

    def test_points_that_come_back_after_their_end_lapse_in_the_same_night(
        self, steps: object, xiaolu: Member, at: datetime
    ) -> None:
        end = at + timedelta(days=1)
        write(earned(xiaolu, 50, key="in", at=at, expires_at=end), at=at)
        burn(xiaolu.pk, 50, key="spent", at=at)

        def give_back(due: datetime, recorded: datetime, after: int, most: int) -> NightChunk:
            back = undoing(xiaolu.pk, "spent", key="back", effective_at=due, revive_until=None)
            post([back], at=recorded)
            return NightChunk(1, 1, 50, None)

        on_night("give back", give_back)

        assert night(end)["expire"].points == 50
        assert balance(xiaolu) == 0
