"""A purchase is returned whose points were spent, expired, or partly both (law 6). Tables: docs/ledger.md.

In every story the order brought a hundred points through April, and its return is reported in May. The guards are two
statements of ``loyalty_reverse``: what has lapsed by then expires before anything is taken, and expired points count
towards what is taken back.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise, permutations

import pytest
from django.db import transaction

from crm.choices import OrderStatus, RefundStatus
from crm.feeds.records import BuyerRecord, OrderRecord, RefundRecord
from crm.models import Channel, Member
from crm.orders import record
from loyalty.journal import expire_due
from loyalty.models import Account, Entry
from loyalty.movements import burn, capture, hold, undo
from tests.cast import NOON
from tests.loyalty.postings import balance, drawn, earned, left, pending, returned, ripe, waiting, write

pytestmark = pytest.mark.usefixtures("books_add_up")

APRIL = NOON + timedelta(days=30)
MAY = NOON + timedelta(days=60)
JUNE = NOON + timedelta(days=90)
LAST_YEAR = NOON - timedelta(days=340)  # What was earned then lapses on 5 April.
XIAOLU = BuyerRecord("小鹿爱喝茶", "林小鹿")


@dataclass(frozen=True)
class Story:
    """What became of the order's hundred points before its return, and what is taken then: from its own lot, from the
    member's other points (which live on), and what is owed."""

    spent: int
    expired: bool  # Whether what was left of them lapsed before the return.
    others: int
    taken_back: int
    own: int
    from_others: int
    owed: int

    def __str__(self) -> str:
        rest = " and the rest lapsed" if self.expired else ""
        return f"{self.taken_back} of 100 taken back, {self.spent} spent{rest}, {self.others} others"


STORIES = [
    #     spent expired others back  own others owed
    Story(0, False, 0, 100, 100, 0, 0),
    Story(0, False, 30, 100, 100, 0, 0),
    Story(0, False, 0, 50, 50, 0, 0),
    Story(100, False, 0, 100, 0, 0, 100),
    Story(100, False, 30, 100, 0, 30, 70),
    Story(100, False, 200, 100, 0, 100, 0),
    Story(100, False, 30, 50, 0, 30, 20),
    Story(70, False, 0, 100, 30, 0, 70),
    Story(70, False, 30, 100, 30, 30, 40),
    Story(70, False, 0, 50, 30, 0, 20),
    Story(70, False, 0, 20, 20, 0, 0),
    Story(0, True, 0, 100, 0, 0, 0),
    Story(0, True, 30, 100, 0, 0, 0),
    Story(40, True, 0, 100, 0, 0, 40),
    Story(40, True, 30, 100, 0, 30, 10),
    Story(40, True, 90, 100, 0, 40, 0),
    Story(40, True, 0, 50, 0, 0, 0),
    Story(80, True, 0, 50, 0, 0, 30),
    Story(80, True, 10, 50, 0, 10, 20),
    Story(100, True, 0, 50, 0, 0, 50),
]


def bought(number: str, paid: int, at: datetime) -> OrderRecord:
    return OrderRecord(
        number, 2, status=OrderStatus.COMPLETED, buyer=XIAOLU, paid=Decimal(paid), placed_at=at, paid_at=at,
        completed_at=at,
    )  # fmt: skip


def live(story: Story, member: Member) -> None:
    """Everything up to the return."""
    write(earned(member, 100, key="order", at=NOON, expires_at=APRIL if story.expired else JUNE), at=NOON)
    if story.spent:
        burn(member.pk, story.spent, key="coupon", at=NOON)
    if story.others:
        write(earned(member, story.others, key="others", at=NOON), at=NOON)


@pytest.mark.parametrize("story", STORIES, ids=str)
@pytest.mark.parametrize("night_came_first", [True, False], ids=["after the night", "before the night"])
def test_what_is_taken_and_what_is_owed(story: Story, night_came_first: bool, xiaolu: Member) -> None:
    live(story, xiaolu)
    if night_came_first:
        expire_due(MAY)

    write(returned(xiaolu, story.taken_back, key="return", about_key="order", at=MAY), at=MAY)

    assert balance(xiaolu) == (
        (0 if story.expired else 100 - story.spent - story.own) + story.others - story.from_others - story.owed
    )
    taken = {"order": story.own, "others": story.from_others}
    assert (drawn("return") if Entry.objects.filter(key="return").exists() else {}) == {
        lot: points for lot, points in taken.items() if points
    }
    assert max(-balance(xiaolu), 0) == story.owed


