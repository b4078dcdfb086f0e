"""The daily sign-in: one a day, days in a row, and what was promised is what is given."""

from datetime import date, datetime, timedelta

import pytest
from django.utils import translation

from crm.models import Member
from loyalty import api as loyalty
from loyalty.checkin import NextBonus, NoSignInRule, check_in, checkin_board, steps_ahead
from loyalty.earning.kinds.acts import SignIn
from loyalty.models import Account, CheckIn, Entry
from loyalty.rulebook import published_sets
from tests.cast import SHANGHAI
from tests.factories import MemberTagFactory, TagFactory
from tests.loyalty.rulesets import SPEND, Json, publish_rules, rule

pytestmark = pytest.mark.usefixtures("books_add_up")

DAY = timedelta(days=1)
# A point a day, five more on the third day in a row, twenty more on the seventh; then it starts over.
SIGNIN = rule("signin", {"points": 1, "streak": [[3, 5], [7, 20]], "starts_over_after": 7})


@pytest.fixture
def season(at: datetime) -> datetime:
    """Since the first of March signing in is rewarded."""
    return datetime(2026, 3, 1, tzinfo=SHANGHAI)


@pytest.fixture
def signin_rule(season: datetime, db: None) -> None:
    publish_rules(SPEND, SIGNIN, since=season)


def sign_in_on(member: Member, *days: int) -> list[int]:
    """Sign in at noon on these days of March; return what each brought."""
    return [check_in(member.pk, datetime(2026, 3, day, 12, tzinfo=SHANGHAI)).points for day in days]


def shown(member: Member, at: datetime) -> loyalty.CheckInBoard:
    board = checkin_board(member.pk, at, published_sets())
    assert board is not None
    return board


def test_the_first_sign_in_brings_the_points_of_a_day(xiaolu: Member, at: datetime, signin_rule: None) -> None:
    done = check_in(xiaolu.pk, at)

    assert (done.day, done.streak, done.points, done.repeated) == (date(2026, 3, 10), 1, 1, False)
    assert Entry.objects.get().key == f"checkin:{xiaolu.pk}:2026-03-10"
    assert Account.objects.get(pk=xiaolu.pk).balance == 1


def test_a_second_tap_reports_the_first_and_gives_nothing(xiaolu: Member, at: datetime, signin_rule: None) -> None:
    first = check_in(xiaolu.pk, at)

    again = check_in(xiaolu.pk, at + timedelta(hours=5))

    assert (again.points, again.streak, again.repeated) == (first.points, 1, True)
    assert Account.objects.get(pk=xiaolu.pk).balance == 1
    assert CheckIn.objects.count() == 1


def test_days_in_a_row_bring_their_bonuses_and_start_over(xiaolu: Member, signin_rule: None) -> None:
    assert sign_in_on(xiaolu, *range(1, 11)) == [1, 1, 6, 1, 1, 1, 21, 1, 1, 6]
    assert CheckIn.objects.latest("day").streak == 10


def test_a_missed_day_ends_the_streak(xiaolu: Member, signin_rule: None) -> None:
    assert sign_in_on(xiaolu, 1, 2, 4, 5, 6) == [1, 1, 1, 1, 6]


def test_the_day_ends_at_midnight_of_the_programme(xiaolu: Member, signin_rule: None) -> None:
    last_minute = datetime(2026, 3, 10, 23, 59, tzinfo=SHANGHAI)

    assert not check_in(xiaolu.pk, last_minute).repeated
    assert not check_in(xiaolu.pk, last_minute + timedelta(minutes=2)).repeated
    assert sorted(CheckIn.objects.values_list("day", flat=True)) == [date(2026, 3, 10), date(2026, 3, 11)]


def test_one_members_days_are_not_anothers(xiaolu: Member, dayong: Member, signin_rule: None) -> None:
    sign_in_on(xiaolu, 1, 2)

    assert sign_in_on(dayong, 3) == [1]


def test_nobody_signs_in_where_no_rule_rewards_it(xiaolu: Member, at: datetime) -> None:
    with pytest.raises(NoSignInRule):
        check_in(xiaolu.pk, at)

    assert checkin_board(xiaolu.pk, at, published_sets()) is None
    assert not CheckIn.objects.exists()


def test_who_gets_no_points_still_keeps_his_days_in_a_row(xiaolu: Member, at: datetime) -> None:
    publish_rules(SIGNIN | {"conditions": {"tags_any": ["gold"]}}, since=at - 30 * DAY)
    assert sign_in_on(xiaolu, 8, 9) == [0, 0]

    MemberTagFactory(member=xiaolu, tag=TagFactory(name="gold"))

    assert sign_in_on(xiaolu, 10) == [6]


