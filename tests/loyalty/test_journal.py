"""The verbs of the journal, one behaviour a test. After each of them the books must add up."""

from datetime import datetime, timedelta

import pytest

from crm.models import Member
from loyalty.choices import EntryKind
from loyalty.journal import expire_due
from loyalty.models import Account, Entry, Lot
from loyalty.movements import adjust, burn
from loyalty.posting import InsufficientPoints, KeyConflict, Outcome
from tests.cast import NOON
from tests.factories import StaffFactory
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


class TestAccrual:
    def test_earned_points_can_be_spent_at_once(self, xiaolu: Member, at: datetime) -> None:
        [outcome] = write(earned(xiaolu, 100, key="order:1", at=at, expires_at=NEXT_YEAR), at=at)

        entry = Entry.objects.get(key="order:1")
        assert outcome == Outcome(entry.pk, repeated=False, points=100, pending=0, balance_after=100)
        assert (entry.kind, entry.points, entry.pending, entry.balance_after) == (EntryKind.ACCRUAL, 100, 0, 100)
        assert (entry.lot.remaining, entry.lot.pending, entry.lot.expires_at) == (100, False, NEXT_YEAR)
        assert balance(xiaolu) == 100

    def test_pending_points_are_no_balance_and_have_no_expiry_yet(self, xiaolu: Member, at: datetime) -> None:
        [outcome] = write(waiting(xiaolu, 100, key="order:1", at=at), at=at)

        assert (outcome.points, outcome.pending, outcome.balance_after) == (0, 100, 0)
        lot = Lot.objects.get()
        assert (lot.remaining, lot.pending, lot.available_at, lot.expires_at) == (100, True, None, None)
        assert (balance(xiaolu), pending(xiaolu)) == (0, 100)

    def test_a_batch_keeps_its_sequence_and_each_line_starts_where_the_last_one_ended(
        self, xiaolu: Member, dayong: Member, at: datetime
    ) -> None:
        outcomes = write(
            earned(xiaolu, 10, key="a", at=at),
            earned(dayong, 5, key="b", at=at),
            waiting(xiaolu, 7, key="c", at=at),
            earned(xiaolu, 20, key="d", at=at),
            at=at,
        )

        assert [outcome.balance_after for outcome in outcomes] == [10, 5, 10, 30]
        ids = [outcome.entry_id or 0 for outcome in outcomes]
        assert ids == sorted(ids)
        assert (balance(xiaolu), pending(xiaolu), balance(dayong)) == (30, 7, 5)

    def test_the_version_of_an_account_rises_with_every_batch_that_touches_it(
        self, xiaolu: Member, at: datetime
    ) -> None:
        write(earned(xiaolu, 10, key="a", at=at), earned(xiaolu, 10, key="b", at=at), at=at)
        first = Account.objects.get(pk=xiaolu.pk).version
        burn(xiaolu.pk, 5, key="c", at=at)

        assert Account.objects.get(pk=xiaolu.pk).version > first > 0

    def test_points_beyond_thirty_two_bits_stay_exact(self, xiaolu: Member, at: datetime) -> None:
        write(earned(xiaolu, 2**40, key="a", at=at), earned(xiaolu, 2**40 + 1, key="b", at=at), at=at)
        burn(xiaolu.pk, 2**41, key="c", at=at)

        assert balance(xiaolu) == 1

    def test_an_empty_batch_writes_nothing(self, at: datetime) -> None:
        assert write(at=at) == []


