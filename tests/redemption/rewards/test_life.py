"""What the database lets become of a redemption."""

from datetime import datetime, timedelta
from itertools import product
from typing import Any, cast

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction

from crm.models import Member
from loyalty import api as loyalty
from redemption.models import Redemption, Reward
from redemption.rewards.choices import RedemptionState, RewardKind
from redemption.rewards.life import MOVES, first_state, state_when_paid
from tests.cast import GivePoints
from tests.factories import RewardFactory
from tests.loyalty.tampering import without

S = RedemptionState


@pytest.fixture
def redemption(xiaolu: Member, give_points: GivePoints, at: datetime) -> Redemption:
    """小鹿 took three cups for 300 points; written as a row, without the checkout."""
    give_points(xiaolu, 500)
    burned = loyalty.burn(xiaolu.pk, 300, key="three cups", at=at)
    return Redemption.objects.create(
        member=xiaolu,
        reward=RewardFactory(),
        entry_id=cast("int", burned.entry_id),
        quantity=3,
        points=300,
        state=S.PLACED,
        placed_at=at,
        moved_at=at,
    )


def move(redemption: Redemption, at: datetime, **columns: Any) -> None:
    with transaction.atomic():
        Redemption.objects.filter(pk=redemption.pk).update(moved_at=at, **columns)


def parts(state: RedemptionState) -> dict[str, int]:
    """The quantities that a state calls for."""
    return {S.CANCELLED: {"cancelled": 3}, S.RETURNED: {"returned": 3}}.get(state, {})


class TestMoves:
    @pytest.mark.parametrize(("before", "after"), [pair for pair in product(S, S) if pair[1] not in MOVES[pair[0]]])
    def test_what_the_table_does_not_name_is_refused(
        self, redemption: Redemption, at: datetime, before: RedemptionState, after: RedemptionState
    ) -> None:
        with without(Redemption, "redemption_follows_its_life"):
            price = {"cash": 5, "pay_until": at} if before is S.AWAITING else {}
            move(redemption, at, state=before, **parts(before), **price)

        with pytest.raises(DatabaseError, match=f"{after.value} does not follow {before.value}"):
            move(redemption, at, state=after, **parts(after))

    def test_without_the_trigger_what_was_cancelled_could_be_shipped(
        self, redemption: Redemption, at: datetime
    ) -> None:
        move(redemption, at, state=S.CANCELLED, cancelled=3)

        with without(Redemption, "redemption_follows_its_life"):
            move(redemption, at, state=S.SHIPPED, cancelled=0)

        redemption.refresh_from_db()
        assert redemption.state == S.SHIPPED

    def test_every_move_is_told_with_who_made_it_and_why(self, redemption: Redemption, at: datetime) -> None:
        move(redemption, at, state=S.CONFIRMED)
        move(redemption, at + timedelta(hours=1), cancelled=1, move_reason="One is broken")
        move(redemption, at + timedelta(hours=2), state=S.SHIPPED, tracking_number="SF1", move_reason="")

        moves = redemption.moves.values_list("state_before", "state_after", "cancelled", "reason")
        assert list(moves) == [
            ("placed", "confirmed", 0, ""),
            ("confirmed", "confirmed", 1, "One is broken"),
            ("confirmed", "shipped", 0, ""),
        ]

    def test_what_was_told_is_not_changed(self, redemption: Redemption, at: datetime) -> None:
        move(redemption, at, state=S.CONFIRMED)

        with pytest.raises(DatabaseError, match="never changed"), transaction.atomic():
            redemption.moves.update(reason="Another one")


class TestWhatWasAgreed:
    @pytest.mark.parametrize(
        "change", [{"points": 1}, {"quantity": 9}, {"cash": 1}, {"reward_id": 0}, {"member_id": 0}]
    )
    def test_it_stays(self, redemption: Redemption, at: datetime, change: dict[str, int]) -> None:
        with pytest.raises(DatabaseError, match="stays"):
            move(redemption, at, **change)

    def test_what_came_back_stays_back(self, redemption: Redemption, at: datetime) -> None:
        move(redemption, at, cancelled=1)

        with pytest.raises(DatabaseError, match="stays back"):
            move(redemption, at, cancelled=0)


class TestParts:
    @pytest.mark.parametrize(
        "columns",
        [
            {"cancelled": 4},
            {"cancelled": 3},  # Nothing is left, so it is cancelled.
            {"state": S.CANCELLED, "cancelled": 2},
            {"restocked": 1},
        ],
    )
    def test_they_fit_the_state(self, redemption: Redemption, at: datetime, columns: dict[str, Any]) -> None:
        with pytest.raises(IntegrityError):
            move(redemption, at, **columns)

    def test_nothing_that_costs_cash_goes_on_unpaid(self, redemption: Redemption, at: datetime) -> None:
        with without(Redemption, "redemption_follows_its_life"):
            move(redemption, at, state=S.AWAITING, cash=5, pay_until=at)

        with pytest.raises(IntegrityError, match="redemption_redemption_sound"):
            move(redemption, at, state=S.CONFIRMED)