def test_the_history_says_which_day_in_a_row_it_was(xiaolu: Member, signin_rule: None) -> None:
    sign_in_on(xiaolu, 1, 2, 3)

    [line, *_] = loyalty.history(xiaolu.pk)

    with translation.override("en"):
        assert loyalty.headline(line) == "Daily sign-in"
        assert "Daily sign-in: 6 points on day 3 in a row." in loyalty.explain(line)


class TestTheBoard:
    """What a member is shown before and after he has signed in."""

    def test_before_the_first_time_it_says_what_today_and_tomorrow_bring(
        self, xiaolu: Member, at: datetime, signin_rule: None
    ) -> None:
        board = shown(xiaolu, at)

        assert (board.streak, board.done, board.offer, board.tomorrow) == (0, False, 1, 1)
        assert board.bonus == NextBonus(in_days=3, day_in_row=3, points=6)

    def test_afterwards_it_says_what_was_earned_and_what_tomorrow_brings(
        self, xiaolu: Member, signin_rule: None
    ) -> None:
        sign_in_on(xiaolu, 1, 9, 10)

        board = shown(xiaolu, datetime(2026, 3, 10, 20, tzinfo=SHANGHAI))

        assert (board.streak, board.done, board.earned, board.offer, board.tomorrow) == (2, True, 1, 0, 6)
        assert board.signed == {date(2026, 3, 1), date(2026, 3, 9), date(2026, 3, 10)}
        assert board.bonus == NextBonus(in_days=1, day_in_row=3, points=6)

    def test_a_streak_that_reaches_yesterday_is_still_alive(self, xiaolu: Member, signin_rule: None) -> None:
        sign_in_on(xiaolu, 4, 5, 6, 7, 8, 9)

        board = shown(xiaolu, datetime(2026, 3, 10, 1, tzinfo=SHANGHAI))

        assert (board.streak, board.done, board.offer, board.tomorrow) == (6, False, 21, 1)

    def test_a_streak_goes_over_the_end_of_a_month_but_the_calendar_shows_this_one(
        self, xiaolu: Member, db: None
    ) -> None:
        publish_rules(SIGNIN, since=datetime(2026, 1, 1, tzinfo=SHANGHAI))
        check_in(xiaolu.pk, datetime(2026, 2, 28, 12, tzinfo=SHANGHAI))

        board = shown(xiaolu, datetime(2026, 3, 1, 12, tzinfo=SHANGHAI))

        assert (board.streak, board.signed) == (1, frozenset())

    def test_what_it_promises_is_what_is_given(self, xiaolu: Member, signin_rule: None) -> None:
        for day in range(1, 20):
            noon = datetime(2026, 3, day, 12, tzinfo=SHANGHAI)
            promised = shown(xiaolu, noon).offer

            assert check_in(xiaolu.pk, noon).points == promised

    def test_it_promises_no_more_than_a_cap_leaves(self, xiaolu: Member, season: datetime, at: datetime) -> None:
        publish_rules(SIGNIN | {"caps": {"per_member": 8}}, since=season)
        assert sign_in_on(xiaolu, 6, 7, 8) == [1, 1, 6]

        board = shown(xiaolu, at - DAY)

        assert (board.offer, board.tomorrow, board.bonus) == (0, 0, None)

    def test_it_promises_what_tomorrows_rules_give(self, xiaolu: Member, at: datetime, signin_rule: None) -> None:
        publish_rules(rule("signin", {"points": 9}), since=datetime(2026, 3, 11, tzinfo=SHANGHAI))

        assert (shown(xiaolu, at).offer, shown(xiaolu, at).tomorrow) == (1, 9)


@pytest.mark.parametrize(
    ("config", "streak", "ahead"),
    [
        ({}, 4, []),
        ({"streak": [[3, 5], [7, 20]]}, 0, [3, 7]),
        ({"streak": [[3, 5], [7, 20]]}, 3, [4]),
        ({"streak": [[3, 5], [7, 20]]}, 9, []),
        ({"streak": [[3, 5], [7, 20]], "starts_over_after": 7}, 7, [3, 7]),
        ({"streak": [[3, 5], [7, 20]], "starts_over_after": 10}, 12, [1, 5]),
    ],
)
def test_bonuses_ahead_are_counted_from_the_streak_reached(config: Json, streak: int, ahead: list[int]) -> None:
    assert steps_ahead([SignIn.from_json({"points": 1, **config})], streak) == ahead