class TestMaturation:
    def test_pending_points_become_available_with_the_validity_of_that_day(self, xiaolu: Member, at: datetime) -> None:
        write(waiting(xiaolu, 100, key="order:1", at=at), at=at)

        [outcome] = write(ripe(xiaolu, "order:1", at=APRIL, expires_at=NEXT_YEAR), at=APRIL)

        assert (outcome.points, outcome.pending, outcome.balance_after) == (100, -100, 100)
        assert (balance(xiaolu), pending(xiaolu)) == (100, 0)
        lot = Lot.objects.get()
        assert (lot.pending, lot.available_at, lot.expires_at) == (False, APRIL, NEXT_YEAR)
        assert Entry.objects.get(kind=EntryKind.MATURATION).about.key == "order:1"  # type: ignore[union-attr]

    def test_what_was_taken_back_meanwhile_does_not_become_available(self, xiaolu: Member, at: datetime) -> None:
        write(waiting(xiaolu, 100, key="order:1", at=at), at=at)

        reversed_, matured = write(
            returned(xiaolu, 30, key="refund:1", about_key="order:1", at=at), ripe(xiaolu, "order:1", at=at), at=at
        )

        assert (reversed_.points, reversed_.pending) == (0, -30)
        assert (matured.points, matured.pending) == (70, -70)
        assert (balance(xiaolu), pending(xiaolu)) == (70, 0)

    def test_nothing_left_to_mature_writes_nothing(self, xiaolu: Member, at: datetime) -> None:
        write(waiting(xiaolu, 100, key="order:1", at=at), at=at)

        _, matured = write(
            returned(xiaolu, 100, key="refund:1", about_key="order:1", at=at), ripe(xiaolu, "order:1", at=at), at=at
        )

        assert matured == Outcome(None, repeated=False, points=0, pending=0, balance_after=None)
        assert not Entry.objects.filter(kind=EntryKind.MATURATION).exists()

    def test_an_accrual_matures_once_even_under_two_keys_in_one_batch(self, xiaolu: Member, at: datetime) -> None:
        write(waiting(xiaolu, 100, key="order:1", at=at), waiting(xiaolu, 500, key="order:2", at=at), at=at)

        first, second = write(
            ripe(xiaolu, "order:1", at=at, key="by the feed"), ripe(xiaolu, "order:1", at=at, key="by the clerk"), at=at
        )
        [third] = write(ripe(xiaolu, "order:1", at=at, key="by the night"), at=at)

        assert (first.points, second.entry_id, third.entry_id) == (100, None, None)
        assert (balance(xiaolu), pending(xiaolu)) == (100, 500)

    def test_nobody_matures_the_points_of_another_member(self, xiaolu: Member, dayong: Member, at: datetime) -> None:
        write(waiting(xiaolu, 100, key="order:1", at=at), waiting(dayong, 1, key="order:2", at=at), at=at)

        [outcome] = write(ripe(dayong, "order:1", at=at, key="sly"), at=at)

        assert outcome.entry_id is None
        assert (pending(xiaolu), balance(dayong)) == (100, 0)

    def test_a_maturation_with_points_of_its_own_is_a_mistake(self, xiaolu: Member, at: datetime) -> None:
        with pytest.raises(ValueError, match="moves what is left"):
            ripe(xiaolu, "order:1", at=at, points=5)


