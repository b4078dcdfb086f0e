"""How much of something one member may have: the limit that a burn or hold carries."""

from datetime import datetime, timedelta

import pytest

from crm.models import Member
from loyalty.journal import post
from loyalty.movements import burn, hold, release, undo
from loyalty.posting import InsufficientPoints, Limit, LimitReached
from tests.loyalty.postings import balance, earned, spent, write

MUG = "reward:mug"


@pytest.fixture
def rich(xiaolu: Member, at: datetime) -> Member:
    """林小鹿 with a thousand points."""
    write(earned(xiaolu, 1000, key="in", at=at), at=at)
    return xiaolu


def take(member: Member, key: str, at: datetime, *, most: int = 2, **rest: object) -> None:
    """Burn ten points for a mug."""
    since = rest.pop("since", None)
    burn(member.pk, 10, key=key, at=at, reference=MUG, limits=[Limit(most, since)], **rest)  # type: ignore[arg-type]


def test_the_third_of_two_mugs_is_refused_and_nothing_is_written(rich: Member, at: datetime) -> None:
    take(rich, "one", at)
    take(rich, "two", at)

    with pytest.raises(LimitReached) as refusal:
        take(rich, "three", at)

    assert (refusal.value.had, refusal.value.most) == (2, 2)
    assert balance(rich) == 980


def test_a_retry_is_no_third_mug(rich: Member, at: datetime) -> None:
    take(rich, "one", at)
    take(rich, "two", at)

    assert burn(rich.pk, 10, key="two", at=at, reference=MUG, limits=[Limit(2)]).repeated


def test_other_things_and_other_members_do_not_count(rich: Member, dayong: Member, at: datetime) -> None:
    write(earned(dayong, 100, key="his", at=at), at=at)
    take(dayong, "his mug", at, most=1)
    burn(rich.pk, 10, key="cup", at=at, reference="reward:cup")

    take(rich, "mug", at, most=1)


def test_units_count_as_the_trace_says(rich: Member, at: datetime) -> None:
    take(rich, "two at once", at, most=3, trace={"units": 2})

    with pytest.raises(LimitReached):
        take(rich, "two more", at, most=3, trace={"units": 2})
    take(rich, "one more", at, most=3)


def test_what_was_had_before_the_window_does_not_count(rich: Member, at: datetime) -> None:
    take(rich, "yesterday", at - timedelta(days=1), most=1)

    take(rich, "today", at, most=1, since=at - timedelta(hours=1))


def test_of_several_limits_the_first_that_is_reached_is_told(rich: Member, at: datetime) -> None:
    midnight, limits = at - timedelta(hours=12), [Limit(1, since=at - timedelta(hours=12)), Limit(3)]

    def take_one(key: str, when: datetime) -> None:
        burn(rich.pk, 10, key=key, at=when, reference=MUG, limits=limits)

    take_one("yesterday", at - timedelta(days=1))
    burn(rich.pk, 10, key="before limits", at=at - timedelta(days=1), reference=MUG)
    take_one("today", at)

    with pytest.raises(LimitReached) as twice_a_day:
        take_one("again today", at)
    assert (twice_a_day.value.had, twice_a_day.value.limit, twice_a_day.value.index) == (1, Limit(1, midnight), 0)
    with pytest.raises(LimitReached) as four_times:
        burn(rich.pk, 10, key="tomorrow", at=at, reference=MUG, limits=[Limit(9, since=midnight), Limit(3)])
    assert (four_times.value.had, four_times.value.limit, four_times.value.index) == (3, Limit(3), 1)


def test_what_was_given_back_in_full_is_no_longer_had(rich: Member, at: datetime) -> None:
    take(rich, "mug", at, most=1)
    undo(rich.pk, "mug", key="back", at=at, revive_until=None)

    take(rich, "another", at, most=1)


def test_what_was_given_back_in_part_still_is(rich: Member, at: datetime) -> None:
    take(rich, "mug", at, most=1)
    undo(rich.pk, "mug", key="some back", at=at, revive_until=None, points=3)

    with pytest.raises(LimitReached):
        take(rich, "another", at, most=1)


def test_a_hold_counts_until_it_is_released(rich: Member, at: datetime) -> None:
    hold(rich.pk, 10, key="mug", at=at, deadline=None, reference=MUG, limits=[Limit(1)])
    with pytest.raises(LimitReached):
        hold(rich.pk, 10, key="another", at=at, deadline=None, reference=MUG, limits=[Limit(1)])

    release(rich.pk, "mug", key="released", at=at, revive_until=None)

    hold(rich.pk, 10, key="another", at=at, deadline=None, reference=MUG, limits=[Limit(1)])


def test_the_limit_is_told_before_the_lack_of_points(xiaolu: Member, at: datetime) -> None:
    """Who may have no more is not sent away to earn points for it."""
    write(earned(xiaolu, 10, key="in", at=at), at=at)
    with pytest.raises(InsufficientPoints):
        burn(xiaolu.pk, 11, key="dear", at=at, reference=MUG, limits=[Limit(1)])
    take(xiaolu, "mug", at, most=1)

    with pytest.raises(LimitReached):
        take(xiaolu, "another", at, most=1)


def test_a_batch_that_meets_a_limit_in_the_middle_writes_nothing(rich: Member, at: datetime) -> None:
    batch = [spent(rich, 10, key=key, at=at, reference=MUG, limits=(Limit(2),)) for key in ("one", "two", "three")]

    with pytest.raises(LimitReached):
        post(batch, at=at)

    assert balance(rich) == 1000
