"""Files that cannot be read as a whole: each is refused with a reason, before anything could be written."""

import gzip
import io
import tracemalloc
import zipfile
from pathlib import Path

import pytest

from crm.feeds import UnreadableFile, inspect, read
from crm.feeds.messages import describe
from tests.crm.feeds.exports import NOON, WITH_REFUNDS, orders, save, table


def refusal(path: Path) -> UnreadableFile:
    with pytest.raises(UnreadableFile) as caught:
        inspect(path, at=NOON)
    assert describe(caught.value)
    return caught.value


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "empty"),
        (b"\r\n\r\n", "empty"),
        (b"\xef\xbb\xbf", "empty"),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "image"),
        (b"%PDF-1.7\n", "pdf"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "old_excel"),
        (b"Rar!\x1a\x07\x00", "other_archive"),
        (b"<!DOCTYPE html><html><body>login</body></html>", "html_page"),
        (b"\r\n <table><tr><td>1</td></tr></table>", "html_page"),
        (b"PK\x03\x04 and then nothing", "damaged_archive"),
        (b"a,b\n1,\0\n", "nul_bytes"),
        (b"\x1f\x8b\x08 and then nothing", "damaged_archive"),
        (gzip.compress(gzip.compress(b"a,b\n", mtime=0), mtime=0), "other_archive"),
        (b"name,colour\nteapot,green\n", "unknown_columns"),
        (b'{"orders": []}', "unknown_columns"),
    ],
)
def test_a_file_of_another_kind_is_told_by_its_content(tmp_path: Path, content: bytes, code: str) -> None:
    path = tmp_path / "orders.csv"
    path.write_bytes(content)

    assert refusal(path).code == code


def test_a_file_that_is_not_there_cannot_be_opened(tmp_path: Path) -> None:
    assert refusal(tmp_path / "nowhere.csv").code == "cannot_open"
    assert refusal(tmp_path).code == "cannot_open"


def test_a_header_without_rows_is_no_import(tmp_path: Path) -> None:
    assert refusal(save(tmp_path, table(WITH_REFUNDS, []))).code == "only_header"
    assert refusal(save(tmp_path, table(WITH_REFUNDS, [[""] * len(WITH_REFUNDS)]))).code == "only_header"


def test_a_zip_with_a_csv_inside_has_to_be_unpacked_first(tmp_path: Path) -> None:
    path = tmp_path / "ExportOrderList.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("ExportOrderList.csv", orders({}))

    assert refusal(path).code == "zip_archive"


def test_columns_that_nearly_fit_are_answered_with_those_that_lack(tmp_path: Path) -> None:
    header = [name for name in WITH_REFUNDS if name != "订单状态"]

    error = refusal(save(tmp_path, orders({}, header=header)))

    assert error.code == "unknown_columns"
    assert error.params["missing"] == "订单状态"


def test_a_byte_that_no_encoding_has_is_found_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    content = orders({}, {}, {}).encode("gb18030").splitlines(keepends=True)
    content[2] = content[2].replace("礼盒".encode("gb18030"), b"\xff\xff")
    path.write_bytes(b"".join(content))

    error = refusal(path)

    assert (error.code, error.params["line"]) == ("encoding", 3)


def test_damaged_utf8_is_not_passed_off_as_gbk(tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    # 0xC4 0xE3 is one character in GBK and nothing in UTF-8.
    path.write_bytes(orders({}, {}).encode().replace("礼盒".encode(), b"\xc4\xe3", 1))

    error = refusal(path)

    assert (error.code, error.params["line"], error.params["encodings"]) == ("encoding", 2, "UTF-8")


@pytest.mark.parametrize("encoding", ["gb18030", "utf-8", "utf-8-sig", "utf-16"])
def test_a_file_cut_off_inside_a_character_is_truncated(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "orders.csv"
    content = orders({"退款金额": "0.00", "预约门店": "杭州"}).encode(encoding)
    path.write_bytes(
        content[: content.rindex("州".encode(encoding).removeprefix(b"\xff\xfe").removeprefix(b"\xef\xbb\xbf")) + 1]
    )

    assert refusal(path).code == "truncated"


def test_a_compressed_file_cut_off_is_truncated(tmp_path: Path) -> None:
    path = tmp_path / "orders.csv.gz"
    path.write_bytes(gzip.compress(orders(*[{}] * 200).encode())[:-60])

    assert refusal(path).code == "truncated"


def test_a_quote_that_never_closes_is_found_where_it_opens(tmp_path: Path) -> None:
    text = orders({}, {"订单编号": '="2"'}, {"订单编号": '="3"'})
    lines = text.splitlines(keepends=True)
    lines[2] = lines[2].removesuffix('"\r\n') + "\r\n"
    lines[3] = lines[3].replace('"', "")

    error = refusal(save(tmp_path, "".join(lines)))

    assert (error.code, error.params["line"]) == ("unclosed_quote", 3)


def test_a_quote_that_swallows_a_large_file_is_stopped_early(tmp_path: Path) -> None:
    path = save(tmp_path, orders({}) + '"' + "no quotation mark from here on\r\n" * 200_000)

    error = refusal(path)

    assert (error.code, error.params["line"]) == ("record_too_long", 3)


def test_a_record_of_many_short_cells_that_never_ends_is_stopped_as_well(tmp_path: Path) -> None:
    path = save(tmp_path, orders({}) + '"' + 'a\r\nb","' * 400_000)

    error = refusal(path)

    assert (error.code, error.params["line"]) == ("record_too_long", 3)


def test_a_line_of_two_hundred_megabytes_is_refused_without_being_held(tmp_path: Path) -> None:
    path = save(tmp_path, orders({}))
    with path.open("ab") as file:
        piece = b"x" * (4 * 1024 * 1024)
        for _ in range(50):
            file.write(piece)

    tracemalloc.start()
    error = refusal(path)
    _now, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert (error.code, error.params["line"]) == ("record_too_long", 3)
    assert peak < 16 * 1024 * 1024


def test_a_long_file_is_read_in_constant_memory(tmp_path: Path) -> None:
    path = save(tmp_path, orders(*[{}] * 20_000))
    size = path.stat().st_size

    tracemalloc.start()
    count = sum(1 for _item in read(path, at=NOON))
    _now, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert count == 20_000
    assert peak < size / 2


def test_a_compressed_file_that_expands_without_end_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "orders.csv.gz"
    with gzip.open(path, "wb") as file:
        file.write(orders({}).encode())
        blank = (b" " * 65_535 + b"\n") * 16
        for _ in range(70):
            file.write(blank)

    assert refusal(path).code == "expands_too_far"


def test_a_workbook_that_expands_without_end_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "orders.xlsx"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/workbook.xml", "<workbook/>")
        with archive.open("xl/worksheets/sheet1.xml", "w") as sheet:
            for _ in range(20):
                sheet.write(bytes(1024 * 1024))

    assert refusal(path).code == "expands_too_far"


def test_a_workbook_without_its_parts_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / "orders.xlsx"
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("xl/workbook.xml", "<workbook/>")
    path.write_bytes(buffer.getvalue())

    assert refusal(path).code == "damaged_archive"


@pytest.mark.parametrize(
    "content",
    [
        b'{"orders": "' + b"x" * 200_000 + b'"}',  # One cell, longer than any may be.
        b"a," * 100_000,  # More columns than any table has.
        b"," + b"b," * 1001 + b"\n1\n",
    ],
)
def test_a_first_line_that_is_no_header_is_too_long(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "orders.csv"
    path.write_bytes(content)

    found = refusal(path)
    assert (found.code, found.params["line"]) == ("record_too_long", 1)