class TestBurn:
    def test_the_lot_that_expires_first_is_drawn_first_then_the_older_one(self, xiaolu: Member, at: datetime) -> None:
        write(
            earned(xiaolu, 10, key="never", at=at),
            earned(xiaolu, 10, key="may", at=at, expires_at=MAY),
            earned(xiaolu, 10, key="april 1", at=at, expires_at=APRIL),
            earned(xiaolu, 10, key="april 2", at=at, expires_at=APRIL),
            at=at,
        )

        outcome = burn(xiaolu.pk, 33, key="coupon", at=at)

        assert (outcome.points, outcome.balance_after) == (-33, 7)
        assert drawn("coupon") == {"april 1": 10, "april 2": 10, "may": 10, "never": 3}
        assert left(xiaolu) == {"never": 7, "may": 0, "april 1": 0, "april 2": 0}

    def test_a_lot_that_never_expires_is_kept_for_last(self, xiaolu: Member, at: datetime) -> None:
        write(earned(xiaolu, 10, key="never", at=at), earned(xiaolu, 10, key="may", at=at, expires_at=MAY), at=at)

        burn(xiaolu.pk, 10, key="coupon", at=at)

        assert left(xiaolu) == {"never": 10, "may": 0}

    def test_several_burns_of_one_account_in_one_batch_share_its_lots(
        self, xiaolu: Member, dayong: Member, at: datetime
    ) -> None:
        write(
            earned(xiaolu, 10, key="april", at=at, expires_at=APRIL),
            earned(xiaolu, 10, key="may", at=at, expires_at=MAY),
            earned(dayong, 9, key="his", at=at),
            at=at,
        )

        outcomes = write(
            spent(xiaolu, 6, key="one", at=at),
            spent(dayong, 9, key="other", at=at),
            spent(xiaolu, 6, key="two", at=at),
            spent(xiaolu, 8, key="three", at=at),
            at=at,
        )

        assert [outcome.balance_after for outcome in outcomes] == [14, 0, 8, 0]
        assert drawn("one") == {"april": 6}
        assert drawn("two") == {"april": 4, "may": 2}
        assert drawn("three") == {"may": 8}
        assert drawn("other") == {"his": 9}

    def test_a_burn_can_spend_what_the_same_batch_brought(self, xiaolu: Member, at: datetime) -> None:
        write(earned(xiaolu, 10, key="in", at=at), spent(xiaolu, 10, key="out", at=at), at=at)

        assert balance(xiaolu) == 0

    def test_too_few_points_says_how_many_are_missing_and_writes_nothing(self, xiaolu: Member, at: datetime) -> None:
        write(earned(xiaolu, 30, key="in", at=at), at=at)

        with pytest.raises(InsufficientPoints) as refusal:
            burn(xiaolu.pk, 50, key="coupon", at=at)

        assert (refusal.value.member_id, refusal.value.available, refusal.value.missing) == (xiaolu.pk, 30, 20)
        assert balance(xiaolu) == 30
        assert Entry.objects.count() == 1

    def test_the_missing_points_leave_out_what_was_spent_before(self, xiaolu: Member, at: datetime) -> None:
        write(earned(xiaolu, 50, key="in", at=at), spent(xiaolu, 40, key="coupon 1", at=at), at=at)

        with pytest.raises(InsufficientPoints) as refusal:
            write(spent(xiaolu, 40, key="coupon 1", at=at), spent(xiaolu, 30, key="coupon 2", at=at), at=at)

        assert (refusal.value.available, refusal.value.missing) == (10, 20)

    def test_a_member_who_never_had_points_has_none_to_spend(self, xiaolu: Member, at: datetime) -> None:
        with pytest.raises(InsufficientPoints) as refusal:
            burn(xiaolu.pk, 1, key="coupon", at=at)

        assert (refusal.value.available, refusal.value.missing) == (0, 1)
        assert not Account.objects.exists()

    def test_pending_points_cannot_be_spent(self, xiaolu: Member, at: datetime) -> None:
        write(waiting(xiaolu, 100, key="order:1", at=at), at=at)

        with pytest.raises(InsufficientPoints):
            burn(xiaolu.pk, 1, key="coupon", at=at)

    def test_lapsed_points_cannot_be_spent_even_before_the_night_has_taken_them(
        self, xiaolu: Member, at: datetime
    ) -> None:
        write(earned(xiaolu, 10, key="short", at=at, expires_at=APRIL), earned(xiaolu, 5, key="long", at=at), at=at)

        with pytest.raises(InsufficientPoints) as refusal:
            burn(xiaolu.pk, 6, key="coupon", at=APRIL)
        burn(xiaolu.pk, 5, key="smaller", at=APRIL)

        assert refusal.value.available == 5
        assert drawn("smaller") == {"long": 5}

    def test_points_are_good_until_the_very_last_moment(self, xiaolu: Member, at: datetime) -> None:
        write(earned(xiaolu, 10, key="short", at=at, expires_at=APRIL), at=at)

        burn(xiaolu.pk, 10, key="coupon", at=APRIL - timedelta(microseconds=1))

        assert balance(xiaolu) == 0

    def test_one_member_short_of_points_stops_the_whole_batch(
        self, xiaolu: Member, dayong: Member, at: datetime
    ) -> None:
        write(earned(xiaolu, 100, key="hers", at=at), earned(dayong, 1, key="his", at=at), at=at)

        with pytest.raises(InsufficientPoints) as refusal:
            write(
                earned(xiaolu, 7, key="more", at=at),
                spent(xiaolu, 50, key="one", at=at),
                spent(dayong, 2, key="two", at=at),
                at=at,
            )

        assert refusal.value.member_id == dayong.pk
        assert (balance(xiaolu), balance(dayong)) == (100, 1)
        assert set(Entry.objects.values_list("key", flat=True)) == {"hers", "his"}

    @pytest.mark.parametrize("points", [0, -5])
    def test_a_burn_of_no_points_is_a_mistake(self, xiaolu: Member, at: datetime, points: int) -> None:
        with pytest.raises(ValueError, match="points must be positive"):
            burn(xiaolu.pk, points, key="coupon", at=at)


