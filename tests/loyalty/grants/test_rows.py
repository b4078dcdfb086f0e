"""What a table of points may look like, and how a row that cannot be meant is refused."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

import pytest

from crm.filekit import CellError, RowProblem, UnreadableFile, read_member_id
from loyalty.grants.rows import GrantRecord, point_columns, read_day, read_points, read_rows

TODAY = date(2026, 3, 10)


@dataclass
class Rows:
    """A table in memory."""

    header: tuple[str, ...]
    cells: list[list[str]]
    encoding: str = "utf-8"
    delimiter: str = ","

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        yield from enumerate(self.cells, start=2)


def read(header: str, *lines: str) -> list[GrantRecord | RowProblem]:
    table = Rows(tuple(header.split(",")), [line.split(",") for line in lines])
    return list(read_rows(table, today=TODAY))


def refusal(header: str, line: str) -> tuple[str, str, str]:
    (problem,) = read(header, line)
    assert isinstance(problem, RowProblem)
    return problem.code, problem.column, problem.value


class TestHeaders:
    @pytest.mark.parametrize(
        ("header", "fields"),
        [
            ("channel,name on the platform,points", {"channel", "name", "points"}),
            ("店铺,平台昵称,积分,原因,有效期至", {"channel", "name", "points", "reason", "valid_through"}),
            (" Member ID ,POINTS", {"member", "points"}),
            ("会员编号,积分", {"member", "points"}),
            ("Ｅ－ｍａｉｌ,points", {"email", "points"}),
            ("手机号码,积分数", {"phone", "points"}),
            ("member_id,valid_until,points", {"member", "valid_through", "points"}),
        ],
    )
    def test_columns_are_found_in_both_languages_however_they_are_written(self, header: str, fields: set[str]) -> None:
        assert set(point_columns(header.split(",")).places) == fields

    def test_columns_that_mean_nothing_here_are_named(self) -> None:
        assert point_columns(["会员编号", "城市", "积分", ""]).ignored == ("城市",)

    @pytest.mark.parametrize("header", ["points", "name,sum", "member id,phone", "会员编号,金额"])
    def test_without_points_or_a_name_for_who_gets_them_there_is_nothing_to_read(self, header: str) -> None:
        with pytest.raises(UnreadableFile) as refused:
            point_columns(header.split(","))
        assert refused.value.code == "grant_columns"

    @pytest.mark.parametrize("header", ["member id,points,points", "member id,points,积分", "phone,手机,points"])
    def test_of_two_columns_that_mean_the_same_none_is_chosen(self, header: str) -> None:
        with pytest.raises(UnreadableFile) as refused:
            point_columns(header.split(","))
        assert refused.value.code == "double_column"

    def test_a_table_of_nothing_but_a_header_is_refused(self) -> None:
        with pytest.raises(UnreadableFile) as refused:
            read("member id,points", ",")
        assert refused.value.code == "only_header"


class TestPoints:
    @pytest.mark.parametrize(
        ("cell", "points"),
        [
            ("100", 100), ("+100", 100), ("-50", -50), ("−50", -50), ("'-50", -50), ("１２０", 120), ("－５", -5),
            ("1,000", 1000), ("1,234,567", 1_234_567), ("100.0", 100), ("100.00", 100), (' ="75" ', 75),
            ("10000000", 10_000_000), ("007", 7),
        ],
    )  # fmt: skip
    def test_whole_numbers_are_read_however_they_are_written(self, cell: str, points: int) -> None:
        assert read_points(cell) == points

    @pytest.mark.parametrize(
        ("cell", "code"),
        [
            ("", "points_missing"), ("   ", "points_missing"), ("'null", "points_missing"),
            ("0", "points_zero"), ("-0", "points_zero"), ("0.00", "points_zero"),
            ("1.5", "points_not_whole"), ("1.000", "points_not_whole"), ("1,000.5", "points_not_whole"),
            ("1e3", "points_unreadable"), ("1E+03", "points_unreadable"), ("ten", "points_unreadable"),
            ("100分", "points_unreadable"), ("1 000", "points_unreadable"), ("10,00", "points_unreadable"),
            ("--5", "points_unreadable"), ("(50)", "points_unreadable"), ("½", "points_unreadable"),
            ("１e３", "points_unreadable"), ("٣", "points_unreadable"), ("#REF!", "points_unreadable"),
            ("=1+1", "formula"), ("=SUM(A1:A3)", "formula"),
            ("10000001", "points_too_many"), ("-10000001", "points_too_many"),
            ("9" * 40, "points_unreadable"), ("TRUE", "points_unreadable"),
        ],
    )  # fmt: skip
    def test_what_may_mean_something_else_is_refused(self, cell: str, code: str) -> None:
        with pytest.raises(CellError) as refused:
            read_points(cell)
        assert refused.value.code == code


class TestWho:
    @pytest.mark.parametrize(("cell", "number"), [("7", 7), ("#7", 7), ("７", 7), ("7.0", 7), ('="7"', 7), ("", None)])
    def test_a_member_s_number_is_read_however_it_is_written(self, cell: str, number: int | None) -> None:
        assert read_member_id(cell) == number

    @pytest.mark.parametrize("cell", ["seven", "-7", "7.5", "9" * 19, "1 2"])
    def test_a_number_that_is_none_is_refused(self, cell: str) -> None:
        with pytest.raises(CellError) as refused:
            read_member_id(cell)
        assert refused.value.code == "member_unreadable"

    def test_a_row_that_names_nobody_says_which_column_is_empty(self) -> None:
        assert refusal("会员编号,积分", ",5") == ("nobody", "会员编号", "")

    def test_a_masked_phone_alone_names_nobody(self) -> None:
        assert refusal("手机,积分", "138****0001,5") == ("contact_unreadable", "手机", "138****0001")

    def test_beside_a_number_a_masked_phone_does_no_harm(self) -> None:
        (record,) = read("member id,phone,points", "7,138****0001,5")
        assert isinstance(record, GrantRecord)
        assert (record.member_id, record.phone) == (7, "")

    def test_a_refused_row_still_says_whom_it_seems_to_mean(self) -> None:
        (problem,) = read("channel,name on the platform,phone,points", "tea,小鹿,13800000001,x")
        assert isinstance(problem, RowProblem)
        assert (problem.line_no, problem.who, problem.contact) == (2, "tea · 小鹿", "13800000001")


class TestDays:
    @pytest.mark.parametrize(
        "cell", ["2026-12-31", "2026/12/31", "2026.12.31", "2026年12月31日", "2026-12-31 00:00:00", "２０２６-12-31"]
    )
    def test_a_day_is_read_however_it_is_written(self, cell: str) -> None:
        assert read_day(cell, TODAY) == date(2026, 12, 31)

    @pytest.mark.parametrize(
        ("cell", "code"),
        [
            ("2026-02-30", "day_unreadable"), ("31.12.2026", "day_unreadable"), ("46387", "day_unreadable"),
            ("2026-12-31 18:05:00", "day_unreadable"), ("next year", "day_unreadable"),
            ("2026-03-09", "day_over"), ("2127-01-01", "day_too_late"), ("9999-12-31", "day_too_late"),
        ],
    )  # fmt: skip
    def test_a_day_that_cannot_be_is_refused(self, cell: str, code: str) -> None:
        with pytest.raises(CellError) as refused:
            read_day(cell, TODAY)
        assert refused.value.code == code

    def test_today_still_counts_and_an_empty_cell_leaves_it_to_the_policy(self) -> None:
        assert read_day("2026-03-10", TODAY) == TODAY
        assert read_day("", TODAY) is None

    def test_points_that_are_taken_away_have_no_validity(self) -> None:
        assert refusal("member id,points,valid through", "7,-5,2026-12-31")[0] == "validity_of_deduction"


class TestRest:
    def test_rows_of_nothing_but_blanks_are_passed_over(self) -> None:
        assert [record.line_no for record in read("member id,points", "1,5", " , ", "2,5")] == [2, 4]

    @pytest.mark.parametrize(("line", "code"), [("7", "short_row"), ("7,5,8", "extra_cells")])
    def test_a_row_of_another_width_is_refused(self, line: str, code: str) -> None:
        assert refusal("member id,points", line)[0] == code

    @pytest.mark.parametrize("character", ["\0", "\x1b", "\x7f", "\ud800"])
    def test_characters_that_nobody_sees_are_refused_where_they_stand(self, character: str) -> None:
        code, column, value = refusal("channel,name on the platform,points", f"tea,mei{character},5")
        assert (code, column, value) == ("control_characters", "name on the platform", "mei\ufffd")

    def test_a_reason_is_kept_in_one_line_and_within_bounds(self) -> None:
        (record,) = read("member id,points,reason", "7,5,  broken\tcup ")
        assert isinstance(record, GrantRecord)
        assert record.reason == "broken cup"
        assert refusal("member id,points,reason", f"7,5,{'x' * 301}")[0] == "value_too_long"

    def test_a_number_that_a_spreadsheet_has_rounded_is_refused(self) -> None:
        assert refusal("channel,name on the platform,points", "tea,2.2006E+12,5")[0] == "id_damaged"

    def test_more_rows_than_a_grant_may_have_are_refused(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("crm.memberfiles.rows.MAX_ROWS", 2)
        with pytest.raises(UnreadableFile) as refused:
            read("member id,points", "1,5", "2,5", "3,5")
        assert refused.value.code == "too_many_rows"
