"""Files that can be read: encodings, delimiters, line numbers, workbooks, resuming."""

import gzip
from datetime import datetime
from pathlib import Path

import pytest
from openpyxl import Workbook

from crm.feeds import OrderRecord, Problem, UnreadableFile, inspect, read
from tests.crm.feeds.exports import (
    INVOICE_HEADER,
    INVOICES,
    NOON,
    ORDER,
    WITH_REFUNDS,
    details,
    only,
    orders,
    read_all,
    refunds,
    refused,
    save,
    table,
)


@pytest.mark.parametrize(
    ("written", "found"),
    [
        ("gbk", "gb18030"),
        ("gb18030", "gb18030"),
        ("utf-8", "utf-8"),
        ("utf-8-sig", "utf-8-sig"),
        ("utf-16", "utf-16"),
        ("utf-16-le", ""),
    ],
)
def test_the_encoding_is_found_and_named(tmp_path: Path, written: str, found: str) -> None:
    path = save(tmp_path, orders({}), written)

    if not found:  # Without a byte order mark there is nothing to go by.
        with pytest.raises(UnreadableFile) as caught:
            inspect(path, at=NOON)
        assert caught.value.code == "nul_bytes"
        return
    assert inspect(path, at=NOON).encoding == found
    assert only(path).title == "【明前】龙井茶 250g，礼盒装"
    assert only(path, encoding=found) == only(path)


def test_the_encoding_is_decided_by_the_whole_file_not_by_its_beginning(tmp_path: Path) -> None:
    rows = [["1", "A", "teapot", "1", "2011-01-01 10:00:00", "5", "7", "UK"]] * 20_000
    rows.append(["2", "A", "茶壶", "1", "2011-01-01 10:00:00", "5", "7", "UK"])
    path = save(tmp_path, table(INVOICE_HEADER, rows[19_000:] + rows[:19_000] + rows[20_000:]), "gb18030")

    assert inspect(path, at=NOON, profile=INVOICES).encoding == "gb18030"
    assert read_all(path, profile=INVOICES)[-1].lines[0].title == "茶壶"  # type: ignore[union-attr]


@pytest.mark.parametrize("mark", [",", "\t", ";"])
def test_the_delimiter_is_taken_from_the_header(tmp_path: Path, mark: str) -> None:
    cells = [ORDER.get(name.strip(), "") for name in WITH_REFUNDS]
    path = save(tmp_path, mark.join(WITH_REFUNDS) + "\n" + mark.join(cells).replace('="', "").replace('"', "") + "\n")

    assert inspect(path, at=NOON).delimiter == mark
    assert only(path).external_no == "3515313140000001"


@pytest.mark.parametrize("end", ["\r\n", "\n", "\r"])
def test_every_kind_of_line_end_is_counted_the_same(tmp_path: Path, end: str) -> None:
    path = save(tmp_path, table(WITH_REFUNDS, [ORDER, ORDER | {"订单编号": "x"}, ORDER], end))

    assert [item.line_no for item in read_all(path)] == [2, 3, 4]


def test_a_row_has_the_number_of_the_line_where_it_begins(tmp_path: Path) -> None:
    remark = {"买家留言": "请放门口\r\n不要打电话\r\n谢谢"}
    path = save(tmp_path, "\r\n" + orders(remark, {}).replace("\r\n", "\r\n", 1))

    first, second = read_all(path)

    assert (first.line_no, second.line_no) == (3, 6)
    assert isinstance(first, OrderRecord) and first.raw["买家留言"] == "请放门口\r\n不要打电话\r\n谢谢"


def test_blank_rows_are_no_rows(tmp_path: Path) -> None:
    text = table(WITH_REFUNDS, [ORDER, [""] * len(WITH_REFUNDS), ["", ""], ORDER]) + "\r\n\r\n"

    report = inspect(save(tmp_path, text), at=NOON)

    assert (report.rows, report.records, report.problem_counts) == (2, 2, {})


def test_a_last_row_without_line_end_is_read(tmp_path: Path) -> None:
    assert only(save(tmp_path, orders({}).rstrip("\r\n"))).external_no == "3515313140000001"


def test_a_compressed_file_is_read_like_the_file_itself(tmp_path: Path) -> None:
    plain = save(tmp_path, orders({}, {"订单编号": "2"}))
    packed = tmp_path / "export.csv.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))

    assert read_all(packed) == read_all(plain)


def test_a_short_row_may_mean_that_the_file_was_cut_off(tmp_path: Path) -> None:
    text = orders({}, {"订单编号": "2"})
    path = save(tmp_path, text[: text.rindex(',"0.00"')])

    record, problem = read_all(path)

    assert isinstance(record, OrderRecord)
    assert isinstance(problem, Problem) and (problem.code, problem.line_no) == ("short_row", 3)