class TestKeys:
    def test_a_retry_gets_the_first_result_even_when_the_points_are_gone(self, xiaolu: Member, at: datetime) -> None:
        write(earned(xiaolu, 50, key="in", at=at), at=at)
        first = burn(xiaolu.pk, 50, key="form:1", at=at, trace={"yuan": 5})

        again = burn(xiaolu.pk, 50, key="form:1", at=APRIL, trace={"yuan": 5})

        assert again == Outcome(first.entry_id, repeated=True, points=-50, pending=0, balance_after=0)
        assert balance(xiaolu) == 0

    def test_every_verb_can_be_repeated(self, xiaolu: Member, at: datetime) -> None:
        batch = [
            waiting(xiaolu, 100, key="order:1", at=at),
            ripe(xiaolu, "order:1", at=at),
            spent(xiaolu, 60, key="coupon", at=at),
            returned(xiaolu, 100, key="refund", about_key="order:1", at=at),
        ]
        first = write(*batch, at=at)

        again = write(*batch, at=APRIL)

        assert [outcome.entry_id for outcome in again] == [outcome.entry_id for outcome in first]
        assert all(outcome.repeated for outcome in again)
        assert balance(xiaolu) == -60
        assert Entry.objects.count() == 4

    def test_a_batch_may_hold_old_and_new_postings(self, xiaolu: Member, at: datetime) -> None:
        write(earned(xiaolu, 10, key="old", at=at), at=at)

        old, new = write(earned(xiaolu, 10, key="old", at=at), earned(xiaolu, 5, key="new", at=at), at=at)

        assert (old.repeated, new.repeated) == (True, False)
        assert (old.balance_after, new.balance_after) == (10, 15)

    def test_the_same_posting_twice_in_a_batch_is_written_once(self, xiaolu: Member, at: datetime) -> None:
        posting = earned(xiaolu, 10, key="once", at=at)

        first, second = write(posting, posting, at=at)

        assert first == second
        assert balance(xiaolu) == 10

    def test_a_key_with_another_content_is_a_conflict_and_nothing_is_written(
        self, xiaolu: Member, dayong: Member, at: datetime
    ) -> None:
        write(earned(xiaolu, 10, key="order:1", at=at), at=at)

        for other in (
            earned(xiaolu, 11, key="order:1", at=at),
            earned(dayong, 10, key="order:1", at=at),
            waiting(xiaolu, 10, key="order:1", at=at),
            spent(xiaolu, 10, key="order:1", at=at),
            returned(xiaolu, 10, key="order:1", at=at),
        ):
            with pytest.raises(KeyConflict) as conflict:
                write(earned(xiaolu, 1, key="bystander", at=at), other, at=at)
            assert conflict.value.keys == ["order:1"]

        assert Entry.objects.count() == 1

    def test_two_postings_of_one_batch_cannot_share_a_key(self, xiaolu: Member, at: datetime) -> None:
        with pytest.raises(KeyConflict):
            write(earned(xiaolu, 10, key="k", at=at), earned(xiaolu, 11, key="k", at=at), at=at)

        assert not Entry.objects.exists()

    def test_the_digest_of_a_posting_is_the_same_on_every_python(self, at: datetime) -> None:
        """Digests are stored for ever: this one must never change."""
        posting = earned(Member(pk=7), 10, key="order:1", at=at)

        assert posting.digest() == "\\x09d6cd801af68f7970b38a242419e316"


