"""Importing grades on other tools and members without discount: looked at, done, and done once."""

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import pytest

from crm.choices import ListKind
from crm.memberlists import jobs
from crm.memberlists.importing import ListReport
from crm.memberlists.no_discount import put_on_list, take_off_list
from crm.models import (
    Channel,
    Member,
    MemberList,
    MemberPlatformGrade,
    NoDiscount,
    PlatformGrade,
    PlatformTool,
    StaffAction,
)
from tests.cast import NOON
from tests.crm.memberlists.lists import said, uploaded
from tests.factories import ChannelFactory, IdentityFactory, PlatformGradeFactory, PlatformToolFactory

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)
Problems = list[tuple[int, str, str, str]]


class Brought(NamedTuple):
    """What a list did, and which rows were left out."""

    report: ListReport
    problems: Problems


Bring = Callable[..., Brought]


@pytest.fixture
def tool(shop: Channel) -> PlatformTool:
    return PlatformToolFactory(name="会员关系管理", channel=shop)


@pytest.fixture(autouse=True)
def folder(settings: object, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = tmp_path  # type: ignore[attr-defined]


@pytest.fixture
def bring(tool: PlatformTool) -> Bring:
    """``bring("等级,会员编号", "金牌,7", at=…)``: look at a list of grades and import it; what the look says is what is
    done. A file that cannot be read raises the code of the reason."""

    def bring(*lines: str, seen_at: datetime = NOON, kind: ListKind = ListKind.GRADES) -> Brought:
        seen = uploaded("\n".join(lines), tool if kind is ListKind.GRADES else None, kind=kind, seen_at=seen_at)
        if seen.error:
            raise ValueError(seen.error["code"])
        problems = list(seen.problems.values_list("line_no", "column", "code", "value"))
        jobs.confirm(seen.pk, actor_id=None, at=NOON)
        jobs.run(seen.pk, clock=lambda: NOON)
        done = MemberList.objects.get(pk=seen.pk)
        assert (said(seen), problems) == (
            said(done), list(done.problems.values_list("line_no", "column", "code", "value"))
        )  # fmt: skip
        return Brought(said(done), problems)

    return bring


def figures(brought: Brought) -> tuple[int, int, int, int, int]:
    """New, changed, unchanged, older and left out."""
    report = brought.report
    return report.new, report.changed, report.unchanged, report.older, report.refused


def grades() -> dict[str, str | None]:
    rows = MemberPlatformGrade.objects.select_related("member", "grade")
    return {row.member.name: row.grade.name if row.grade else None for row in rows}


class TestGrades:
    def test_a_file_brings_members_grades_and_what_they_pay(
        self, bring: Bring, xiaolu: Member, dayong: Member, tool: PlatformTool
    ) -> None:
        report = bring("平台昵称,等级,折扣", "小鹿爱喝茶,金牌,9折", "dayong_w,银牌,95%")

        assert figures(report) == (2, 0, 0, 0, 0)
        assert grades() == {"林小鹿": "金牌", "王大勇": "银牌"}
        assert dict(PlatformGrade.objects.values_list("name", "discount_percent")) == {"金牌": 90, "银牌": 95}
        assert [grade.name for grade in report.report.grades] == ["金牌", "银牌"]

    def test_the_same_file_again_changes_nothing(self, bring: Bring, xiaolu: Member) -> None:
        bring("平台昵称,等级", "小鹿爱喝茶,金牌")
        before = MemberPlatformGrade.objects.values().get()

        assert figures(bring("平台昵称,等级", "小鹿爱喝茶,金牌")) == (0, 0, 1, 0, 0)
        assert MemberPlatformGrade.objects.values().get() == before

    @pytest.mark.parametrize("days", [(0, 1), (1, 0)])
    def test_of_two_files_the_later_day_stands_whichever_comes_first(
        self, days: tuple[int, int], bring: Bring, xiaolu: Member
    ) -> None:
        said = {0: "金牌", 1: "银牌"}
        for day in days:
            bring("平台昵称,等级", f"小鹿爱喝茶,{said[day]}", seen_at=NOON + day * DAY)

        assert grades() == {"林小鹿": "银牌"}

    def test_a_buyer_who_lost_his_grade_has_none(self, bring: Bring, xiaolu: Member) -> None:
        bring("平台昵称,等级", "小鹿爱喝茶,金牌")

        assert figures(bring("平台昵称,等级", "小鹿爱喝茶,无", seen_at=NOON + DAY)) == (0, 1, 0, 0, 0)
        assert grades() == {"林小鹿": None}

    def test_what_the_seller_has_entered_for_a_grade_stays(
        self, bring: Bring, xiaolu: Member, tool: PlatformTool
    ) -> None:
        PlatformGradeFactory(tool=tool, name="金牌", discount_percent=88)
        PlatformGradeFactory(tool=tool, name="银牌", discount_percent=None)

        bring("平台昵称,等级,折扣", "小鹿爱喝茶,金牌,90%", "小鹿爱喝茶,银牌,95%")
        bring("平台昵称,等级,折扣", "小鹿爱喝茶,银牌,95%", seen_at=NOON + DAY)

        assert dict(PlatformGrade.objects.values_list("name", "discount_percent")) == {"金牌": 88, "银牌": 95}

    def test_names_are_looked_for_in_the_channel_of_the_tool(self, bring: Bring, xiaolu: Member) -> None:
        IdentityFactory(channel=ChannelFactory(code="other"), external_id="小鹿爱喝茶")

        assert figures(bring("平台昵称,等级", "小鹿爱喝茶,金牌")) == (1, 0, 0, 0, 0)
        assert grades() == {"林小鹿": "金牌"}

    def test_what_is_wrong_is_told_by_line_and_column_and_the_rest_counts(
        self, bring: Bring, xiaolu: Member, dayong: Member
    ) -> None:
        report = bring(
            "平台昵称,等级,折扣",
            "小鹿爱喝茶,金牌,90%",
            "nobody,金牌,90%",
            "小鹿爱喝茶,金牌,90%",
            "小鹿爱喝茶,银牌,90%",
            "dayong_w,,90%",
            "dayong_w,银牌,九折",
            ",银牌,90%",
        )

        assert figures(report) == (1, 0, 0, 0, 6)
        assert report.problems == [
            (3, "平台昵称", "unknown_name", "nobody"),
            (4, "", "duplicate", "2"),
            (5, "", "differs", "2"),
            (6, "等级", "grade_missing", ""),
            (7, "折扣", "percent_unreadable", "九折"),
            (8, "平台昵称", "nobody", ""),
        ]

    @pytest.mark.parametrize("header", ["平台昵称,姓名", "等级,姓名"])
    def test_a_file_without_grades_or_members_is_refused(self, header: str, bring: Bring) -> None:
        with pytest.raises(ValueError, match="not_grades"):
            bring(header, "a,b")

    def test_a_file_with_more_rows_than_a_worker_can_judge_is_refused(
        self, bring: Bring, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("crm.memberlists.importing.MOST_ROWS", 1)

        with pytest.raises(ValueError, match="too_many_rows"):
            bring("平台昵称,等级", "a,金牌", "b,金牌")
        assert not PlatformGrade.objects.exists()

    def test_the_staff_log_says_what_came_of_it(self, bring: Bring, xiaolu: Member, tool: PlatformTool) -> None:
        bring("平台昵称,等级", "小鹿爱喝茶,金牌", "nobody,金牌")

        action = StaffAction.objects.get()
        assert (action.action, action.reason) == ("members.grades", "From the tool")
        assert action.details == {
            "list": MemberList.objects.get().pk,
            "file": "list.csv", "tool": tool.pk, "new": 1, "changed": 0, "unchanged": 0, "refused": 1,
        }  # fmt: skip

    def test_looking_writes_nothing(self, tool: PlatformTool, xiaolu: Member) -> None:
        assert said(uploaded("平台昵称,等级\n小鹿爱喝茶,金牌", tool, encoding="gb18030")).new == 1
        assert not MemberPlatformGrade.objects.exists()
        assert not PlatformGrade.objects.exists()
        assert not StaffAction.objects.exists()


class TestWithoutDiscount:
    def test_a_file_puts_members_on_the_list_with_their_reasons(
        self, bring: Bring, xiaolu: Member, dayong: Member
    ) -> None:
        report = bring("平台昵称,原因", "小鹿爱喝茶,批发客户", "dayong_w,", kind=ListKind.NO_DISCOUNT)

        assert figures(report) == (2, 0, 0, 0, 0)
        assert dict(NoDiscount.objects.values_list("member__name", "reason")) == {
            "林小鹿": "批发客户", "王大勇": "From the tool",
        }  # fmt: skip

    def test_who_is_on_it_stays_as_he_is(self, bring: Bring, xiaolu: Member, at: datetime) -> None:
        put_on_list([xiaolu.pk], reason="A reseller", at=at - DAY, actor_id=None)

        assert figures(bring("平台昵称", "小鹿爱喝茶", kind=ListKind.NO_DISCOUNT)) == (0, 0, 1, 0, 0)
        assert NoDiscount.objects.get().reason == "A reseller"

    def test_a_file_takes_members_off_and_history_stays(
        self, bring: Bring, xiaolu: Member, dayong: Member, at: datetime
    ) -> None:
        put_on_list([xiaolu.pk], reason="A reseller", at=at - DAY, actor_id=None)
        lines = ("平台昵称,原因", "小鹿爱喝茶,不再批发", "dayong_w,")

        assert figures(bring(*lines, kind=ListKind.DISCOUNT_AGAIN)) == (0, 1, 1, 0, 0)
        assert figures(bring(*lines, kind=ListKind.DISCOUNT_AGAIN)) == (0, 0, 2, 0, 0)
        row = NoDiscount.objects.get()
        assert (row.since, row.until, row.until_reason) == (at - DAY, at, "不再批发")

    def test_by_hand_it_takes_a_reason_and_is_logged_with_the_member(self, xiaolu: Member, at: datetime) -> None:
        with pytest.raises(ValueError, match="needs a reason"):
            put_on_list([xiaolu.pk], reason=" ", at=at, actor_id=None)

        assert put_on_list([xiaolu.pk], reason="A reseller", at=at, actor_id=None) == 1
        assert put_on_list([xiaolu.pk], reason="Again", at=at, actor_id=None) == 0
        assert take_off_list([xiaolu.pk], reason="No more", at=at + DAY, actor_id=None) == 1
        assert take_off_list([xiaolu.pk], reason="No more", at=at + DAY, actor_id=None) == 0
        assert put_on_list([xiaolu.pk], reason="Once more", at=at + 2 * DAY, actor_id=None) == 1

        assert list(StaffAction.objects.order_by("pk").values_list("action", "reason", "member")) == [
            ("no_discount.add", "A reseller", xiaolu.pk),
            ("no_discount.remove", "No more", xiaolu.pk),
            ("no_discount.add", "Once more", xiaolu.pk),
        ]