def test_more_cells_than_columns_are_refused_unless_they_are_empty(tmp_path: Path) -> None:
    cells = [ORDER.get(name.strip(), "") for name in WITH_REFUNDS]

    assert only(save(tmp_path, table(WITH_REFUNDS, [[*cells, "", " "]])))
    problem = refused(save(tmp_path, table(WITH_REFUNDS, [[*cells, "", "鬼"]])))
    assert (problem.code, problem.value) == ("extra_cells", "鬼")


def test_an_inspection_says_what_is_in_the_file(tmp_path: Path) -> None:
    path = save(
        tmp_path,
        orders(
            {},
            {"订单编号": "3.51531E+16"},
            {"订单编号": "3", "订单创建时间": "2026-02-01 08:00:00"},
            {"订单编号": "4", "订单状态": "已飞走"},
            {"订单编号": "5", "订单状态": "已飞走"},
        ),
    )

    report = inspect(path, at=NOON, samples=2)

    assert report.kind == "taobao_orders"
    assert (report.rows, report.records, report.rejected_rows) == (5, 2, 3)
    assert report.problem_counts == {"id_damaged": 1, "unknown_status": 2}
    assert [problem.line_no for problem in report.problems] == [3, 5, 6]
    assert report.header[13] == "收货地址"
    assert [len(row) for row in report.samples] == [len(WITH_REFUNDS)] * 2
    assert "退款金额" in report.recognised and "预约门店" in report.unknown
    assert report.first_placed_at == datetime.fromisoformat("2026-02-01T08:00:00+08:00")
    assert report.last_placed_at == datetime.fromisoformat("2026-03-01T00:42:32+08:00")


def test_each_list_is_told_by_its_columns(tmp_path: Path) -> None:
    assert inspect(save(tmp_path, details({})), at=NOON).kind == "taobao_details"
    assert inspect(save(tmp_path, refunds({})), at=NOON).kind == "taobao_refunds"


def test_reading_goes_on_after_the_last_line_that_was_stored(tmp_path: Path) -> None:
    lines = save(tmp_path, details({}, {"商家编码": "TEA-500"}, {"订单编号": "2"}, {"订单编号": "3"}))
    whole = read_all(lines)

    for place, item in enumerate(whole):
        assert read_all(lines, start_line=item.line_no + 1) == whole[place + 1 :]
        assert read_all(lines, start_line=item.line_no) == whole[place:]

    listed = save(tmp_path, orders({}, {"订单编号": "x"}, {"订单编号": "3"}))
    assert read_all(listed, start_line=3) == read_all(listed)[1:]


def test_two_passes_over_a_file_give_the_same_records(tmp_path: Path) -> None:
    path = save(tmp_path, orders({}, {"订单编号": "2", "订单创建时间": "2026-3-1 0:42"}))

    assert list(read(path, at=NOON)) == list(read(path, at=NOON))


# --- workbooks ------------------------------------------------------------------------------------------------------


def workbook(folder: Path, *rows: list[object]) -> Path:
    book = Workbook()
    for row in rows:
        book.active.append(row)
    path = folder / "export.xlsx"
    book.save(path)
    return path


def cells(**changes: object) -> list[object]:
    return [(ORDER | changes).get(name.strip(), None) for name in WITH_REFUNDS]


def test_a_workbook_reads_like_the_csv_of_the_same_orders(tmp_path: Path) -> None:
    path = workbook(tmp_path, list(WITH_REFUNDS), cells(订单编号="3515313140000001", 特权订金订单id=None))

    assert inspect(path, at=NOON).encoding == "xlsx"
    assert only(path) == only(save(tmp_path, orders({})))


def test_numbers_and_dates_of_a_workbook_become_text_without_losing_anything(tmp_path: Path) -> None:
    row = cells(
        订单编号=351531314000001,
        买家实际支付金额=0.1 + 0.2,
        退款金额=0,
        订单创建时间=datetime.fromisoformat("2026-03-01T00:42:32"),
        店铺Id=12.0,
    )

    record = only(workbook(tmp_path, list(WITH_REFUNDS), row))

    assert record.external_no == "351531314000001"
    assert str(record.paid) == "0.30"
    assert record.placed_at == datetime.fromisoformat("2026-03-01T00:42:32+08:00")
    assert record.raw["店铺Id"] == "12"


def test_an_order_number_stored_as_a_rounded_number_is_damaged(tmp_path: Path) -> None:
    problem = refused(workbook(tmp_path, list(WITH_REFUNDS), cells(订单编号=3.5153131400000001e16)))

    assert (problem.code, problem.column, problem.line_no) == ("id_damaged", "订单编号", 2)


def test_empty_rows_in_a_workbook_are_skipped_and_lines_still_counted(tmp_path: Path) -> None:
    path = workbook(tmp_path, [None], list(WITH_REFUNDS), [None] * 3, cells(订单编号="x"))

    assert refused(path).line_no == 4
