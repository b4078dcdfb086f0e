"""Gifts that come once: at birthdays, for a completed profile, for a campaign's code."""

from datetime import date, datetime, timedelta
from typing import Any

import pytest
from django.utils import translation

from crm.models import Member, StaffAction
from crm.own_profile import complete_profile, whole_phone
from loyalty import api as loyalty
from loyalty.gifts import NoGift, redeem_code, reward_profile
from loyalty.models import Account, Entry
from loyalty.nightly import Step, run_nightly
from tests.cast import SHANGHAI
from tests.factories import MemberFactory
from tests.loyalty.rulesets import SPEND, publish_rules, rule

pytestmark = pytest.mark.usefixtures("books_add_up")

LONG_SINCE = datetime(2024, 1, 1, tzinfo=SHANGHAI)
BIRTHDAY = rule("birthday", {"points": 88})


def night(year: int, month: int, day: int, **rest: Any) -> Step:
    """What the night after midnight of a day did about birthdays."""
    at = datetime(year, month, day, 0, 10, tzinfo=SHANGHAI)
    [step] = [step for step in run_nightly(at, at=at, **rest) if step.step == "birthdays"]
    return step


def born(member: Member, year: int, month: int, day: int) -> Member:
    member.birthday = date(year, month, day)
    member.save()
    return member


def balance(member: Member) -> int:
    return Account.objects.filter(pk=member.pk).values_list("balance", flat=True).first() or 0


class TestBirthdays:
    def test_the_night_brings_the_gift_on_the_day(self, xiaolu: Member, dayong: Member) -> None:
        publish_rules(SPEND, BIRTHDAY, since=LONG_SINCE)
        born(xiaolu, 1993, 3, 10)
        born(dayong, 1988, 3, 11)

        step = night(2026, 3, 10)

        assert (step.accounts, step.points) == (1, 88)
        assert (balance(xiaolu), balance(dayong)) == (88, 0)
        assert Entry.objects.get().key == f"birthday:{xiaolu.pk}:2026"

    def test_twice_is_once_and_next_year_it_comes_again(self, xiaolu: Member) -> None:
        publish_rules(SPEND, BIRTHDAY, since=LONG_SINCE)
        born(xiaolu, 1993, 3, 10)

        assert [night(2026, 3, 10).points, night(2026, 3, 10).points, night(2026, 3, 11).points] == [88, 0, 0]
        assert night(2027, 3, 10).points == 88

    def test_nights_that_were_missed_are_made_up_for(self, xiaolu: Member) -> None:
        publish_rules(SPEND, BIRTHDAY, since=LONG_SINCE)
        born(xiaolu, 1993, 3, 10)

        night(2026, 3, 14)

        assert Entry.objects.get().effective_at == datetime(2026, 3, 10, tzinfo=SHANGHAI)

    def test_a_birthday_before_the_rule_began_brings_nothing(self, xiaolu: Member) -> None:
        publish_rules(SPEND, BIRTHDAY, since=datetime(2026, 3, 11, tzinfo=SHANGHAI))
        born(xiaolu, 1993, 3, 10)

        assert night(2026, 3, 12).points == 0

    @pytest.mark.parametrize(("year", "day"), [(2026, date(2026, 2, 28)), (2028, date(2028, 2, 29))])
    def test_who_was_born_on_a_leap_day_is_not_forgotten(self, xiaolu: Member, year: int, day: date) -> None:
        publish_rules(SPEND, BIRTHDAY, since=LONG_SINCE)
        born(xiaolu, 1992, 2, 29)

        points = [night(year, 2, 27).points, night(year, 2, 28).points, night(year, 3, 1).points]

        assert sum(points) == 88
        assert Entry.objects.get().effective_at.astimezone(SHANGHAI).date() == day

    def test_a_birthday_that_is_moved_brings_no_second_gift_that_year(self, xiaolu: Member) -> None:
        publish_rules(SPEND, BIRTHDAY, since=LONG_SINCE)
        born(xiaolu, 1993, 3, 10)
        assert night(2026, 3, 10).points == 88

        born(xiaolu, 1993, 8, 1)

        assert night(2026, 8, 1).points == 0

    def test_small_chunks_do_the_same_as_large_ones(self, db: None) -> None:
        publish_rules(SPEND, BIRTHDAY | {"caps": {"budget": 400}}, since=LONG_SINCE)
        MemberFactory.create_batch(6, birthday=date(1990, 3, 10))

        step = night(2026, 3, 10, accounts_per_chunk=2)

        assert (step.accounts, step.points) == (5, 4 * 88 + 48)

    def test_without_a_rule_nobody_is_looked_for(self, xiaolu: Member) -> None:
        born(xiaolu, 1993, 3, 10)

        assert night(2026, 3, 10).points == 0


