"""What an order still owes the journal, as tables: no database here."""

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from crm.api import OrderChange, OrderStatus
from loyalty.choices import EntryKind
from loyalty.earning.award import Award, AwardLine
from loyalty.earning.money import fen
from loyalty.earning.taking_back import LineMoney, kept_points
from loyalty.order_plan import (
    NOTHING_POSTED,
    Due,
    Frozen,
    PostedAccrual,
    PostedOrder,
    PostedRow,
    plan_order,
    plan_renewals,
    posted_orders,
)
from loyalty.posting import Posting, Verb
from loyalty.validity import BUILT_IN as POLICY
from loyalty.validity import validity_end
from tests.cast import NOON

PLACED, PAID, SHIPPED, COMPLETED, CLOSED = OrderStatus
TRIAL_DAYS = timedelta(days=9)

ORDER = OrderChange(
    order_id=1,
    channel_code="tea",
    external_no="35153131",
    member_id=7,
    status=PAID,
    paid=Decimal("100.80"),
    refunded=Decimal(0),
    placed_at=NOON - TRIAL_DAYS,
    paid_at=NOON - TRIAL_DAYS + timedelta(minutes=5),
    shipped_at=None,
    completed_at=None,
    closed_at=None,
)


def order(status: OrderStatus, paid: str, refunded: str = "0") -> OrderChange:
    return replace(ORDER, status=status, paid=Decimal(paid), refunded=Decimal(refunded))


def due(change: OrderChange, rate: int = 1) -> Due:
    """What the order is worth at so many points for each whole yuan."""
    points = int(change.paid) * rate
    award = Award(2, points, (AwardLine("spend", "spend", fen(change.paid), f"{rate}/1", points),))
    kept = kept_points(award, [LineMoney("", fen(change.paid), fen(change.refunded))])
    return Due(2, points, kept, {"award": f"{points} points"}, changed=True)


def plan(change: OrderChange, journal: PostedOrder = NOTHING_POSTED) -> list[Posting]:
    """The plan for an order that earns a point for each whole yuan."""
    return plan_order(change, journal, due(change), NOON)


def posted(*accruals: tuple[int, int, bool]) -> PostedOrder:
    """The journal of an order: for each accrual its points, what was taken back, and whether it still waits."""
    return PostedOrder(
        tuple(
            PostedAccrual(f"a{number}", points, back, waits, reversals=1 if back else 0)
            for number, (points, back, waits) in enumerate(accruals, start=1)
        )
    )


def in_short(postings: list[Posting]) -> list[str]:
    """``+100 pending``, ``-40 a1``, ``ripe a1``: what a plan does, as one reads it aloud."""
    words = {
        Verb.ACCRUE: lambda p: f"+{p.points} pending" if p.pending else f"+{p.points}",
        Verb.REVERSE: lambda p: f"-{p.points} {p.about_key.replace('order:tea:35153131:accrual', 'new')}",
        Verb.MATURE: lambda p: f"ripe {p.about_key}",
    }
    return [words[posting.verb](posting) for posting in postings]


NOTHING: list[str] = []
FIRST_SIGHT = [
    (order(PLACED, "100.80"), NOTHING),
    (order(PAID, "100.80"), ["+100 pending"]),
    (order(SHIPPED, "100.80"), ["+100 pending"]),
    (order(COMPLETED, "100.80"), ["+100"]),
    (order(CLOSED, "100.80"), NOTHING),
    (order(PAID, "0.99"), NOTHING),
    (order(PAID, "0"), NOTHING),
    (order(PAID, "100.80", "50.80"), ["+100 pending", "-50 new"]),
    (order(COMPLETED, "100.80", "0.81"), ["+100"]),
    (order(COMPLETED, "100.80", "1.01"), ["+100", "-1 new"]),
    (order(COMPLETED, "100.80", "100.80"), ["+100", "-100 new"]),
    (order(COMPLETED, "100.80", "999"), ["+100", "-100 new"]),
    (order(CLOSED, "100.80", "100.80"), NOTHING),
]


