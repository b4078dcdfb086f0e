"""Points set aside, spent later or given back, and what was spent undone. After each story the books must add up."""

from datetime import datetime, timedelta

import pytest

from crm.models import Member
from loyalty.journal import expire_due
from loyalty.models import Account, Entry, Hold, Lot
from loyalty.movements import burn, capture, hold, open_balance, release, undo
from loyalty.posting import InsufficientPoints, KeyConflict, NothingOpen
from tests.cast import NOON
from tests.loyalty.postings import balance, drawn, earned, left, returned, write

pytestmark = pytest.mark.usefixtures("books_add_up")

APRIL = NOON + timedelta(days=30)
MAY = NOON + timedelta(days=60)
NEXT_YEAR = NOON + timedelta(days=365)


@pytest.fixture(autouse=True)
def three_lots(xiaolu: Member, at: datetime) -> None:
    """林小鹿 has 50 points through April, 100 through May and 80 for a year."""
    write(
        earned(xiaolu, 50, key="april", at=at, expires_at=APRIL),
        earned(xiaolu, 100, key="may", at=at, expires_at=MAY),
        earned(xiaolu, 80, key="year", at=at, expires_at=NEXT_YEAR),
        at=at,
    )


def held(member: Member) -> int:
    return Account.objects.get(pk=member.pk).held


def set_aside(member: Member, points: int, at: datetime) -> None:
    hold(member.pk, points, key="hold", at=at, deadline=at + timedelta(hours=1))


def test_held_points_leave_the_balance_and_cannot_be_spent(xiaolu: Member, at: datetime) -> None:
    set_aside(xiaolu, 200, at)

    assert (balance(xiaolu), held(xiaolu)) == (30, 200)
    with pytest.raises(InsufficientPoints) as refusal:
        burn(xiaolu.pk, 31, key="burn", at=at)
    assert refusal.value.missing == 1


def test_more_than_there_is_cannot_be_held(xiaolu: Member, at: datetime) -> None:
    with pytest.raises(InsufficientPoints):
        set_aside(xiaolu, 231, at)

    assert not Hold.objects.exists()


def test_a_captured_hold_is_spent_for_good(xiaolu: Member, at: datetime) -> None:
    set_aside(xiaolu, 200, at)

    outcome = capture(xiaolu.pk, "hold", key="capture", at=at)

    assert outcome.points == 0
    assert (balance(xiaolu), held(xiaolu)) == (30, 0)
    assert left(xiaolu) == {"april": 0, "may": 0, "year": 30}
    assert Entry.objects.get(key="capture").held == -200


def test_a_released_hold_returns_to_the_lots_it_came_from(xiaolu: Member, at: datetime) -> None:
    set_aside(xiaolu, 200, at)

    release(xiaolu.pk, "hold", key="release", at=at, revive_until=None)

    assert (balance(xiaolu), held(xiaolu)) == (230, 0)
    assert left(xiaolu) == {"april": 50, "may": 100, "year": 80}


def test_of_a_hold_captured_in_part_the_rest_comes_back_to_the_lots_that_expire_last(
    xiaolu: Member, at: datetime
) -> None:
    set_aside(xiaolu, 200, at)
    capture(xiaolu.pk, "hold", key="capture", points=120, at=at)

    release(xiaolu.pk, "hold", key="release", at=at, revive_until=None)

    assert (balance(xiaolu), held(xiaolu)) == (110, 0)
    assert left(xiaolu) == {"april": 0, "may": 30, "year": 80}
    assert drawn("release") == {"may": -30, "year": -50}


def test_a_hold_gives_no_more_than_it_has(xiaolu: Member, at: datetime) -> None:
    set_aside(xiaolu, 100, at)
    capture(xiaolu.pk, "hold", key="capture", points=70, at=at)

    with pytest.raises(NothingOpen) as refusal:
        release(xiaolu.pk, "hold", key="release", points=31, at=at, revive_until=None)

    assert refusal.value.open_points == 30
    assert held(xiaolu) == 30


def test_a_closed_hold_is_not_closed_again(xiaolu: Member, at: datetime) -> None:
    set_aside(xiaolu, 100, at)
    release(xiaolu.pk, "hold", key="release", at=at, revive_until=None)

    with pytest.raises(NothingOpen):
        capture(xiaolu.pk, "hold", key="again", at=at)
    with pytest.raises(NothingOpen):
        release(xiaolu.pk, "hold", key="once more", at=at, revive_until=None)


def test_a_retry_is_told_what_happened_the_first_time(xiaolu: Member, at: datetime) -> None:
    set_aside(xiaolu, 100, at)
    first = capture(xiaolu.pk, "hold", key="capture", at=at)

    again = capture(xiaolu.pk, "hold", key="capture", at=at + timedelta(minutes=5))

    assert again.repeated
    assert again.entry_id == first.entry_id
    assert held(xiaolu) == 0