class TestAdjustment:
    def test_a_person_gives_points_and_says_why(self, xiaolu: Member, at: datetime) -> None:
        clerk = StaffFactory(username="clerk")

        adjust(xiaolu.pk, 50, key="form:1", at=at, reason="A broken cup", actor_id=clerk.pk, expires_at=MAY)

        entry = Entry.objects.get()
        assert (entry.kind, entry.points, entry.reason, entry.actor) == (
            EntryKind.ADJUSTMENT, 50, "A broken cup", clerk,
        )  # fmt: skip
        assert (entry.lot.expires_at, entry.trace) == (MAY, {"by_hand": 50})

    def test_a_person_takes_points_first_those_that_expire_first(self, xiaolu: Member, at: datetime) -> None:
        write(earned(xiaolu, 10, key="never", at=at), earned(xiaolu, 10, key="may", at=at, expires_at=MAY), at=at)

        outcome = adjust(xiaolu.pk, -15, key="form:1", at=at, reason="Given by mistake", actor_id=None)

        assert (outcome.points, outcome.balance_after) == (-15, 5)
        assert left(xiaolu) == {"never": 5, "may": 0}

    def test_a_person_cannot_take_more_than_there_is(self, xiaolu: Member, at: datetime) -> None:
        write(earned(xiaolu, 10, key="in", at=at), at=at)

        with pytest.raises(InsufficientPoints) as refusal:
            adjust(xiaolu.pk, -11, key="form:1", at=at, reason="Too much", actor_id=None)

        assert (refusal.value.missing, balance(xiaolu)) == (1, 10)

    def test_the_other_direction_under_the_same_key_is_a_conflict(self, xiaolu: Member, at: datetime) -> None:
        adjust(xiaolu.pk, 10, key="form:1", at=at, reason="A gift", actor_id=None)

        with pytest.raises(KeyConflict):
            adjust(xiaolu.pk, -10, key="form:1", at=at, reason="A gift", actor_id=None)

    @pytest.mark.parametrize(("points", "reason"), [(10, " "), (0, "A gift")])
    def test_no_reason_or_no_points_is_a_mistake(self, xiaolu: Member, at: datetime, points: int, reason: str) -> None:
        with pytest.raises(ValueError, match=r"reason|positive"):
            adjust(xiaolu.pk, points, key="form:1", at=at, reason=reason, actor_id=None)


def test_every_entry_starts_from_the_balance_that_the_one_before_left(xiaolu: Member, at: datetime) -> None:
    write(earned(xiaolu, 100, key="a", at=at, expires_at=APRIL), waiting(xiaolu, 40, key="b", at=at), at=at)
    burn(xiaolu.pk, 80, key="c", at=at)
    write(returned(xiaolu, 100, key="d", about_key="a", at=at), ripe(xiaolu, "b", at=at, expires_at=MAY), at=at)
    adjust(xiaolu.pk, 70, key="e", at=at, reason="Sorry", actor_id=None, expires_at=APRIL)
    expire_due(NEXT_YEAR)

    chain = Entry.objects.order_by("id").values_list("kind", "points", "balance_after")
    assert list(chain) == [
        ("accrual", 100, 100),
        ("accrual", 0, 100),
        ("burn", -80, 20),
        ("reversal", -100, -80),
        ("maturation", 40, -40),
        ("adjustment", 70, 30),
        ("expiry", -30, 0),
    ]


def test_a_thousand_postings_of_one_account_are_one_batch(xiaolu: Member, at: datetime) -> None:
    write(*(earned(xiaolu, 10, key=f"in:{n}", at=at) for n in range(1000)), at=at)
    write(*(spent(xiaolu, 7, key=f"out:{n}", at=at) for n in range(1000)), at=at)
    write(*(returned(xiaolu, 5, key=f"back:{n}", about_key=f"in:{n}", at=at) for n in range(1000)), at=at)

    assert balance(xiaolu) == 1000 * (10 - 7 - 5)
