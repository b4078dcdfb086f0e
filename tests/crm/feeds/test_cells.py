"""Single cells: what exporters, spreadsheets and people write into them."""

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm.feeds.cells import (
    CellError,
    TimeReader,
    clean,
    read_digits,
    read_email,
    read_id,
    read_money,
    read_phone,
    read_price,
    read_quantity,
)
from crm.money import cents_half_up
from tests.crm.feeds.exports import NOON


def complaint(reader: Callable[..., Any], cell: str, **options: Any) -> str:
    with pytest.raises(CellError) as caught:
        reader(cell, **options)
    return caught.value.code


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        ('="35153131400000001"', "35153131400000001"),
        ('=""', ""),
        ("'13900000001", "13900000001"),
        ("'null", ""),
        ("null", "null"),
        ("\t 林小鹿\t", "林小鹿"),
        ("", ""),
        ("O'Neill", "O'Neill"),
    ],
)
def test_the_wrapping_of_exporters_comes_off(cell: str, text: str) -> None:
    assert clean(cell) == text


@pytest.mark.parametrize("cell", ["3.51531E+16", "3.51531314E+16", "3e+16", "3.5e16", '="3.51531E+16"'])
def test_an_id_in_scientific_notation_is_lost(cell: str) -> None:
    assert complaint(read_id, cell) == "id_damaged"


@pytest.mark.parametrize("cell", ["85123A", "1E5", "tb2E16", "15056BL", "A-3.5"])
def test_an_article_number_with_an_e_in_it_is_no_scientific_notation(cell: str) -> None:
    assert read_id(cell) == cell


def test_the_fraction_that_a_spreadsheet_adds_to_an_id_comes_off_while_the_id_is_exact() -> None:
    assert read_id("17850.0") == "17850"
    assert complaint(read_id, "35153131400000001.0") == "id_damaged"


def test_a_platform_number_has_digits_only() -> None:
    assert read_digits('="35153131400000001"') == "35153131400000001"
    assert complaint(read_digits, "") == "missing"
    assert complaint(read_digits, "龙井茶") == "id_damaged"
    assert complaint(read_digits, "１２３") == "id_damaged"
    assert complaint(read_digits, "1" * 65) == "value_too_long"


@pytest.mark.parametrize(
    ("cell", "amount"),
    [
        ("201.12", "201.12"),
        ("0元", "0.00"),
        ("¥1,234.50", "1234.50"),
        ("￥ 9", "9.00"),
        ("1234.5元", "1234.50"),
        ("10,000,000", "10000000.00"),
        ("0.005", "0.01"),
        ("CNY 12", "12.00"),
        ("'88.00", "88.00"),
        (" 7.1 ", "7.10"),
    ],
)
def test_money_is_read_to_the_cent_in_whatever_dress(cell: str, amount: str) -> None:
    assert str(read_money(cell)) == amount


def test_an_empty_amount_says_nothing() -> None:
    assert read_money("") is None
    assert read_money('=""') is None


@pytest.mark.parametrize("cell", ["-5", "-¥5.00", "¥-5", "(5.00)", "−5"])
def test_a_negative_amount_is_refused(cell: str) -> None:
    assert complaint(read_money, cell) == "amount_negative"


@pytest.mark.parametrize("cell", ["10000000.01", "99999999.00", "123,456,789.00"])
def test_an_absurd_amount_is_refused(cell: str) -> None:
    assert complaint(read_money, cell) == "amount_absurd"


@pytest.mark.parametrize("cell", ["一百", "1.2.3", "1,2", "NaN", "Infinity", "1e3", "１２", "12/3", "0" * 50])
def test_what_is_no_number_is_no_amount(cell: str) -> None:
    assert complaint(read_money, cell) == "amount_unreadable"


def test_a_decimal_comma_is_read_where_the_profile_says_so() -> None:
    assert read_money("1.234,50", ",") == Decimal("1234.50")
    assert read_money("12,5", ",") == Decimal("12.50")
    assert read_money("1.234,567", ",") == Decimal("1234.57")
    assert complaint(read_money, "1,234.50", decimal_mark=",") == "amount_unreadable"


def test_half_a_cent_rounds_away_from_zero() -> None:
    assert cents_half_up(Decimal("0.125")) == Decimal("0.13")
    assert cents_half_up(Decimal("-0.125")) == Decimal("-0.13")


def test_a_price_keeps_a_tenth_of_a_cent() -> None:
    assert read_price("0.001") == Decimal("0.001")


@given(st.integers(min_value=0, max_value=1_000_000_000))
def test_every_amount_reads_back_to_the_cent(cents: int) -> None:
    amount = Decimal(cents).scaleb(-2)

    assert read_money(f"{amount:.2f}") == amount
    assert read_money(f"¥{amount:,.2f}元") == amount