@pytest.mark.parametrize(("change", "expected"), FIRST_SIGHT)
def test_an_order_seen_for_the_first_time(change: OrderChange, expected: list[str]) -> None:
    assert in_short(plan(change)) == expected


PENDING = posted((100, 0, True))
AVAILABLE = posted((100, 0, False))
LATER = [
    # Nothing new, nothing to do.
    (order(PAID, "100.80"), PENDING, NOTHING),
    (order(SHIPPED, "100.80"), PENDING, NOTHING),
    (order(COMPLETED, "100.80"), AVAILABLE, NOTHING),
    (order(COMPLETED, "100.80", "30"), posted((100, 29, False)), NOTHING),
    (order(CLOSED, "100.80"), posted((100, 100, True)), NOTHING),
    # The order succeeds.
    (order(COMPLETED, "100.80"), PENDING, ["ripe a1"]),
    (order(COMPLETED, "100.80"), posted((60, 0, True), (40, 0, True)), ["ripe a1", "ripe a2"]),
    (order(COMPLETED, "100.80", "100.80"), posted((100, 100, True)), NOTHING),
    # Money goes back, before and after it.
    (order(PAID, "100.80", "30"), PENDING, ["-29 a1"]),
    (order(COMPLETED, "100.80", "30"), PENDING, ["-29 a1", "ripe a1"]),
    (order(COMPLETED, "100.80", "100.80"), PENDING, ["-100 a1"]),
    (order(COMPLETED, "100.80", "30"), AVAILABLE, ["-29 a1"]),
    (order(COMPLETED, "100.80", "60"), posted((100, 29, False)), ["-30 a1"]),
    # The order is closed: whatever it still has goes, once.
    (order(CLOSED, "100.80"), PENDING, ["-100 a1"]),
    (order(CLOSED, "100.80"), AVAILABLE, ["-100 a1"]),
    (order(CLOSED, "100.80", "30"), posted((100, 30, False)), ["-70 a1"]),
    (order(CLOSED, "0"), AVAILABLE, ["-100 a1"]),
    # The amount was corrected. What comes later is taken back first.
    (order(PAID, "150"), PENDING, ["+50 pending"]),
    (order(COMPLETED, "150"), PENDING, ["+50", "ripe a1"]),
    (order(COMPLETED, "150"), AVAILABLE, ["+50"]),
    (order(COMPLETED, "150", "70"), posted((100, 0, False), (50, 0, False)), ["-50 a2", "-20 a1"]),
    (order(COMPLETED, "150", "30"), AVAILABLE, ["+50", "-30 new:2"]),
    (order(PAID, "80"), PENDING, ["-20 a1"]),
    (order(PAID, "100"), posted((100, 20, True)), ["+20 pending"]),
    (order(PAID, "120"), posted((100, 40, True)), ["+20 pending", "+40 pending"]),
]


@pytest.mark.parametrize(("change", "journal", "expected"), LATER)
def test_an_order_that_the_journal_knows(change: OrderChange, journal: PostedOrder, expected: list[str]) -> None:
    assert in_short(plan(change, journal)) == expected


def test_an_order_without_a_buyer_earns_nothing() -> None:
    assert plan(replace(ORDER, member_id=None)) == []


@pytest.mark.parametrize("status", [PAID, COMPLETED, CLOSED])
def test_what_a_refund_takes_is_the_award_s_business_and_a_closed_order_loses_all(status: OrderStatus) -> None:
    change = order(status, "10", "4")

    points = sum(posting.points for posting in plan_order(change, posted((20, 0, False)), due(change, rate=2), NOON))

    assert points == (20 if status is CLOSED else 8)


