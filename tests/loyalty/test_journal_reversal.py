"""Points are taken back: from which lots, how far, and what a debt means. After each test the books must add up."""

from datetime import datetime, timedelta

import pytest

from crm.models import Member
from loyalty.journal import expire_due
from loyalty.models import Entry
from loyalty.movements import burn
from loyalty.posting import InsufficientPoints
from tests.cast import NOON
from tests.loyalty.postings import (
    balance,
    drawn,
    earned,
    left,
    pending,
    returned,
    ripe,
    spent,
    waiting,
    write,
)

pytestmark = pytest.mark.usefixtures("books_add_up")

APRIL = NOON + timedelta(days=30)
MAY = NOON + timedelta(days=60)
NEXT_YEAR = NOON + timedelta(days=365)


class TestReversal:
    def test_the_lot_of_the_order_gives_first(self, xiaolu: Member, at: datetime) -> None:
        write(
            earned(xiaolu, 50, key="older", at=at, expires_at=APRIL),
            earned(xiaolu, 100, key="order:1", at=at, expires_at=MAY),
            at=at,
        )

        [outcome] = write(returned(xiaolu, 100, key="refund", about_key="order:1", at=at), at=at)

        assert (outcome.points, outcome.balance_after) == (-100, 50)
        assert left(xiaolu) == {"older": 50, "order:1": 0}

    def test_what_the_order_s_lot_lacks_comes_from_the_others_first_in_first_out(
        self, xiaolu: Member, at: datetime
    ) -> None:
        write(earned(xiaolu, 100, key="order:1", at=at, expires_at=APRIL), at=at)
        burn(xiaolu.pk, 70, key="coupon", at=at)
        write(earned(xiaolu, 50, key="never", at=at), earned(xiaolu, 50, key="may", at=at, expires_at=MAY), at=at)

        write(returned(xiaolu, 100, key="refund", about_key="order:1", at=at), at=at)

        assert drawn("refund") == {"order:1": 30, "may": 50, "never": 20}
        assert balance(xiaolu) == 30

    def test_points_already_spent_leave_a_debt(self, xiaolu: Member, at: datetime) -> None:
        write(earned(xiaolu, 100, key="order:1", at=at), spent(xiaolu, 100, key="coupon", at=at), at=at)

        [outcome] = write(returned(xiaolu, 100, key="refund", about_key="order:1", at=at), at=at)

        assert (outcome.points, outcome.balance_after) == (-100, -100)
        assert not Entry.objects.get(key="refund").uses.exists()

    def test_nobody_in_debt_can_spend(self, xiaolu: Member, at: datetime) -> None:
        write(returned(xiaolu, 5, key="return", at=at), at=at)

        with pytest.raises(InsufficientPoints) as refusal:
            burn(xiaolu.pk, 1, key="coupon", at=at)

        assert (refusal.value.available, refusal.value.missing) == (0, 1)

    def test_what_is_earned_next_settles_the_debt_first(self, xiaolu: Member, at: datetime) -> None:
        write(returned(xiaolu, 100, key="return", at=at), at=at)

        write(earned(xiaolu, 130, key="order:2", at=at), at=at)

        assert balance(xiaolu) == 30
        assert left(xiaolu) == {"order:2": 30}
        assert drawn("order:2") == {"order:2": 100}

    def test_a_debt_is_settled_across_several_accruals_of_one_batch(
        self, xiaolu: Member, dayong: Member, at: datetime
    ) -> None:
        write(returned(xiaolu, 100, key="return", at=at), at=at)

        outcomes = write(
            earned(xiaolu, 60, key="a", at=at),
            earned(dayong, 60, key="his", at=at),
            waiting(xiaolu, 500, key="later", at=at),
            earned(xiaolu, 60, key="b", at=at),
            earned(xiaolu, 60, key="c", at=at),
            at=at,
        )

        assert [outcome.balance_after for outcome in outcomes] == [-40, 60, -40, 20, 80]
        assert left(xiaolu) == {"a": 0, "later": 500, "b": 20, "c": 60}
        assert left(dayong) == {"his": 60}

    def test_maturing_points_settle_the_debt_first(self, xiaolu: Member, at: datetime) -> None:
        write(waiting(xiaolu, 60, key="a", at=at), waiting(xiaolu, 60, key="b", at=at), at=at)
        write(returned(xiaolu, 100, key="return", at=at), at=at)

        first, second = write(ripe(xiaolu, "a", at=at), ripe(xiaolu, "b", at=at), at=at)

        assert (first.balance_after, second.balance_after) == (-40, 20)
        assert left(xiaolu) == {"a": 0, "b": 20}
        assert pending(xiaolu) == 0

    def test_pending_points_are_taken_back_from_what_is_pending(self, xiaolu: Member, at: datetime) -> None:
        write(waiting(xiaolu, 100, key="order:1", at=at), earned(xiaolu, 5, key="other", at=at), at=at)

        [outcome] = write(returned(xiaolu, 100, key="refund", about_key="order:1", at=at), at=at)

        assert (outcome.points, outcome.pending, outcome.balance_after) == (0, -100, 5)
        assert (balance(xiaolu), pending(xiaolu)) == (5, 0)

    def test_pending_points_can_be_taken_back_while_the_account_is_in_debt(self, xiaolu: Member, at: datetime) -> None:
        write(returned(xiaolu, 10, key="return", at=at), waiting(xiaolu, 100, key="order:1", at=at), at=at)

        [outcome] = write(returned(xiaolu, 40, key="refund", about_key="order:1", at=at), at=at)

        assert (outcome.pending, outcome.balance_after) == (-40, -10)

    def test_an_accrual_is_taken_back_in_parts_and_never_beyond_itself(self, xiaolu: Member, at: datetime) -> None:
        write(earned(xiaolu, 100, key="order:1", at=at), earned(xiaolu, 100, key="other", at=at), at=at)

        parts = write(
            returned(xiaolu, 30, key="one", about_key="order:1", at=at),
            returned(xiaolu, 50, key="two", about_key="order:1", at=at),
            at=at,
        )
        parts += write(returned(xiaolu, 50, key="three", about_key="order:1", at=at), at=at)
        parts += write(returned(xiaolu, 50, key="four", about_key="order:1", at=at), at=at)

        assert [part.points for part in parts] == [-30, -50, -20, 0]
        assert parts[-1].entry_id is None
        assert left(xiaolu) == {"order:1": 0, "other": 100}

    def test_a_pending_accrual_too_is_never_taken_back_beyond_itself(self, xiaolu: Member, at: datetime) -> None:
        write(waiting(xiaolu, 100, key="order:1", at=at), waiting(xiaolu, 100, key="other", at=at), at=at)

        parts = write(
            returned(xiaolu, 80, key="one", about_key="order:1", at=at),
            returned(xiaolu, 80, key="two", about_key="order:1", at=at),
            returned(xiaolu, 80, key="three", about_key="order:1", at=at),
            at=at,
        )

        assert [part.pending for part in parts] == [-80, -20, 0]
        assert pending(xiaolu) == 100

    def test_what_was_taken_back_while_pending_counts_after_maturation(self, xiaolu: Member, at: datetime) -> None:
        write(waiting(xiaolu, 100, key="order:1", at=at), earned(xiaolu, 100, key="other", at=at), at=at)
        write(returned(xiaolu, 30, key="one", about_key="order:1", at=at), ripe(xiaolu, "order:1", at=at), at=at)

        [rest] = write(returned(xiaolu, 100, key="two", about_key="order:1", at=at), at=at)

        assert rest.points == -70
        assert left(xiaolu) == {"order:1": 0, "other": 100}

    def test_expired_points_are_not_taken_a_second_time(self, xiaolu: Member, at: datetime) -> None:
        write(
            earned(xiaolu, 100, key="order:1", at=at, expires_at=APRIL), earned(xiaolu, 100, key="other", at=at), at=at
        )
        burn(xiaolu.pk, 40, key="coupon", at=at)
        expire_due(APRIL)

        [outcome] = write(returned(xiaolu, 100, key="refund", about_key="order:1", at=APRIL), at=APRIL)

        assert outcome.points == -40
        assert left(xiaolu) == {"order:1": 0, "other": 60}

    def test_nothing_is_taken_of_an_accrual_that_expired_whole(self, xiaolu: Member, at: datetime) -> None:
        write(earned(xiaolu, 100, key="order:1", at=at, expires_at=APRIL), at=at)
        expire_due(APRIL)

        [outcome] = write(returned(xiaolu, 100, key="refund", about_key="order:1", at=APRIL), at=APRIL)

        assert (outcome.entry_id, outcome.points) == (None, 0)
        assert balance(xiaolu) == 0

    def test_an_unspent_lot_that_lapsed_comes_to_the_same_before_and_after_the_night(
        self, xiaolu: Member, dayong: Member, at: datetime
    ) -> None:
        for member in (xiaolu, dayong):
            write(
                earned(member, 100, key=f"order:{member.pk}", at=at, expires_at=APRIL),
                spent(member, 40, key=f"coupon:{member.pk}", at=at),
                at=at,
            )

        write(returned(xiaolu, 100, key="before", about_key=f"order:{xiaolu.pk}", at=APRIL), at=APRIL)
        expire_due(APRIL)
        write(returned(dayong, 100, key="after", about_key=f"order:{dayong.pk}", at=APRIL), at=APRIL)

        assert balance(xiaolu) == balance(dayong) == -40

    def test_several_orders_returned_in_one_batch_draw_each_on_their_own_lot(
        self, xiaolu: Member, dayong: Member, at: datetime
    ) -> None:
        write(
            earned(xiaolu, 100, key="a", at=at, expires_at=APRIL),
            earned(xiaolu, 100, key="b", at=at, expires_at=MAY),
            earned(xiaolu, 100, key="c", at=at),
            earned(dayong, 100, key="d", at=at),
            at=at,
        )
        burn(xiaolu.pk, 150, key="coupon", at=at)  # All of a and half of b.

        outcomes = write(
            returned(xiaolu, 100, key="-a", about_key="a", at=at),
            returned(dayong, 100, key="-d", about_key="d", at=at),
            returned(xiaolu, 100, key="-b", about_key="b", at=at),
            returned(xiaolu, 20, key="-c", about_key="c", at=at),
            at=at,
        )

        assert [outcome.balance_after for outcome in outcomes] == [50, 0, -50, -70]
        assert drawn("-b") == {"b": 50}
        assert drawn("-c") == {"c": 20}
        assert drawn("-a") == {"c": 80}
        assert (balance(xiaolu), balance(dayong)) == (-70, 0)

    def test_an_accrual_that_the_account_never_had_is_not_taken_back(
        self, xiaolu: Member, dayong: Member, at: datetime
    ) -> None:
        write(earned(xiaolu, 100, key="hers", at=at), earned(dayong, 100, key="his", at=at), at=at)

        outcomes = write(
            returned(dayong, 50, key="another's", about_key="hers", at=at),
            returned(dayong, 50, key="nobody's", about_key="no such key", at=at),
            at=at,
        )

        assert [outcome.entry_id for outcome in outcomes] == [None, None]
        assert (balance(xiaolu), balance(dayong)) == (100, 100)

    def test_a_return_that_names_no_accrual_takes_from_all_lots(self, xiaolu: Member, at: datetime) -> None:
        write(earned(xiaolu, 10, key="never", at=at), earned(xiaolu, 10, key="may", at=at, expires_at=MAY), at=at)

        write(returned(xiaolu, 12, key="return", at=at), at=at)

        assert left(xiaolu) == {"never": 8, "may": 0}

    def test_pending_lots_do_not_pay_for_another_order_s_return(self, xiaolu: Member, at: datetime) -> None:
        write(waiting(xiaolu, 100, key="order:1", at=at), at=at)

        write(returned(xiaolu, 10, key="return", at=at), at=at)

        assert (balance(xiaolu), pending(xiaolu)) == (-10, 100)
