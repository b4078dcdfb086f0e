"""Points for purchases that no order file reaches back to: once for each member and time, valid as the seller says."""

from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from crm.choices import OrderStatus
from crm.feeds.records import BuyerRecord, OrderRecord
from crm.models import Channel, Identity, Member, StaffAction, User
from crm.orders import record
from loyalty import tasks
from loyalty.choices import EntryKind, ValidityKind
from loyalty.grants import approval, jobs
from loyalty.grants.making import check
from loyalty.grants.preview import Preview
from loyalty.models import Account, Entry, Grant, Lot, PastGap
from loyalty.past_purchases.checking import READING
from loyalty.past_purchases.making import CountsFrom, Rate, gaps_with_figures, given_elsewhere, upload
from loyalty.past_purchases.members import make_missing_members
from loyalty.policies import publish_policy
from loyalty.rulebook import publish_rate
from loyalty.validity import Policy, programme_zone
from tests.factories import ChannelFactory, IdentityFactory, MemberFactory, StaffFactory
from tests.loyalty.postings import balance

pytestmark = pytest.mark.usefixtures("books_add_up")

HEADER = "channel,name on the platform,total,last purchase"
SUMMER = "before June 2026"
GAP = "before December 2025"


@pytest.fixture(autouse=True)
def folder(settings: Any, tmp_path: Path) -> None:
    """Uploads land in the test's own folder."""
    settings.MEDIA_ROOT = tmp_path