def test_keys_come_from_the_order_and_count_on() -> None:
    first = plan(order(COMPLETED, "100", "40"))
    later = plan(order(COMPLETED, "150", "150"), posted((100, 40, False)))

    stem = "order:tea:35153131:accrual"
    assert [posting.key for posting in first] == [stem, f"{stem}:reversal:1"]
    assert [posting.key for posting in later] == [f"{stem}:2", f"{stem}:2:reversal:1", "a1:reversal:2"]


def test_a_reversal_that_found_nothing_to_take_does_not_shift_the_keys_of_others() -> None:
    """The journal wrote nothing for the second accrual (its points had expired), so its first key is still free."""
    journal = posted((100, 100, False), (50, 0, False))

    [posting] = plan(order(CLOSED, "150"), journal)

    assert posting.key == "a2:reversal:1"


class TestTimes:
    def test_pending_points_were_earned_when_the_order_was_paid(self) -> None:
        [posting] = plan(ORDER)

        assert posting.effective_at == ORDER.paid_at
        assert (posting.available_at, posting.expires_at) == (None, None)

    @pytest.mark.parametrize(
        ("completed", "shipped", "earned"),
        [(NOON, NOON - TRIAL_DAYS, NOON), (None, NOON - TRIAL_DAYS, NOON - TRIAL_DAYS), (None, None, ORDER.paid_at)],
    )
    def test_a_completed_order_s_points_are_valid_a_year_from_its_completion_or_the_nearest_known_instant(
        self, completed: datetime | None, shipped: datetime | None, earned: datetime
    ) -> None:
        change = replace(ORDER, status=COMPLETED, completed_at=completed, shipped_at=shipped)

        [fresh] = plan(change)
        [ripe] = plan(change, PENDING)

        for posting in (fresh, ripe):
            assert (posting.effective_at, posting.available_at) == (earned, earned)
            assert posting.expires_at == validity_end(earned)

    def test_an_order_without_any_instant_is_dated_by_the_import(self) -> None:
        [posting] = plan(replace(ORDER, placed_at=None, paid_at=None))

        assert posting.effective_at == NOON

    def test_points_go_back_when_the_order_was_closed_or_else_now(self) -> None:
        closed = replace(ORDER, status=CLOSED, closed_at=NOON - timedelta(days=1))

        [by_closing] = plan(closed, AVAILABLE)
        [by_refund] = plan(order(COMPLETED, "100", "1"), AVAILABLE)

        assert by_closing.effective_at == NOON - timedelta(days=1)
        assert by_refund.effective_at == NOON


class TestTraces:
    def test_an_accrual_keeps_the_award_and_says_what_the_order_is_worth(self) -> None:
        [posting] = plan(order(PAID, "100.80"))

        assert posting.trace == {"set": 2, "award": "100 points", "paid": "100.80", "worth": 100, "before": 0}

    def test_an_award_that_has_become_smaller_is_kept_by_the_reversal(self) -> None:
        [posting] = plan(order(PAID, "80"), PENDING)

        assert (posting.trace["set"], posting.trace["award"], posting.trace["kept"]) == (2, "80 points", 80)

    def test_an_award_made_anew_for_the_same_points_is_kept_by_the_maturation(self) -> None:
        [posting] = plan(order(COMPLETED, "100.20"), PENDING)

        assert (posting.trace["award"], posting.trace["paid"]) == ("100 points", "100.20")

    def test_an_award_that_the_journal_has_already_is_not_written_again(self) -> None:
        change = order(COMPLETED, "100.80", "30")

        postings = plan_order(change, PENDING, replace(due(change), changed=False), NOON)

        assert not any("award" in posting.trace for posting in postings)

    @pytest.mark.parametrize(
        ("change", "journal"),
        [
            (order(PAID, "150"), PENDING),
            (order(PAID, "100"), posted((100, 20, True))),
            (order(PAID, "120", "10"), posted((100, 40, True))),
        ],
    )
    def test_a_further_accrual_is_what_the_award_has_over_what_was_given(
        self, change: OrderChange, journal: PostedOrder
    ) -> None:
        for posting in plan(change, journal):
            trace = posting.trace
            assert posting.points == trace["worth"] - trace["before"]
            assert trace["worth"] == (due(change).net if "refunded" in trace else due(change).gross)

    def test_a_reversal_says_what_went_back_and_what_stays(self) -> None:
        [refunded] = plan(order(COMPLETED, "100.80", "30"), AVAILABLE)
        [closed] = plan(order(CLOSED, "100.80"), AVAILABLE)

        assert (refunded.trace["refunded"], refunded.trace["paid"], refunded.trace["kept"]) == ("30", "100.80", 71)
        assert (refunded.trace["closed"], closed.trace["closed"], closed.trace["kept"]) == (False, True, 0)