def test_the_same_key_for_another_amount_is_a_conflict(xiaolu: Member, at: datetime) -> None:
    set_aside(xiaolu, 100, at)

    with pytest.raises(KeyConflict):
        hold(xiaolu.pk, 90, key="hold", at=at, deadline=None)


def test_a_burn_that_is_undone_returns_with_the_validity_it_had(xiaolu: Member, at: datetime) -> None:
    burn(xiaolu.pk, 120, key="coupon", at=at)

    undo(xiaolu.pk, "coupon", key="void", at=at, revive_until=None)

    assert left(xiaolu) == {"april": 50, "may": 100, "year": 80}
    assert set(Lot.objects.values_list("expires_at", flat=True)) == {APRIL, MAY, NEXT_YEAR}


def test_a_burn_is_undone_in_parts_and_never_twice(xiaolu: Member, at: datetime) -> None:
    burn(xiaolu.pk, 120, key="coupon", at=at)
    undo(xiaolu.pk, "coupon", key="void:1", points=80, at=at, revive_until=None)
    undo(xiaolu.pk, "coupon", key="void:2", at=at, revive_until=None)

    with pytest.raises(NothingOpen):
        undo(xiaolu.pk, "coupon", key="void:3", at=at, revive_until=None)
    assert balance(xiaolu) == 230


def test_a_captured_hold_can_be_undone(xiaolu: Member, at: datetime) -> None:
    set_aside(xiaolu, 200, at)
    capture(xiaolu.pk, "hold", key="capture", points=120, at=at)
    release(xiaolu.pk, "hold", key="release", at=at, revive_until=None)

    undo(xiaolu.pk, "hold", key="cancelled", at=at, revive_until=None)

    assert left(xiaolu) == {"april": 50, "may": 100, "year": 80}
    assert balance(xiaolu) == 230


def test_what_comes_back_to_a_lot_that_has_ended_is_valid_as_long_as_the_policy_says(
    xiaolu: Member, at: datetime
) -> None:
    burn(xiaolu.pk, 120, key="coupon", at=at)
    later = APRIL + timedelta(days=1)
    until = later + timedelta(days=14)

    undo(xiaolu.pk, "coupon", key="void", at=later, revive_until=until)

    assert Lot.objects.get(entry__key="april").expires_at == until
    assert Lot.objects.get(entry__key="may").expires_at == MAY


def test_without_such_a_policy_the_night_takes_it(xiaolu: Member, at: datetime) -> None:
    burn(xiaolu.pk, 120, key="coupon", at=at)
    later = APRIL + timedelta(days=1)
    undo(xiaolu.pk, "coupon", key="void", at=later, revive_until=None)

    expired = expire_due(later)

    assert expired.points == 50
    assert balance(xiaolu) == 180


def test_what_comes_back_to_a_lot_that_expired_before_expires_a_second_time(xiaolu: Member, at: datetime) -> None:
    burn(xiaolu.pk, 20, key="burn", at=at)
    expire_due(APRIL)
    undo(xiaolu.pk, "burn", key="undo", at=APRIL, revive_until=None)

    assert expire_due(APRIL).points == 20
    expiries = Entry.objects.filter(kind="expiry").order_by("id").values_list("key", flat=True)
    assert [key.partition(":expiry:")[2] for key in expiries] == ["20260409T0400", "20260409T0400:2"]


@pytest.mark.parametrize("entry", ["taken back", "april"])
def test_only_what_was_spent_can_be_undone(xiaolu: Member, at: datetime, entry: str) -> None:
    write(returned(xiaolu, 1000, key="taken back", at=at), at=at)

    with pytest.raises(NothingOpen):
        undo(xiaolu.pk, entry, key="undo", at=at, revive_until=None)


def test_what_comes_back_settles_a_debt_first(xiaolu: Member, at: datetime) -> None:
    burn(xiaolu.pk, 200, key="coupon", at=at)
    write(returned(xiaolu, 80, key="closed", about_key="year", at=at), at=at)
    assert balance(xiaolu) == -50

    undo(xiaolu.pk, "coupon", key="void", at=at, revive_until=None)

    assert balance(xiaolu) == 150
    assert sum(left(xiaolu).values()) == 150


def test_two_burns_are_undone_in_one_batch(xiaolu: Member, at: datetime) -> None:
    burn(xiaolu.pk, 60, key="first", at=at)
    burn(xiaolu.pk, 60, key="second", at=at)

    undo(xiaolu.pk, "first", key="void:first", at=at, revive_until=None)
    undo(xiaolu.pk, "second", key="void:second", at=at, revive_until=None)

    assert left(xiaolu) == {"april": 50, "may": 100, "year": 80}


def test_a_balance_is_carried_over_once(dayong: Member, at: datetime) -> None:
    for _ in range(2):
        open_balance(
            dayong.pk,
            500,
            key="opening:dayong",
            at=at,
            expires_at=NEXT_YEAR,
            reason="From the old system",
            actor_id=None,
        )

    assert balance(dayong) == 500
    assert left(dayong) == {"opening:dayong": 500}