def test_quantities_are_whole_and_not_negative() -> None:
    assert read_quantity("3") == 3
    assert read_quantity("3.0") == 3
    assert read_quantity("1,200") == 1200
    assert read_quantity("") is None
    assert complaint(read_quantity, "2.5") == "quantity_unreadable"
    assert complaint(read_quantity, "两个") == "quantity_unreadable"
    assert complaint(read_quantity, "-3") == "quantity_negative"
    assert complaint(read_quantity, "1000001") == "quantity_absurd"
    assert read_quantity("-3", signed=True) == -3


@pytest.mark.parametrize(
    "cell",
    [
        "2017-07-08 00:42:00",
        "2017/7/8 0:42",
        "2017-7-8 00:42",
        "2017.07.08 00:42:00",
        "2017年7月8日 0:42",
        "2017-07-08T00:42:00",
        "2017-07-07T16:42:00Z",
        "2017-07-07T18:42:00+02:00",
        "2017-07-07 18:42:00 +0200",
        '="2017-07-08 00:42:00"',
        "2017-07-08 00:42:00\t",
    ],
)
def test_a_time_in_any_usual_spelling_is_the_same_instant(cell: str) -> None:
    reader = TimeReader("Asia/Shanghai", NOON)

    for _again in range(2):  # The second time the offset of the day is known.
        assert reader.read(cell) == datetime(2017, 7, 7, 16, 42, tzinfo=UTC)


def test_a_day_without_a_time_begins_at_midnight() -> None:
    assert TimeReader("Asia/Shanghai", NOON).read("2017-07-08") == datetime(2017, 7, 7, 16, 0, tzinfo=UTC)


def test_clock_changes_count_in_zones_that_have_them() -> None:
    reader = TimeReader("Europe/London", NOON)

    assert reader.read("2011-03-27 00:30:00") == datetime(2011, 3, 27, 0, 30, tzinfo=UTC)
    assert reader.read("2011-03-27 02:30:00") == datetime(2011, 3, 27, 1, 30, tzinfo=UTC)
    assert reader.read("2011-07-01 12:00:00") == datetime(2011, 7, 1, 11, 0, tzinfo=UTC)
    assert reader.read("2011-07-01 13:00:00") == datetime(2011, 7, 1, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    "cell", ["昨天", "2017-13-01 00:00:00", "2017-02-30", "08/07/2017", "42924.03", "2017-07-08 25:00"]
)
def test_what_is_no_time_is_refused(cell: str) -> None:
    assert complaint(TimeReader("Asia/Shanghai", NOON).read, cell) == "time_unreadable"


def test_a_moment_before_the_first_day_of_all_time_is_no_time() -> None:
    reader = TimeReader("Asia/Shanghai", NOON, ("%Y-%m-%d %H:%M %z",))
    assert complaint(reader.read, "0001-01-01 00:00 +0800") == "time_unreadable"


def test_times_before_the_trade_and_after_tomorrow_are_refused() -> None:
    reader = TimeReader("Asia/Shanghai", NOON)

    assert complaint(reader.read, "1970-01-01 08:00:00") == "time_too_old"
    assert complaint(reader.read, "2026-03-11 12:00:01") == "time_future"
    assert reader.read("2026-03-11 12:00:00") is not None
    assert reader.read("") is None


def test_a_profile_may_write_the_day_first() -> None:
    reader = TimeReader("Asia/Shanghai", NOON, ("%d/%m/%Y %H:%M", "%d/%m/%Y"))

    assert reader.read("08/07/2017 00:42") == datetime(2017, 7, 7, 16, 42, tzinfo=UTC)
    assert reader.read("08/07/2017") == datetime(2017, 7, 7, 16, 0, tzinfo=UTC)
    assert complaint(reader.read, "2017-07-08 00:42:00") == "time_unreadable"


@pytest.mark.parametrize(
    ("cell", "email"),
    [
        ("Xiaolu@Example.com", "xiaolu@example.com"),
        (" xiaolu@example.com\t", "xiaolu@example.com"),
        ("xia***@example.com", ""),
        ("13800000001", ""),
        ("xiaolu@", ""),
        ("", ""),
    ],
)
def test_only_a_complete_mail_address_counts(cell: str, email: str) -> None:
    assert read_email(cell) == email


@pytest.mark.parametrize(
    ("cell", "phone"),
    [
        ("13800000001", "13800000001"),
        ("'13800000001", "13800000001"),
        ("+86 138-0000-0001", "13800000001"),
        ("008613800000001", "13800000001"),
        ("86-13800000001", "13800000001"),
        ("\u202d13800000001\u202c", "13800000001"),
        ("+852 9123 4567", "85291234567"),
        ("+44 (0) 20", ""),
        ("186******05", ""),
        ("13800000001-1234", ""),
        ("0571-88888888", ""),
        ("12345678901", ""),
        ("xiaolu@example.com", ""),
        ("", ""),
    ],
)
def test_only_a_complete_phone_counts(cell: str, phone: str) -> None:
    assert read_phone(cell) == phone