class TestTheProfile:
    @pytest.fixture(autouse=True)
    def rewarded(self, db: None) -> None:
        publish_rules(SPEND, rule("profile", {"points": 50}), since=LONG_SINCE)

    def test_a_completed_profile_brings_its_gift_once(self, xiaolu: Member, at: datetime) -> None:
        assert reward_profile(xiaolu.pk, at) is None

        complete_profile(xiaolu.pk, birthday=date(1993, 5, 1), at=at, actor_id=None)
        reward_profile(xiaolu.pk, at)
        reward_profile(xiaolu.pk, at + timedelta(days=1))

        assert balance(xiaolu) == 50

    def test_what_stands_there_is_never_changed(self, xiaolu: Member, at: datetime) -> None:
        complete_profile(xiaolu.pk, birthday=date(1993, 5, 1), at=at, actor_id=None)

        after = complete_profile(xiaolu.pk, name="Somebody", birthday=date(1993, 3, 11), at=at, actor_id=None)

        assert (after.name, after.birthday) == ("林小鹿", date(1993, 5, 1))

    def test_the_staff_log_says_which_fields_the_buyer_filled_in(self, xiaolu: Member, at: datetime) -> None:
        complete_profile(xiaolu.pk, birthday=date(1993, 5, 1), phone="13800000001", at=at, actor_id=None)
        complete_profile(xiaolu.pk, birthday=date(1993, 5, 1), at=at, actor_id=None)

        [logged] = StaffAction.objects.filter(action="member.own_profile")
        assert logged.details == {"fields": ["phone", "birthday"]}


@pytest.mark.parametrize(("typed", "phone"), [("+86 138 0000 0001", "13800000001"), ("138****0001", ""), ("", "")])
def test_only_whole_phone_numbers_are_taken(typed: str, phone: str) -> None:
    assert whole_phone(typed) == phone


class TestCodes:
    @pytest.fixture(autouse=True)
    def campaign(self, db: None) -> None:
        publish_rules(SPEND, rule("campaign", {"word": "春茶2026", "points": 20}), since=LONG_SINCE)

    @pytest.mark.parametrize("typed", ["春茶2026", "  春茶2026 "])
    def test_a_code_brings_its_points(self, xiaolu: Member, at: datetime, typed: str) -> None:
        assert redeem_code(xiaolu.pk, typed, at).points == 20

    def test_a_second_time_it_counts_nothing(self, xiaolu: Member, dayong: Member, at: datetime) -> None:
        redeem_code(xiaolu.pk, "春茶2026", at)

        assert redeem_code(xiaolu.pk, "春茶2026", at).repeated
        assert not redeem_code(dayong.pk, "春茶2026", at).repeated
        assert (balance(xiaolu), balance(dayong)) == (20, 20)

    @pytest.mark.parametrize("typed", ["", "  ", "春茶", "x" * 65, "春茶\x002026"])
    def test_anything_else_brings_nothing(self, xiaolu: Member, at: datetime, typed: str) -> None:
        with pytest.raises(NoGift):
            redeem_code(xiaolu.pk, typed, at)

        assert not Entry.objects.exists()

    def test_a_code_that_has_ended_is_as_good_as_a_wrong_one(self, xiaolu: Member, at: datetime) -> None:
        publish_rules(SPEND, rule("campaign", {"word": "夏茶", "points": 20}), since=at)

        with pytest.raises(NoGift):
            redeem_code(xiaolu.pk, "春茶2026", at)

    def test_capitals_and_small_letters_are_the_same_code(self, xiaolu: Member, at: datetime) -> None:
        publish_rules(SPEND, rule("campaign", {"word": "SpringTea", "points": 20}), since=at)

        assert not redeem_code(xiaolu.pk, "springtea", at).repeated
        assert redeem_code(xiaolu.pk, "SPRINGTEA", at).repeated

    def test_the_history_says_what_it_was(self, xiaolu: Member, at: datetime) -> None:
        redeem_code(xiaolu.pk, "春茶2026", at)

        [line] = loyalty.history(xiaolu.pk)

        with translation.override("en"):
            assert loyalty.headline(line) == "Campaign code"
            assert "Campaign code: 20 points." in loyalty.explain(line)