@pytest.mark.parametrize("story", STORIES, ids=str)
@pytest.mark.parametrize("night_came_first", [True, False], ids=["after the night", "before the night"])
def test_a_return_told_in_two_parts_takes_as_much_as_one(story: Story, night_came_first: bool, xiaolu: Member) -> None:
    """The second report asks for what the first has not taken, as ``loyalty.order_plan`` does."""
    live(story, xiaolu)
    if night_came_first:
        expire_due(MAY)

    first = story.taken_back // 3
    [outcome] = write(returned(xiaolu, first, key="one", about_key="order", at=MAY), at=MAY)
    missing = story.taken_back + outcome.points
    write(returned(xiaolu, missing, key="two", about_key="order", at=MAY), at=MAY)

    owed = balance(xiaolu)
    assert max(-owed, 0) == story.owed


@pytest.mark.parametrize("story", [story for story in STORIES if story.owed], ids=str)
def test_the_next_points_settle_what_is_owed(story: Story, xiaolu: Member) -> None:
    live(story, xiaolu)
    write(returned(xiaolu, story.taken_back, key="return", about_key="order", at=MAY), at=MAY)

    write(earned(xiaolu, 10, key="little", at=MAY), waiting(xiaolu, 200, key="later", at=MAY), at=MAY)
    assert left(xiaolu)["little"] == max(10 - story.owed, 0)
    assert (balance(xiaolu), pending(xiaolu)) == (10 - story.owed, 200)

    write(ripe(xiaolu, "later", at=MAY), at=MAY)
    assert balance(xiaolu) == 210 - story.owed
    assert left(xiaolu)["later"] == 200 - max(story.owed - 10, 0)


class TestTheNight:
    """The same business events end alike whether the night came round before the return or after it (law 5)."""

    @staticmethod
    def ends(xiaolu: Member, *, night_came_first: bool) -> tuple[int, dict[str, int]]:
        """A coupon took an order's 50 points. Beside them she had 100 that lapsed in April and 100 that live on."""
        with transaction.atomic():
            write(earned(xiaolu, 50, key="order", at=NOON, expires_at=NOON + timedelta(days=1)), at=NOON)
            burn(xiaolu.pk, 50, key="coupon", at=NOON)
            write(
                earned(xiaolu, 100, key="april", at=NOON, expires_at=APRIL),
                earned(xiaolu, 100, key="june", at=NOON, expires_at=JUNE),
                at=NOON,
            )
            if night_came_first:
                expire_due(MAY)
            write(returned(xiaolu, 50, key="return", about_key="order", at=MAY), at=MAY)
            expire_due(MAY)
            end = balance(xiaolu), left(xiaolu)
            transaction.set_rollback(True)
        return end

    def test_lapsed_points_do_not_pay_for_a_return(self, xiaolu: Member) -> None:
        assert self.ends(xiaolu, night_came_first=True) == (50, {"order": 0, "april": 0, "june": 50})

    def test_nor_do_they_before_the_night_has_come_round(self, xiaolu: Member) -> None:
        assert self.ends(xiaolu, night_came_first=False) == self.ends(xiaolu, night_came_first=True)

    def test_a_return_that_names_no_order_takes_no_lapsed_points_either(self, xiaolu: Member) -> None:
        write(
            earned(xiaolu, 100, key="april", at=NOON, expires_at=APRIL),
            earned(xiaolu, 60, key="live", at=NOON),
            at=NOON,
        )

        write(returned(xiaolu, 40, key="return", at=MAY), at=MAY)

        assert drawn("return") == {"live": 40}
        assert balance(xiaolu) == 20

    @pytest.mark.parametrize("bought_since", [0, 100])
    def test_a_return_without_an_order_comes_to_the_same_before_and_after_the_night(
        self, bought_since: int, shop: Channel, xiaolu: Member
    ) -> None:
        """What orders had earned and lost again bounds it, and that must not depend on the hour of the night either."""
        ends = set()
        for night_came_first in (True, False):
            with transaction.atomic():
                record(shop, [bought("1", 100, LAST_YEAR)], at=LAST_YEAR)
                record(shop, [bought("2", bought_since, NOON)], at=NOON)
                if night_came_first:
                    expire_due(MAY)
                refund = RefundRecord("C1", RefundStatus.SUCCESS, Decimal(40), MAY)
                record(shop, [OrderRecord("C1", 2, buyer=XIAOLU, unlinked_refund=refund)], at=MAY)
                expire_due(MAY)
                ends.add(balance(xiaolu))
                transaction.set_rollback(True)

        assert ends == {max(bought_since - 40, 0)}

    def test_old_orders_may_be_imported_in_any_sequence(self, shop: Channel, xiaolu: Member) -> None:
        """What had lapsed before it was recorded is left to the night: an import knows no nights in between."""
        first, second = bought("1", 100, LAST_YEAR), bought("2", 50, LAST_YEAR + timedelta(days=1))
        facts = [first, second, replace(first, status=OrderStatus.CLOSED)]
        ends = set()
        for sequence in permutations(facts):
            with transaction.atomic():
                for fact in sequence:
                    record(shop, [fact], at=MAY)
                ends.add((balance(xiaolu), tuple(sorted(left(xiaolu).items()))[-1]))
                transaction.set_rollback(True)

        assert ends == {(50, ("order:tea:2:accrual", 50))}