class TestRenewals:
    """What a return does to the validity of the points that stay."""

    @pytest.mark.parametrize(
        ("change", "renewed"),
        [
            (order(COMPLETED, "100.80", "30"), ["a1"]),
            (order(COMPLETED, "100.80", "0.50"), []),  # No point's worth went back.
            (order(COMPLETED, "100.80", "100.80"), []),
            (order(COMPLETED, "80"), []),  # A corrected amount is no return.
            (order(CLOSED, "100.80", "30"), []),
        ],
    )
    def test_only_a_part_that_went_back_lets_the_rest_begin_anew(self, change: OrderChange, renewed: list[str]) -> None:
        planned = plan(change, AVAILABLE)

        renewals = plan_renewals(change, AVAILABLE, planned, due=due(change), policy=POLICY, at=NOON)

        assert [renewal.about_key for renewal in renewals] == renewed


class TestFolding:
    """From journal entries to what an order holds."""

    @staticmethod
    def row(
        entry_id: int, kind: EntryKind, points: int, *, about: int | None = None, waits: bool = False, award: str = ""
    ) -> PostedRow:
        return PostedRow(1, entry_id, kind, f"k{entry_id}", points, waits, about, award=award or None)

    def test_entries_fold_into_accruals_with_what_was_taken_back(self) -> None:
        rows = [
            self.row(1, EntryKind.ACCRUAL, 100, waits=True),
            self.row(2, EntryKind.REVERSAL, -30, about=1),
            self.row(3, EntryKind.MATURATION, 0, about=1),
            self.row(4, EntryKind.ACCRUAL, 50),
            self.row(5, EntryKind.REVERSAL, -5, about=1),
        ]

        order_ = posted_orders(rows)[1]

        assert order_.accruals == (
            PostedAccrual("k1", 100, 35, waiting=False, reversals=2),
            PostedAccrual("k4", 50, 0, waiting=False),
        )
        assert (order_.earned, order_.kept, order_.frozen) == (150, 115, None)

    def test_the_award_that_was_written_last_is_the_order_s(self) -> None:
        first = '{"set": 2, "award": {"set": 2}, "paid": "100.80"}'
        corrected = '{"set": 2, "award": {"set": 2, "rules": []}, "paid": "80.00", "mark": "a1", "buyer": {"rank": 1}}'
        rows = [
            self.row(1, EntryKind.ACCRUAL, 100, award=first),
            self.row(2, EntryKind.REVERSAL, -20, about=1, award=corrected),
            self.row(3, EntryKind.REVERSAL, -10, about=1),
        ]

        frozen = posted_orders(rows)[1].frozen

        assert frozen == Frozen(2, {"set": 2, "rules": []}, Decimal("80.00"), "a1", {"rank": 1})

    def test_orders_are_kept_apart(self) -> None:
        other = self.row(9, EntryKind.ACCRUAL, 7)._replace(order_id=2)

        folded = posted_orders([self.row(1, EntryKind.ACCRUAL, 100), other])

        assert (folded[1].earned, folded[2].earned) == (100, 7)