class TestWhatMayStand:
    """``redemption/sql/0_sound.sql``, the constraint of the table, row by row."""

    @staticmethod
    def sound(**columns: Any) -> bool:
        row = {
            "state": S.PLACED, "quantity": 3, "points": 90, "cash": 0, "cancelled": 0, "returned": 0, "restocked": 0,
            "pay_until": None, "paid_at": None, **columns,
        }  # fmt: skip
        named = ", ".join(f"{name} => %({name})s" for name in row)
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT redemption_redemption_sound({named})", row)
            return bool(cursor.fetchone()[0])

    @pytest.mark.parametrize("state", [S.PLACED, S.CONFIRMED, S.SHIPPED, S.RECEIVED])
    def test_pieces_are_left_while_it_goes_on(self, state: S) -> None:
        assert self.sound(state=state, cancelled=1, returned=1, restocked=1)
        assert not self.sound(state=state, cancelled=2, returned=1)

    def test_every_state_has_rows(self, at: datetime) -> None:
        ended: dict[S, dict[str, Any]] = {
            S.CANCELLED: {"cancelled": 3},
            S.RETURNED: {"returned": 2, "cancelled": 1},
            S.AWAITING: {"cash": 5, "pay_until": at},
        }
        assert all(self.sound(state=state, **ended.get(state, {})) for state in S)
        assert not self.sound(state="forgotten")

    @pytest.mark.parametrize(
        "columns",
        [
            {"quantity": 0}, {"points": 0}, {"cash": -1}, {"cancelled": -1}, {"restocked": -1},
            {"returned": 1, "restocked": 2}, {"state": S.CANCELLED, "cancelled": 3, "returned": 1},
            {"state": S.RETURNED, "cancelled": 3},
        ],
    )  # fmt: skip
    def test_numbers_fit_each_other(self, columns: dict[str, Any]) -> None:
        assert not self.sound(**columns)

    @pytest.mark.parametrize(
        ("columns", "may"),
        [
            ({"pay_until": True}, False),  # Nothing is owed.
            ({"cash": 5}, False),
            ({"cash": 5, "pay_until": True, "state": S.AWAITING}, True),
            ({"cash": 5, "pay_until": True, "state": S.CANCELLED, "cancelled": 3}, True),
            ({"cash": 5, "pay_until": True, "state": S.SHIPPED}, False),
            ({"cash": 5, "pay_until": True, "paid_at": True, "state": S.SHIPPED}, True),
            ({"cash": 5, "pay_until": True, "paid_at": True, "state": S.AWAITING}, False),
            ({"cash": 5, "paid_at": True}, False),
        ],
    )
    def test_cash_is_paid_in_time_before_anything_goes_on(
        self, columns: dict[str, Any], may: bool, at: datetime
    ) -> None:
        assert self.sound(**{name: at if value is True else value for name, value in columns.items()}) is may


class TestFirstState:
    @pytest.mark.parametrize(
        ("kind", "first", "paid"),
        [
            (RewardKind.GOODS, S.PLACED, S.CONFIRMED),
            (RewardKind.DIGITAL, S.RECEIVED, S.RECEIVED),
            (RewardKind.TICKET, S.CONFIRMED, S.CONFIRMED),
            (RewardKind.DONATION, S.RECEIVED, S.RECEIVED),
        ],
    )
    def test_it_is_that_of_its_kind(self, kind: RewardKind, first: RedemptionState, paid: RedemptionState) -> None:
        assert first_state(kind, cash=False) is first
        assert first_state(kind, cash=True) is S.AWAITING
        assert state_when_paid(kind) is paid


class TestReward:
    def test_one_that_somebody_redeemed_is_not_deleted(self, redemption: Redemption) -> None:
        with pytest.raises(DatabaseError, match="still in use"), transaction.atomic():
            Reward.objects.filter(pk=redemption.reward_id)._raw_delete("default")

    def test_its_kind_stays(self, redemption: Redemption) -> None:
        with pytest.raises(DatabaseError, match="reward_keeps_its_kind"), transaction.atomic():
            Reward.objects.update(kind=RewardKind.TICKET)


def test_the_number_has_a_check_digit(redemption: Redemption) -> None:
    redemption.pk = 7992739871
    assert redemption.number == "JF79927398713"