class TestPending:
    """Points that still wait give from what waits; they neither lapse nor are spent."""

    def test_a_whole_return_takes_what_waits_and_owes_nothing(self, xiaolu: Member, at: datetime) -> None:
        write(waiting(xiaolu, 100, key="order", at=at), at=at)

        write(returned(xiaolu, 100, key="return", about_key="order", at=MAY), at=MAY)

        assert (balance(xiaolu), pending(xiaolu)) == (0, 0)

    def test_a_debt_does_not_eat_what_waits_until_it_is_available(self, xiaolu: Member, at: datetime) -> None:
        write(earned(xiaolu, 100, key="order", at=at), waiting(xiaolu, 80, key="next", at=at), at=at)
        burn(xiaolu.pk, 100, key="coupon", at=at)
        write(returned(xiaolu, 100, key="return", about_key="order", at=MAY), at=MAY)
        assert (balance(xiaolu), pending(xiaolu)) == (-100, 80)

        write(returned(xiaolu, 30, key="part", about_key="next", at=MAY), at=MAY)
        write(ripe(xiaolu, "next", at=MAY), at=MAY)

        assert (balance(xiaolu), pending(xiaolu)) == (-50, 0)
        assert left(xiaolu) == {"order": 0, "next": 0}

    def test_a_part_taken_while_waiting_and_the_rest_after_being_spent(self, xiaolu: Member, at: datetime) -> None:
        write(waiting(xiaolu, 100, key="order", at=at), at=at)
        write(returned(xiaolu, 30, key="part", about_key="order", at=at), ripe(xiaolu, "order", at=at), at=at)
        burn(xiaolu.pk, 60, key="coupon", at=at)

        write(returned(xiaolu, 70, key="rest", about_key="order", at=MAY), at=MAY)

        assert drawn("rest") == {"order": 10}
        assert balance(xiaolu) == -60


class TestGivenBack:
    """A spending is undone before or after the return: the points end where they would have been without it."""

    @pytest.mark.parametrize("return_first", [True, False])
    def test_undoing_the_coupon_and_returning_the_order_in_either_sequence(
        self, return_first: bool, xiaolu: Member, at: datetime
    ) -> None:
        write(earned(xiaolu, 100, key="order", at=at, expires_at=JUNE), at=at)
        burn(xiaolu.pk, 100, key="coupon", at=at)

        acts = [
            lambda: write(returned(xiaolu, 100, key="return", about_key="order", at=MAY), at=MAY),
            lambda: undo(xiaolu.pk, "coupon", key="undo", at=MAY, revive_until=None),
        ]
        for act in acts if return_first else reversed(acts):
            act()

        assert balance(xiaolu) == 0
        assert left(xiaolu) == {"order": 0}

    def test_points_that_are_held_are_owed_until_the_hold_gives_them_back(self, xiaolu: Member, at: datetime) -> None:
        write(earned(xiaolu, 100, key="order", at=at), at=at)
        hold(xiaolu.pk, 80, key="hold", at=at, deadline=None)
        write(returned(xiaolu, 100, key="return", about_key="order", at=MAY), at=MAY)
        assert balance(xiaolu) == -80

        capture(xiaolu.pk, "hold", key="capture", at=MAY, points=30)
        assert (balance(xiaolu), Account.objects.get().held) == (-80, 50)

        undo(xiaolu.pk, "hold", key="undo", at=MAY, revive_until=None)
        assert balance(xiaolu) == -50


def test_more_is_never_taken_back_than_the_purchase_brought(xiaolu: Member) -> None:
    """Whatever was spent or lapsed: over growing returns what is taken and what expired never exceed the hundred."""
    for story in (story for story in STORIES if story.expired):
        with transaction.atomic():
            live(story, xiaolu)
            owed = [0]
            for number in range(1, 6):
                [outcome] = write(returned(xiaolu, 100, key=f"{number}", about_key="order", at=MAY), at=MAY)
                owed.append(owed[-1] - outcome.points)
            transaction.set_rollback(True)
        assert owed[-1] <= story.spent
        assert all(later == owed[1] for _, later in pairwise(owed))
