"""An uploaded file is checked: whom its rows mean, what they would do, and why some cannot be posted."""

import gzip
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import OperationalError

from crm.models import Channel, Member, StaffAction, User
from loyalty.grants import making
from loyalty.grants.messages import ROWS, describe_file, describe_row
from loyalty.grants.preview import Part, Preview, cost_in_yuan, preview, same_file
from loyalty.grants.rows import MOST
from loyalty.models import Entry, Grant
from tests.factories import ChannelFactory, IdentityFactory
from tests.loyalty.grants.files import BY_NUMBER, checked, csv_file, of, problems, row, workbook
from tests.loyalty.postings import earned, returned, write

pytestmark = pytest.mark.usefixtures("books_add_up")

State = Grant.State
DAY = timedelta(days=1)


class TestFile:
    @pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gbk", "utf-16"])
    def test_it_is_read_in_the_encodings_that_spreadsheets_write(
        self, encoding: str, xiaolu: Member, maker: User, at: datetime
    ) -> None:
        grant = checked(csv_file("tea,小鹿爱喝茶,100", header="店铺,平台昵称,积分", encoding=encoding), maker, at)

        assert grant.state == State.READY
        assert row(grant, 2).member == xiaolu

    def test_a_workbook_is_read_and_its_formulas_by_the_result_that_was_saved(
        self, xiaolu: Member, maker: User, at: datetime
    ) -> None:
        grant = checked(
            workbook(["member id", "points", "valid through"], [xiaolu.pk, 100.0, date(2026, 12, 31)], [1, "=1+1"]),
            maker, at,
        )  # fmt: skip

        given = row(grant, 2)
        assert (given.member, given.points, str(given.valid_through)) == (xiaolu, 100, "2026-12-31")
        assert problems(grant) == {3: "points_missing"}  # Nobody has opened the workbook, so no result was saved.

    @pytest.mark.parametrize(
        ("content", "code"),
        [
            (b"", "empty"),
            (b"\n\n", "empty"),
            (b"points\n5\n", "grant_columns"),
            (b"name,sum\na,1\n", "grant_columns"),
            (b"member id,points\n", "only_header"),
            (b"member id,points,Points\n1,2,3\n", "double_column"),
            (b"member id,points\n1,\0\n", "nul_bytes"),
            (b"%PDF-1.7 ...", "pdf"),
            (b"\x89PNG....", "image"),
            (b"<html><body>Sign in</body></html>", "html_page"),
            (b"PK\x03\x04 not a zip", "damaged_archive"),
            (b"\xd0\xcf\x11\xe0....", "old_excel"),
            (b'member id,points\n1,"5\n', "unclosed_quote"),
            (bytes(range(1, 256)) * 40_000, "encoding"),
            (b"x" * 10_000_000, "record_too_long"),
        ],
    )
    def test_what_is_no_table_of_points_is_refused_and_says_why(
        self, content: bytes, code: str, maker: User, at: datetime
    ) -> None:
        grant = checked(SimpleUploadedFile("points.csv", content), maker, at)

        assert (grant.state, grant.inspection["unreadable"]["code"]) == (State.FAILED, code)
        assert describe_file(**grant.inspection["unreadable"])
        assert not grant.rows.exists()

    def test_once_its_rows_are_in_the_database_the_file_is_gone(
        self, xiaolu: Member, maker: User, at: datetime, folder: Path, django_capture_on_commit_callbacks: object
    ) -> None:
        with django_capture_on_commit_callbacks(execute=True):  # type: ignore[operator]
            checked(csv_file(of(xiaolu, 5), header=BY_NUMBER), maker, at)
            assert [path.name for path in folder.rglob("*.upload")]

        assert not list(folder.rglob("*.upload"))

    def test_a_file_that_cannot_be_read_is_not_kept_either(self, maker: User, at: datetime, folder: Path) -> None:
        checked(csv_file(header="nothing"), maker, at)

        assert not list(folder.rglob("*.upload"))

    def test_while_it_waits_nobody_else_on_the_machine_may_read_it(
        self, maker: User, at: datetime, folder: Path
    ) -> None:
        making.upload(csv_file("tea,x,1", name="../../etc/passwd"), actor_id=maker.pk, at=at)

        (kept,) = folder.rglob("*.upload")
        assert kept.stat().st_mode & 0o077 == 0
        assert Grant.objects.get().name == "passwd"

    def test_a_packed_file_is_unpacked(self, xiaolu: Member, maker: User, at: datetime) -> None:
        content = gzip.compress(f"{BY_NUMBER}\n{of(xiaolu, 5)}".encode())
        grant = checked(SimpleUploadedFile("points.csv.gz", content), maker, at)

        assert grant.state == State.READY

    def test_checking_gives_nothing(self, xiaolu: Member, maker: User, at: datetime) -> None:
        checked(csv_file(of(xiaolu, 5), header=BY_NUMBER), maker, at)

        assert not Entry.objects.exists()
        assert [action.action for action in StaffAction.objects.all()] == ["grant.make"]

    def test_a_database_that_goes_away_leaves_it_to_be_checked_again(
        self, xiaolu: Member, maker: User, at: datetime, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        grant = making.upload(csv_file(of(xiaolu, 5), header=BY_NUMBER), actor_id=maker.pk, at=at)
        with monkeypatch.context() as patch:
            patch.setattr(making, "write_rows", _raise(OperationalError("gone")))
            with pytest.raises(OperationalError):
                making.check(grant.pk, at=at)
        making.check(grant.pk, at=at)

        grant.refresh_from_db()
        assert grant.state == State.READY
        assert grant.rows.count() == 1

    def test_any_other_error_is_said_and_leaves_the_file_for_another_try(
        self, xiaolu: Member, maker: User, at: datetime, monkeypatch: pytest.MonkeyPatch, folder: Path
    ) -> None:
        monkeypatch.setattr(making, "write_rows", _raise(RuntimeError("a bug")))
        grant = checked(csv_file(of(xiaolu, 5), header=BY_NUMBER), maker, at)

        assert grant.state == State.FAILED
        assert grant.error
        assert list(folder.rglob("*.upload"))


def _raise(error: Exception) -> object:
    def fail(*args: object, **kwargs: object) -> None:
        raise error

    return fail


class TestWho:
    """The shop knows 林小鹿 (a phone on Taobao) and 王大勇 (an address on Taobao)."""

    HEADER = "channel,name on the platform,member id,phone,email,points"

    @pytest.fixture
    def jd(self, db: None) -> Channel:
        """A second shop, where another buyer has 林小鹿's name."""
        channel: Channel = ChannelFactory(code="jd", name="山间茶铺京东")
        IdentityFactory(channel=channel, external_id="小鹿爱喝茶", phone="13800000009")
        return channel

    @pytest.mark.parametrize(
        "line",
        [
            "tea,小鹿爱喝茶,,,,100", "TEA,小鹿爱喝茶,,,,100", "山间茶铺,小鹿爱喝茶,,,,100", ",,{id},,,100",
            ",,#{id},,,100", ",,,13800000001,,100", ",,,'+86 138-0000-0001,,100", ",,,,xiaolu@example.com,100",
            ",,,,XiaoLu@Example.com,100", "tea,小鹿爱喝茶,{id},13800000001,xiaolu@example.com,100",
        ],
    )  # fmt: skip
    @pytest.mark.usefixtures("jd", "dayong")
    def test_a_member_is_found_by_any_exact_name(self, line: str, xiaolu: Member, maker: User, at: datetime) -> None:
        grant = checked(csv_file(line.format(id=xiaolu.pk), header=self.HEADER), maker, at)

        assert problems(grant) == {}
        assert row(grant, 2).member == xiaolu

    def test_an_address_that_only_the_platform_told_us_is_as_good(
        self, dayong: Member, maker: User, at: datetime
    ) -> None:
        grant = checked(csv_file("dayong@example.com,5", header="邮箱,积分"), maker, at)

        assert row(grant, 2).member == dayong

    def test_a_shop_with_one_channel_need_not_name_it(self, xiaolu: Member, maker: User, at: datetime) -> None:
        grant = checked(csv_file("小鹿爱喝茶,5", header="平台昵称,积分"), maker, at)

        assert row(grant, 2).member == xiaolu

    @pytest.mark.parametrize(
        ("line", "problem"),
        [
            ("tea,nobody,,,,5", ("unknown_name", "name on the platform", "nobody")),
            ("TeaHouse,小鹿爱喝茶,,,,5", ("unknown_channel", "channel", "TeaHouse")),
            (",小鹿爱喝茶,,,,5", ("channel_missing", "name on the platform", "小鹿爱喝茶")),
            (",,987654321,,,5", ("unknown_member", "member id", "987654321")),
            (",,,13900000000,,5", ("unknown_contact", "phone", "13900000000")),
            (",,,,nobody@example.com,5", ("unknown_contact", "email", "nobody@example.com")),
        ],
    )
    @pytest.mark.usefixtures("jd", "xiaolu")
    def test_a_name_that_nobody_has_is_refused_where_it_stands(
        self, line: str, problem: tuple[str, str, str], maker: User, at: datetime
    ) -> None:
        refused = row(checked(csv_file(line, header=self.HEADER), maker, at), 2)

        assert (refused.code, refused.column, refused.value) == problem
        assert refused.value in describe_row(*problem)

    def test_a_phone_that_several_members_have_names_none_of_them(
        self, xiaolu: Member, dayong: Member, maker: User, at: datetime
    ) -> None:
        dayong.phone = "13800000001"
        dayong.save()
        grant = checked(csv_file("13800000001,5", header="phone,points"), maker, at)

        assert problems(grant) == {2: "ambiguous_contact"}

    def test_but_beside_his_number_it_does_no_harm(
        self, xiaolu: Member, dayong: Member, maker: User, at: datetime
    ) -> None:
        dayong.phone = "13800000001"
        dayong.save()
        grant = checked(csv_file(f"{dayong.pk},13800000001,5", header="member id,phone,points"), maker, at)

        assert row(grant, 2).member == dayong

    def test_an_address_of_two_with_a_phone_of_one_of_them_names_that_one(
        self, xiaolu: Member, dayong: Member, maker: User, at: datetime
    ) -> None:
        dayong.email = "xiaolu@example.com"
        dayong.save()
        grant = checked(csv_file("xiaolu@example.com,13800000001,5", header="email,phone,points"), maker, at)

        assert row(grant, 2).member == xiaolu

    @pytest.mark.parametrize(
        "line", ["tea,小鹿爱喝茶,{other},,,5", ",,{other},13800000001,,5", "tea,dayong_w,,,xiaolu@example.com,5"]
    )
    def test_columns_that_name_different_members_are_refused(
        self, line: str, xiaolu: Member, dayong: Member, maker: User, at: datetime
    ) -> None:
        grant = checked(csv_file(line.format(other=dayong.pk), header=self.HEADER), maker, at)

        assert problems(grant) == {2: "identities_differ"}

    def test_one_member_s_own_phone_on_two_channels_is_still_one_member(
        self, jd: Channel, xiaolu: Member, maker: User, at: datetime
    ) -> None:
        IdentityFactory(channel=jd, member=xiaolu, external_id="lu", phone="13800000001")
        grant = checked(csv_file("13800000001,5", header="phone,points"), maker, at)

        assert row(grant, 2).member == xiaolu


class TestPreview:
    def test_it_adds_up_what_would_be_given_and_taken(
        self, xiaolu: Member, dayong: Member, maker: User, at: datetime
    ) -> None:
        write(earned(dayong, 30, key="in", at=at), at=at)
        grant = checked(
            csv_file(of(xiaolu, 100), of(xiaolu, 50), of(dayong, -20), of(xiaolu, "x"), header=BY_NUMBER), maker, at
        )

        assert preview(grant.pk) == Preview(rows=4, usual=Part(3, 2, 150, 20), refused=1)
        assert Preview.from_json(grant.figures) == preview(grant.pk)
        assert (grant.points_moved, grant.largest) == (170, 150)

    def test_it_says_what_the_points_cost(self, db: None, at: datetime) -> None:
        assert cost_in_yuan(12_345, at) == Decimal("1234.50")

    def test_a_row_that_says_the_same_as_another_one_is_left_out_and_says_which(
        self, xiaolu: Member, maker: User, at: datetime
    ) -> None:
        grant = checked(csv_file(of(xiaolu, 5), of(xiaolu, 6), of(xiaolu, 5), header=BY_NUMBER), maker, at)

        assert problems(grant) == {4: "duplicate"}
        assert row(grant, 4).value == "2"
        assert preview(grant.pk).duplicates == Part(1, 1, 5, 0)

    def test_the_same_member_under_two_names_is_a_duplicate_too(
        self, xiaolu: Member, maker: User, at: datetime
    ) -> None:
        lines = ("tea,小鹿爱喝茶,,5", f",,{xiaolu.pk},5")
        grant = checked(csv_file(*lines, header="channel,name on the platform,member id,points"), maker, at)

        assert problems(grant) == {3: "duplicate"}

    def test_another_reason_makes_another_fact(self, xiaolu: Member, maker: User, at: datetime) -> None:
        lines = (f"{xiaolu.pk},5,March", f"{xiaolu.pk},5,April")
        grant = checked(csv_file(*lines, header="member id,points,reason"), maker, at)

        assert problems(grant) == {}

    def test_deductions_that_the_balance_does_not_suffice_for_are_told_beforehand(
        self, xiaolu: Member, dayong: Member, maker: User, at: datetime
    ) -> None:
        write(earned(xiaolu, 100, key="in", at=at), earned(xiaolu, 50, key="lapses", at=at, expires_at=at + DAY), at=at)
        lines = (of(xiaolu, -60), of(xiaolu, -41), of(dayong, -1), of(xiaolu, -140))
        grant = checked(csv_file(*lines, header=BY_NUMBER), maker, at + 2 * DAY)

        assert list(grant.rows.filter(short=True).values_list("line_no", flat=True)) == [3, 4, 5]
        assert problems(grant) == {}

    def test_what_is_given_in_the_same_file_counts_after_a_debt_is_settled(
        self, xiaolu: Member, maker: User, at: datetime
    ) -> None:
        write(returned(xiaolu, 30, key="back", at=at), at=at)
        grant = checked(csv_file(of(xiaolu, -70), of(xiaolu, 100), of(xiaolu, -1), header=BY_NUMBER), maker, at)

        assert list(grant.rows.filter(short=True).values_list("line_no", flat=True)) == [4]

    def test_more_than_a_row_may_hold_is_refused(self, xiaolu: Member, maker: User, at: datetime) -> None:
        grant = checked(csv_file(of(xiaolu, MOST + 1), of(xiaolu, -MOST - 1), header=BY_NUMBER), maker, at)

        assert problems(grant) == {2: "points_too_many", 3: "points_too_many"}

    def test_the_same_file_is_recognised_whatever_it_is_called(self, xiaolu: Member, maker: User, at: datetime) -> None:
        first = checked(csv_file(of(xiaolu, 5), header=BY_NUMBER), maker, at)
        second = checked(csv_file(of(xiaolu, 5), header=BY_NUMBER, name="points (1).csv"), maker, at)

        assert same_file(second) == first
        assert same_file(first) is None


def test_every_code_has_words_that_say_what_to_do() -> None:
    for code in ROWS:
        assert describe_row(code, "points", "x").strip()