@pytest.fixture(autouse=True)
def no_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody takes up what is sent to a worker; the stories run it themselves."""
    monkeypatch.setattr(tasks.run_grant, "delay", lambda grant_id: None)
    monkeypatch.setattr(tasks.check_grant, "delay", lambda grant_id: None)


@pytest.fixture
def maker(db: None) -> User:
    """陈丽, who makes grants."""
    user: User = StaffFactory(username="chen.li")
    return user


def file(*lines: str, header: str = HEADER, encoding: str = "utf-8") -> SimpleUploadedFile:
    return SimpleUploadedFile("past.csv", "\n".join((header, *lines)).encode(encoding))


def checked(table: SimpleUploadedFile, maker: User, at: datetime, **choices: Any) -> Grant:
    """Upload a table for a time and check it."""
    terms: dict[str, Any] = {"gap": GAP, "rate": None, "counts_from": CountsFrom.TODAY, "makes_members": False}
    grant = upload(table, **terms | choices, actor_id=maker.pk, at=at)
    check(grant.pk, at=at, readings={Grant.Source.PAST: READING})
    return Grant.objects.get(pk=grant.pk)


def run(grant: Grant, at: datetime) -> Grant:
    jobs.run(grant.pk, clock=lambda: at, prepare=make_missing_members)
    return Grant.objects.get(pk=grant.pk)


def given(grant: Grant, at: datetime) -> Grant:
    """Confirm a grant and run it to its end."""
    approval.confirm(grant.pk, actor_id=grant.made_by_id, at=at, reason="Thank you for the years before")
    return run(grant, at)


def problems(grant: Grant) -> dict[int, str]:
    return dict(grant.rows.exclude(code="").order_by("line_no").values_list("line_no", "code"))


def figures(grant: Grant) -> Preview:
    return Preview.from_json(grant.figures)


def last_day(lot: Lot) -> str:
    assert lot.expires_at is not None
    return (lot.expires_at.astimezone(programme_zone()) - timedelta(seconds=1)).date().isoformat()


class TestWhatARowIsWorth:
    def test_without_a_rate_the_base_of_the_rules_in_force_counts(
        self, xiaolu: Member, maker: User, at: datetime
    ) -> None:
        grant = given(checked(file("tea,小鹿爱喝茶,1280.50,"), maker, at), at)

        assert grant.state == Grant.State.DONE
        assert balance(xiaolu) == 1280

    def test_the_version_in_force_at_the_upload_counts_even_if_another_one_comes_before_the_check(
        self, xiaolu: Member, maker: User, at: datetime
    ) -> None:
        publish_rate(Decimal(1), 3, effective_from=at, at=at, actor_id=None, reason="Three a yuan")
        grant = upload(
            file("tea,小鹿爱喝茶,100,"), gap=GAP, rate=None, counts_from=CountsFrom.TODAY, makes_members=False,
            actor_id=maker.pk, at=at,
        )  # fmt: skip
        later = at + timedelta(hours=1)
        publish_rate(Decimal(1), 5, effective_from=later, at=later, actor_id=None, reason="Five a yuan")

        check(grant.pk, at=later, readings={Grant.Source.PAST: READING})

        assert grant.rows.get().points == 300

    def test_a_rate_of_its_own_is_rounded_as_its_name_says(self, xiaolu: Member, maker: User, at: datetime) -> None:
        lines = file("tea,小鹿爱喝茶,45,")

        worth = [
            checked(lines, maker, at, rate=Rate(Decimal(10), 2, rounding)).rows.get().points
            for rounding in ("down", "half_up", "up")
        ]

        assert worth == [8, 10, 10]

    def test_the_entry_says_what_it_was_worked_out_from(self, xiaolu: Member, maker: User, at: datetime) -> None:
        rate = Rate(Decimal(10), 2, "down")
        grant = given(checked(file("tea,小鹿爱喝茶,45,2025-11-30"), maker, at, rate=rate), at)

        entry = Entry.objects.get()
        assert entry.kind == EntryKind.OPENING
        assert (entry.reason, entry.actor_id) == ("Thank you for the years before", maker.pk)
        assert entry.trace == {
            "by_hand": 8, "grant": grant.pk, "line": 2, "past": GAP, "per": "10.00", "points": 2, "rounding": "down",
            "paid": "45.00", "bought_on": "2025-11-30",
        }  # fmt: skip

    def test_the_preview_tells_members_points_and_problems_and_gives_nothing(
        self, xiaolu: Member, dayong: Member, maker: User, at: datetime
    ) -> None:
        grant = checked(file("tea,小鹿爱喝茶,100,", "tea,dayong_w,50.99,", "tea,nobody,70,"), maker, at)

        assert (figures(grant).usual.members, figures(grant).usual.gives, figures(grant).refused) == (2, 150, 1)
        assert not Entry.objects.exists()


class TestOnceOnly:
    def test_a_member_of_another_file_of_the_same_time_is_a_repeat_and_gets_nothing(
        self, xiaolu: Member, dayong: Member, maker: User, at: datetime
    ) -> None:
        given(checked(file("tea,小鹿爱喝茶,100,"), maker, at), at)

        second = checked(file("tea,dayong_w,50,", "tea,小鹿爱喝茶,999,2025-10-01"), maker, at)
        assert second.rows.get(line_no=3).before_id is not None
        assert (figures(second).usual.rows, figures(second).repeats.rows) == (1, 1)
        given(second, at)

        assert (balance(xiaolu), balance(dayong)) == (100, 50)
        assert gaps_with_figures()[0].members == 2

    def test_it_is_the_same_member_by_whichever_name_the_file_calls_him(
        self, xiaolu: Member, maker: User, at: datetime
    ) -> None:
        given(checked(file("tea,小鹿爱喝茶,100,"), maker, at), at)

        by_number = checked(file(f"{xiaolu.pk},80", header="member id,total"), maker, at)
        by_mail = checked(file("xiaolu@example.com,80", header="email,total"), maker, at)

        assert figures(by_number).repeats.rows == figures(by_mail).repeats.rows == 1

    def test_a_name_of_the_time_in_other_letters_and_blanks_is_the_same_time(
        self, xiaolu: Member, maker: User, at: datetime
    ) -> None:
        given(checked(file("tea,小鹿爱喝茶,100,"), maker, at), at)

        again = checked(file("tea,小鹿爱喝茶,100,"), maker, at, gap="  BEFORE  december 2025 ")

        assert figures(again).repeats.rows == 1
        assert PastGap.objects.count() == 1

    def test_two_files_checked_before_either_was_given_still_give_once(
        self, xiaolu: Member, maker: User, at: datetime
    ) -> None:
        first = checked(file("tea,小鹿爱喝茶,100,"), maker, at)
        second = checked(file("tea,小鹿爱喝茶,200,"), maker, at)

        given(first, at)
        second = given(second, at)

        assert balance(xiaolu) == 100
        assert second.rows.get().outcome == "repeated"

    def test_no_reason_lets_anybody_give_it_again(self, xiaolu: Member, maker: User, at: datetime) -> None:
        given(checked(file("tea,小鹿爱喝茶,100,"), maker, at), at)
        again = checked(file("tea,小鹿爱喝茶,100,"), maker, at)

        with pytest.raises(ValueError, match="given once"):
            approval.confirm(again.pk, actor_id=maker.pk, at=at, reason="More", repeat_reason="He asked for it")

    def test_who_stands_twice_in_one_file_is_refused_the_second_time(
        self, xiaolu: Member, maker: User, at: datetime
    ) -> None:
        table = file(f"{xiaolu.pk},,100", ",小鹿爱喝茶,100", header="member id,name on the platform,total")
        grant = checked(table, maker, at)

        assert problems(grant) == {3: "past_twice"}
        assert grant.rows.get(line_no=3).value == "2"
        assert balance_after(grant, xiaolu, at) == 100

    def test_another_time_is_given_besides_and_the_page_can_say_so(
        self, xiaolu: Member, maker: User, at: datetime
    ) -> None:
        given(checked(file("tea,小鹿爱喝茶,100,"), maker, at), at)

        other = checked(file("tea,小鹿爱喝茶,70,"), maker, at, gap=SUMMER)

        assert given_elsewhere(other) == [(GAP, 1)]
        assert balance_after(other, xiaolu, at) == 170

    def test_a_job_that_is_run_again_gives_nothing_more(self, xiaolu: Member, maker: User, at: datetime) -> None:
        grant = given(checked(file("tea,小鹿爱喝茶,100,"), maker, at), at)
        Grant.objects.filter(pk=grant.pk).update(state=Grant.State.RUNNING, next_seq=0, counts={})

        run(grant, at)

        assert balance(xiaolu) == 100


def balance_after(grant: Grant, member: Member, at: datetime) -> int:
    given(grant, at)
    return balance(member)


class TestValidity:
    """The stories happen on 10 March 2026, and points live for twelve months."""

    def test_counted_from_today_the_day_in_the_file_does_not_matter(
        self, xiaolu: Member, maker: User, at: datetime
    ) -> None:
        given(checked(file("tea,小鹿爱喝茶,100,2023-05-01"), maker, at), at)

        assert last_day(Lot.objects.get()) == "2027-03-10"

    def test_counted_from_the_purchase_it_ends_a_year_after_it(self, xiaolu: Member, maker: User, at: datetime) -> None:
        table = file("tea,小鹿爱喝茶,100,2025年11月30日")
        given(checked(table, maker, at, counts_from=CountsFrom.PURCHASE), at)

        assert last_day(Lot.objects.get()) == "2026-11-30"

    def test_what_would_have_lapsed_already_is_refused_and_says_when(
        self, xiaolu: Member, dayong: Member, maker: User, at: datetime
    ) -> None:
        table = file("tea,小鹿爱喝茶,100,2025-03-09", "tea,dayong_w,100,2025-03-10 18:30:00")
        grant = checked(table, maker, at, counts_from=CountsFrom.PURCHASE)

        assert problems(grant) == {2: "past_lapsed"}
        assert grant.rows.get(line_no=2).value == "2026-03-09"
        given(grant, at)
        assert last_day(Lot.objects.get()) == "2026-03-10"

    def test_counted_from_the_purchase_a_row_needs_its_day(self, xiaolu: Member, maker: User, at: datetime) -> None:
        grant = checked(file("tea,小鹿爱喝茶,100,"), maker, at, counts_from=CountsFrom.PURCHASE)

        assert problems(grant) == {2: "past_day_missing"}

    def test_where_points_never_end_neither_do_these(self, xiaolu: Member, maker: User, at: datetime) -> None:
        publish_policy(Policy(kind=ValidityKind.NEVER), effective_from=at, at=at, actor_id=None, reason="For ever")

        given(checked(file("tea,小鹿爱喝茶,100,2020-01-01"), maker, at, counts_from=CountsFrom.PURCHASE), at)

        assert Lot.objects.get().expires_at is None


class TestNamesThatNobodyHasYet:
    def test_they_are_refused_unless_the_seller_ticked_it(self, shop: Channel, maker: User, at: datetime) -> None:
        assert problems(checked(file("tea,new_one,100,"), maker, at)) == {2: "unknown_name"}

    def test_they_become_members_when_the_grant_runs_and_not_before(
        self, shop: Channel, maker: User, at: datetime
    ) -> None:
        grant = checked(file("tea,new_one,100,2025-11-30"), maker, at, makes_members=True)
        assert (figures(grant).usual.members, Member.objects.count()) == (1, 0)

        given(grant, at)

        identity = Identity.objects.get(external_id="new_one")
        assert balance(identity.member) == 100
        assert identity.member.joined_at.astimezone(programme_zone()).date().isoformat() == "2025-11-30"
        assert StaffAction.objects.get(action="grant.members").details["members"] == 1

    def test_the_next_order_under_the_name_finds_the_points(self, shop: Channel, maker: User, at: datetime) -> None:
        given(checked(file("tea,new_one,100,"), maker, at, makes_members=True), at)

        record(shop, [order("1", "new_one", at)], at=at)

        assert Account.objects.get().balance == 150

    def test_it_does_not_matter_whether_the_order_or_the_points_come_first(
        self, shop: Channel, maker: User, at: datetime
    ) -> None:
        first = checked(file("tea,new_one,100,"), maker, at, makes_members=True)
        record(shop, [order("1", "new_one", at)], at=at)

        given(first, at)

        assert Account.objects.get().balance == 150
        assert not StaffAction.objects.filter(action="grant.members").exists()

    def test_who_got_them_as_a_newcomer_is_a_repeat_in_the_next_file(
        self, shop: Channel, maker: User, at: datetime
    ) -> None:
        given(checked(file("tea,new_one,100,"), maker, at, makes_members=True), at)

        assert figures(checked(file("tea,new_one,100,"), maker, at, makes_members=True)).repeats.rows == 1

    def test_a_name_twice_in_the_file_makes_one_member(self, shop: Channel, maker: User, at: datetime) -> None:
        grant = checked(file("tea,new_one,100,", "tea,new_one,60,", "tea,other,5,"), maker, at, makes_members=True)

        assert problems(grant) == {3: "past_twice"}
        given(grant, at)
        assert sorted(Account.objects.values_list("balance", flat=True)) == [5, 100]

    def test_two_names_that_were_tied_to_one_member_meanwhile_give_once(
        self, xiaolu: Member, shop: Channel, maker: User, at: datetime
    ) -> None:
        table = file("tea,小鹿爱喝茶,100,", "tea,second,60,", "tea,third,60,")
        grant = checked(table, maker, at, makes_members=True)
        for name in ("second", "third"):
            IdentityFactory(channel=shop, member=xiaolu, external_id=name)

        grant = given(grant, at)

        assert (grant.state, balance(xiaolu)) == (Grant.State.DONE, 100)
        assert problems(grant) == {3: "past_twice", 4: "past_twice"}

    def test_the_limit_for_one_member_counts_each_newcomer_by_himself(
        self, shop: Channel, maker: User, at: datetime, settings: Any
    ) -> None:
        settings.GRANT_TOTAL_LIMIT, settings.GRANT_MEMBER_LIMIT = 1000, 100
        grant = checked(file("tea,one,100,", "tea,two,100,"), maker, at, makes_members=True)

        assert grant.largest == 100

    def test_a_contact_that_a_member_has_makes_nobody(self, xiaolu: Member, maker: User, at: datetime) -> None:
        table = file("tea,lu_second,100,xiaolu@example.com", header="channel,name on the platform,total,email")

        assert problems(checked(table, maker, at, makes_members=True)) == {2: "past_contact_known"}

    def test_a_masked_name_makes_nobody(self, shop: Channel, maker: User, at: datetime) -> None:
        assert problems(checked(file("tea,小**茶,100,"), maker, at, makes_members=True)) == {2: "past_masked"}

    def test_a_channel_that_nobody_knows_makes_nobody(self, shop: Channel, maker: User, at: datetime) -> None:
        assert problems(checked(file("cups,new_one,100,"), maker, at, makes_members=True)) == {2: "unknown_channel"}


def order(number: str, buyer: str, at: datetime) -> OrderRecord:
    return OrderRecord(
        number, 2, buyer=BuyerRecord(buyer), status=OrderStatus.COMPLETED, paid=Decimal(50),
        placed_at=at, paid_at=at, completed_at=at,
    )  # fmt: skip


class TestAboveTheLimit:
    def test_a_second_person_must_approve_before_anybody_becomes_a_member(
        self, shop: Channel, maker: User, at: datetime, settings: Any
    ) -> None:
        settings.GRANT_TOTAL_LIMIT, settings.GRANT_MEMBER_LIMIT = 50, 50
        grant = checked(file("tea,new_one,100,"), maker, at, makes_members=True)

        state = approval.confirm(grant.pk, actor_id=maker.pk, at=at, reason="Thanks")
        run(grant, at)

        assert state == Grant.State.WAITING
        assert not Member.objects.exists()


class TestBadInput:
    @pytest.mark.parametrize(
        ("line", "code"),
        [
            ("tea,小鹿爱喝茶,,", "past_amount_missing"),
            ("tea,小鹿爱喝茶,0,", "past_amount_zero"),
            ("tea,小鹿爱喝茶,-5,", "amount_negative"),
            ("tea,小鹿爱喝茶,a lot,", "amount_unreadable"),
            ("tea,小鹿爱喝茶,=SUM(A1),", "formula"),
            ("tea,小鹿爱喝茶,99999999,", "amount_absurd"),
            ("tea,小鹿爱喝茶,0.99,", "past_worth_nothing"),
            ("tea,小鹿爱喝茶,10,31.12.2025", "day_unreadable"),
            ("tea,小鹿爱喝茶,10,2025-02-30", "day_unreadable"),
            ("tea,小鹿爱喝茶,10,2026-03-11", "past_day_future"),
            ("tea,小鹿爱喝茶,10,1999-12-31", "past_day_too_old"),
            ("tea,,10,", "nobody"),
            ("tea,小鹿爱喝茶,10", "short_row"),
        ],
    )
    def test_a_row_that_cannot_be_used_says_why(
        self, line: str, code: str, xiaolu: Member, maker: User, at: datetime
    ) -> None:
        assert problems(checked(file(line), maker, at)) == {2: code}

    def test_amounts_may_have_currency_and_thousands_marks_and_full_width_digits(
        self, xiaolu: Member, dayong: Member, maker: User, at: datetime
    ) -> None:
        grant = checked(file('tea,小鹿爱喝茶,"￥1,280.50",', "tea,dayong_w,１００元,"), maker, at)

        assert list(grant.rows.order_by("line_no").values_list("points", flat=True)) == [1280, 100]

    def test_a_chinese_file_in_gb18030_is_read(self, xiaolu: Member, maker: User, at: datetime) -> None:
        table = file("山间茶铺,小鹿爱喝茶,88.00", header="店铺,平台昵称,消费总额", encoding="gb18030")

        assert checked(table, maker, at).rows.get().points == 88

    def test_a_file_without_totals_is_refused_as_a_whole(self, xiaolu: Member, maker: User, at: datetime) -> None:
        grant = checked(file("tea,小鹿爱喝茶", header="channel,name on the platform"), maker, at)

        assert grant.state == Grant.State.FAILED
        assert grant.inspection["unreadable"]["code"] == "past_columns"

    def test_a_time_needs_a_name(self, maker: User, at: datetime) -> None:
        with pytest.raises(ValueError, match="name"):
            checked(file("tea,x,1,"), maker, at, gap="  ")

    def test_an_unknown_name_with_a_number_is_not_made_into_somebody_else(
        self, xiaolu: Member, maker: User, at: datetime
    ) -> None:
        table = file(f"tea,new_one,{xiaolu.pk},100", header="channel,name on the platform,member id,total")

        assert problems(checked(table, maker, at, makes_members=True)) == {2: "unknown_name"}

    def test_in_several_channels_the_same_name_is_two_people(self, shop: Channel, maker: User, at: datetime) -> None:
        ChannelFactory(code="cups")
        MemberFactory()
        grant = given(checked(file("tea,new_one,10,", "cups,new_one,20,"), maker, at, makes_members=True), at)

        assert grant.state == Grant.State.DONE
        assert sorted(Account.objects.values_list("balance", flat=True)) == [10, 20]
