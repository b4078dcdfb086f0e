"""Guards that are no triggers: look-ups, plans, frozen awards, the order of giving back, sets instead of loops.

Each test has its counter-test, which takes just that guard away and shows the harm.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import permutations
from pathlib import Path

import pytest
from django.db import connection, transaction
from django.db.utils import IntegrityError
from django.test.utils import CaptureQueriesContext

from crm import feeds, order_merge
from crm.choices import OrderStatus
from crm.feeds import Problem
from crm.feeds.messages import describe
from crm.feeds.records import BuyerRecord, OrderRecord
from crm.imports.pipeline import Source, run_file
from crm.models import Channel, Member
from crm.orders import record
from loyalty import accrual, order_plan
from loyalty.api import KeyConflict, burn, run_nightly, undo
from loyalty.journal import post
from loyalty.models import Entry
from tests.cast import NOON
from tests.crm.files import Trade
from tests.crm.files import write as write_file
from tests.factories import MemberFactory
from tests.loyalty.postings import balance, earned, left, waiting, write
from tests.loyalty.rulesets import publish_rules, rule
from tests.loyalty.tampering import altered, execute

DAY = timedelta(days=1)
XIAOLU = BuyerRecord("小鹿爱喝茶", "林小鹿")


def told(number: str, status: OrderStatus, paid: str = "100", at: datetime = NOON, **rest: object) -> OrderRecord:
    """A report of an order."""
    done = at if status is OrderStatus.COMPLETED else None
    return OrderRecord(
        number, 2, status=status, buyer=XIAOLU, paid=Decimal(paid), placed_at=NOON, paid_at=NOON, completed_at=done,
        updated_at=at, **rest,  # type: ignore[arg-type]
    )  # fmt: skip


def balance_of(member: Member) -> int:
    """The balance, also of a member who never had any points."""
    return sum(Entry.objects.filter(account_id=member.pk).values_list("points", flat=True))


class TestExactlyOnce:
    """Law 4. The guards are the unique key, and the hash of the content beside it; that the key is looked up is tested
    in ``test_replay``."""

    TWICE = """
        INSERT INTO loyalty_entry (account_id, kind, points, pending, held, balance_after, key, digest, effective_at,
                                   recorded_at, reference, reason, trace)
        SELECT account_id, kind, points, pending, held, balance_after, key, digest, effective_at, recorded_at,
               reference, reason, trace FROM loyalty_entry
    """

    @pytest.fixture(autouse=True)
    def an_entry_in_the_journal_s_name(self, xiaolu: Member, at: datetime) -> None:
        write(earned(xiaolu, 100, key="in", at=at), at=at)
        execute("SET LOCAL loyalty.journal = 'on'")

    def test_a_key_is_written_once(self) -> None:
        with pytest.raises(IntegrityError, match="loyalty_entry_key"):
            execute(self.TWICE)

    def test_without_the_unique_key_it_could_be_written_again(self) -> None:
        execute("SET CONSTRAINTS ALL IMMEDIATE")
        execute("ALTER TABLE loyalty_entry DROP CONSTRAINT loyalty_entry_key")

        assert execute(self.TWICE) == 1

    def test_the_same_key_with_other_content_is_a_conflict(self, xiaolu: Member, at: datetime) -> None:
        with pytest.raises(KeyConflict):
            write(earned(xiaolu, 200, key="in", at=at), at=at)

    def test_without_the_hash_it_would_be_taken_for_a_retry(self, xiaolu: Member, at: datetime) -> None:
        with (
            altered("loyalty_prepare", "e.digest = p.digest", "TRUE"),
            altered("loyalty_prepare", "e.digest <> p.digest", "FALSE"),
        ):
            [outcome] = write(earned(xiaolu, 200, key="in", at=at), at=at)

        assert outcome.repeated
        assert (outcome.points, balance(xiaolu)) == (100, 100), "two hundred were asked for, and nobody was told"


class TestConvergence:
    """Law 5. The guards are that every column of an order is a join, and that points are planned as a difference."""

    REPORTS = (
        told("1", OrderStatus.PAID),
        told("1", OrderStatus.COMPLETED, at=NOON + DAY),
        told("1", OrderStatus.CLOSED, at=NOON + 2 * DAY),
    )

    def ends(self, shop: Channel, member: Member, reports: tuple[OrderRecord, ...]) -> set[int]:
        """The balances after the reports in every sequence."""
        found = set()
        for sequence in permutations(reports):
            with transaction.atomic():
                for report in sequence:
                    record(shop, [report], at=NOON + 9 * DAY)
                found.add(balance_of(member))
                transaction.set_rollback(True)
        return found

    def test_reports_in_any_sequence_end_alike(self, shop: Channel, xiaolu: Member) -> None:
        assert self.ends(shop, xiaolu, self.REPORTS) == {0}

    def test_if_the_last_report_had_the_say_they_would_not(
        self, shop: Channel, xiaolu: Member, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        rises = "array_position(%(statuses)s, excluded.status::text) > array_position(%(statuses)s, o.status::text)"
        assert order_merge._ORDERS.count(rises) == 2, "orders are joined in another way: say anew what the guard is"
        monkeypatch.setattr(order_merge, "_ORDERS", order_merge._ORDERS.replace(rises, "TRUE"))

        assert self.ends(shop, xiaolu, self.REPORTS) == {0, 100}

    @pytest.fixture
    def cheaper(self, shop: Channel, xiaolu: Member) -> Callable[[], object]:
        """The order turns out to cost 80 yuan and not 100."""
        record(shop, [told("1", OrderStatus.COMPLETED)], at=NOON)
        return lambda: record(shop, [told("1", OrderStatus.COMPLETED, "80", at=NOON + DAY)], at=NOON + DAY)

    def test_what_is_there_already_is_taken_into_account(self, xiaolu: Member, cheaper: Callable[[], object]) -> None:
        cheaper()

        assert balance(xiaolu) == 80

    def test_a_plan_that_did_not_look_would_claim_another_fact_under_the_same_key(
        self, xiaolu: Member, cheaper: Callable[[], object], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(accrual, "_posted", lambda order_ids: {})

        with pytest.raises(KeyConflict), transaction.atomic():
            cheaper()
        assert balance(xiaolu) == 100


class TestTrueToHistory:
    """Law 6. The guards are the award that the journal keeps with the order, and the sequence of giving back."""

    @pytest.fixture
    def refund(self, shop: Channel, xiaolu: Member) -> Callable[[], object]:
        """100 yuan earned 100 points. Then the shop publishes that a yuan earns three, as of last week; and 30 yuan of
        the order go back."""
        record(shop, [told("1", OrderStatus.COMPLETED)], at=NOON)
        publish_rules(rule("spend", {"per": "1", "points": 3}), since=NOON - 7 * DAY)
        report = told("1", OrderStatus.COMPLETED, refunded=Decimal(30))
        return lambda: record(shop, [report], at=NOON + DAY)

    def test_a_refund_takes_what_its_part_had_earned(self, xiaolu: Member, refund: Callable[[], object]) -> None:
        refund()

        assert balance(xiaolu) == 70

    def test_without_the_frozen_award_it_would_go_by_other_rules(
        self, xiaolu: Member, refund: Callable[[], object], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(order_plan, "_frozen", lambda text: None)

        refund()

        assert balance(xiaolu) == 3 * 70

    @pytest.fixture
    def cancelled(self, xiaolu: Member, at: datetime) -> Callable[[], object]:
        """A coupon of 80 points drew on points of April and of June; half of it is given back."""
        for name, days in (("april", 30), ("june", 90)):
            write(earned(xiaolu, 50, key=name, at=at, expires_at=at + days * DAY), at=at)
        burn(xiaolu.pk, 80, key="coupon", at=at)
        return lambda: undo(xiaolu.pk, "coupon", key="undo", at=at, points=40, revive_until=None)

    def test_what_was_drawn_last_comes_back_first(self, xiaolu: Member, cancelled: Callable[[], object]) -> None:
        cancelled()

        assert left(xiaolu) == {"april": 10, "june": 50}

    def test_in_another_sequence_the_buyer_would_get_points_that_lapse_sooner(
        self, xiaolu: Member, cancelled: Callable[[], object]
    ) -> None:
        last_first = "ORDER BY l.expires_at DESC NULLS FIRST, l.id DESC"
        with altered("loyalty_restore", last_first, "ORDER BY l.expires_at, l.id"):
            cancelled()

        assert left(xiaolu) == {"april": 40, "june": 20}


class TestSetsInsteadOfLoops:
    """Law 8. The guard is that a batch is one call; the counter-test posts one by one."""

    @staticmethod
    def statements(act: Callable[[], object]) -> int:
        with CaptureQueriesContext(connection) as captured:
            act()
        return len(captured)

    @pytest.fixture
    def crowd(self, shop: Channel) -> list[Member]:
        return [MemberFactory() for _ in range(40)]

    def test_forty_postings_take_as_many_statements_as_one(self, crowd: list[Member], at: datetime) -> None:
        one = self.statements(lambda: post([earned(crowd[0], 5, key="one", at=at)], at=at))

        many = self.statements(lambda: post([earned(m, 5, key=f"in:{m.pk}", at=at) for m in crowd], at=at))

        assert many == one

    def test_one_by_one_they_would_take_forty_times_as_many(self, crowd: list[Member], at: datetime) -> None:
        one = self.statements(lambda: post([earned(crowd[0], 5, key="one", at=at)], at=at))

        def one_by_one() -> None:
            for member in crowd:
                post([earned(member, 5, key=f"in:{member.pk}", at=at)], at=at)

        assert self.statements(one_by_one) == 40 * one

    def test_an_import_of_forty_orders_takes_as_many_statements_as_one(self, shop: Channel, at: datetime) -> None:
        def orders(*numbers: int) -> list[OrderRecord]:
            report = told("", OrderStatus.COMPLETED)
            return [replace(report, external_no=str(n), buyer=BuyerRecord(f"buyer {n}", f"Buyer {n}")) for n in numbers]

        record(shop, orders(999), at=at)  # What is kept in memory is in memory now.
        one = self.statements(lambda: record(shop, orders(1), at=at))

        assert self.statements(lambda: record(shop, orders(*range(2, 42)), at=at)) == one

    def test_the_night_of_forty_members_takes_as_many_statements_as_that_of_one(
        self, crowd: list[Member], at: datetime
    ) -> None:
        def night(members: list[Member], begins: datetime) -> int:
            for m in members:
                key = f"{begins}:{m.pk}"
                batch = [
                    earned(m, 5, key=f"{key}:lapses", at=begins, expires_at=begins + DAY),
                    replace(waiting(m, 5, key=f"{key}:ripens", at=begins), available_at=begins + DAY),
                ]
                post(batch, at=begins)
            return self.statements(lambda: run_nightly(begins + DAY, at=begins + DAY))

        night(crowd[:1], at)
        one = night(crowd[:1], at + DAY)

        assert night(crowd, at + 2 * DAY) == one
        assert Entry.objects.filter(kind="expiry").count() == 42

    def test_in_chunks_of_one_account_it_would_take_many_more(self, crowd: list[Member], at: datetime) -> None:
        for m in crowd:
            post([earned(m, 5, key=f"{m.pk}", at=at, expires_at=at + DAY)], at=at)

        chunked = self.statements(lambda: run_nightly(at + DAY, at=at + DAY, accounts_per_chunk=1))

        assert chunked > 40


class TestNothingIsDropped:
    """Law 12. The guard: what a feed cannot use is an item like any other, a ``Problem`` with its line and reason."""

    @staticmethod
    def rows_accounted_for(shop: Channel, folder: Path) -> tuple[int, list[Problem]]:
        """Import three rows of which one is damaged: how many were recorded or refused, and what was refused."""
        damaged = Trade(3, "mei_chen", no="3.51531E+16")
        file = write_file(folder / "march.csv", [Trade(1, "a"), Trade(2, "b"), damaged])
        refused: list[Problem] = []
        counts = run_file(Source(file, shop), at=NOON, save=lambda batch: refused.extend(batch.problems))
        assert counts.rejected == len(refused)
        return counts.orders_new + counts.rejected, refused

    def test_every_row_of_a_file_is_recorded_or_refused_with_its_reason(self, shop: Channel, tmp_path: Path) -> None:
        accounted, [problem] = self.rows_accounted_for(shop, tmp_path)

        assert accounted == 3
        assert (problem.line_no, problem.column, problem.value) == (4, "订单编号", "3.51531E+16")
        assert str(describe(problem))

    def test_without_the_guard_a_row_would_be_missing_from_the_sums(
        self, shop: Channel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        read = feeds.read
        monkeypatch.setattr(
            feeds, "read", lambda *a, **rest: (item for item in read(*a, **rest) if not isinstance(item, Problem))
        )

        accounted, refused = self.rows_accounted_for(shop, tmp_path)

        assert (accounted, refused) == (2, [])
