"""Files of other shops, read by a profile."""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm.choices import OrderStatus, PaymentKind, RefundStatus
from crm.feeds import OrderRecord, Problem, Profile, ProfileError, UnreadableFile, inspect
from tests.crm.feeds.exports import INVOICE_HEADER, INVOICES, NOON, only, read_all, refused, save, table

SHOP = Profile.from_json(
    "shop",
    {
        "columns": {
            "order_no": "No",
            "buyer": "Customer",
            "buyer_name": "Name",
            "email": "Mail",
            "status": "State",
            "paid": "Total",
            "refunded": "Returned",
            "placed_at": "Date",
            "completed_at": "Received",
            "title": "Subject",
            "payment_kind": "Paid with",
        },
        "time_formats": ["%d.%m.%Y %H:%M"],
        "time_zone": "Europe/Berlin",
        "decimal_mark": ",",
        "default_status": "paid",
        "status_map": {"Done": "completed", "Cancelled": "closed"},
        "payment_map": {"Gutschein": "gift_card", "Guthaben": "balance"},
    },
)
SHOP_HEADER = [
    "No",
    "Customer",
    "Name",
    "Mail",
    "State",
    "Total",
    "Returned",
    "Date",
    "Received",
    "Subject",
    "Paid with",
    "Channel",
]
SALE = {"No": "A-1", "Customer": "7", "Total": "1.234,50", "Date": "31.01.2026 18:05"}
TEAPOT = ["536365", "85123A", "TEAPOT", "6", "2011-06-01 08:26:00", "2.55", "17850.0", "United Kingdom"]


def invoice(folder: Path, *rows: list[str]) -> Path:
    return save(folder, table(INVOICE_HEADER, rows), "utf-8")


def line(**changes: str) -> list[str]:
    return [changes.get(name, cell) for name, cell in zip(INVOICE_HEADER, TEAPOT, strict=True)]


# --- orders of several rows -----------------------------------------------------------------------------------------


def test_neighbouring_rows_of_an_invoice_are_one_order_worth_the_sum_of_its_lines(tmp_path: Path) -> None:
    record = only(invoice(tmp_path, line(), line(StockCode="M", UnitPrice="0.001", Quantity="5")), profile=INVOICES)

    assert (record.external_no, record.rows, record.line_no) == ("536365", 2, 2)
    assert record.amount_from_lines and record.paid is None
    assert [line.amount for line in record.lines] == [Decimal("15.30"), Decimal("0.01")]
    assert [line.unit_price for line in record.lines] == [Decimal("2.55"), Decimal("0.001")]
    assert record.placed_at == datetime(2011, 6, 1, 7, 26, tzinfo=UTC)
    assert record.status is OrderStatus.COMPLETED
    assert record.raw == {"Country": "United Kingdom"}


def test_a_customer_number_loses_the_fraction_of_the_spreadsheet(tmp_path: Path) -> None:
    record = only(invoice(tmp_path, line()), profile=INVOICES)

    assert record.buyer is not None and record.buyer.external_id == "17850"


def test_a_line_without_customer_makes_a_guest_order(tmp_path: Path) -> None:
    assert only(invoice(tmp_path, line(CustomerID="")), profile=INVOICES).buyer is None


def test_the_same_article_twice_has_two_keys(tmp_path: Path) -> None:
    record = only(invoice(tmp_path, line(), line(), line(Quantity="7")), profile=INVOICES)

    assert len({line.key for line in record.lines}) == 3


def test_a_price_of_nothing_is_fine(tmp_path: Path) -> None:
    assert only(invoice(tmp_path, line(UnitPrice="0")), profile=INVOICES).lines[0].amount == Decimal(0)


@pytest.mark.parametrize("sign", ["-", ""])
def test_a_cancellation_is_a_return_that_names_no_order(tmp_path: Path, sign: str) -> None:
    rows = [line(InvoiceNo="C536379", Quantity=f"{sign}2"), line(InvoiceNo="C536379", Quantity=f"{sign}1")]

    record = only(invoice(tmp_path, *rows), profile=INVOICES)

    refund = record.unlinked_refund
    assert refund is not None
    assert (refund.external_no, refund.status, refund.amount) == ("C536379", RefundStatus.SUCCESS, Decimal("7.65"))
    assert refund.at == datetime(2011, 6, 1, 7, 26, tzinfo=UTC)
    assert record.buyer is not None and record.buyer.external_id == "17850"
    assert (record.lines, record.status, record.amount_from_lines) == ((), None, False)


def test_a_cancellation_without_buyer_is_still_handed_on(tmp_path: Path) -> None:
    record = only(invoice(tmp_path, line(InvoiceNo="C1", CustomerID="", Quantity="-1")), profile=INVOICES)

    assert record.buyer is None and record.unlinked_refund is not None


@pytest.mark.parametrize(
    ("changes", "column", "code"),
    [
        ({"Quantity": "-1"}, "Quantity", "quantity_negative"),
        ({"Quantity": "0"}, "Quantity", "quantity_zero"),
        ({"UnitPrice": "-11062.06"}, "UnitPrice", "amount_negative"),
        ({"UnitPrice": ""}, "UnitPrice", "missing"),
        ({"UnitPrice": "9000000", "Quantity": "2"}, "", "amount_absurd"),
        ({"InvoiceDate": ""}, "InvoiceDate", "missing"),
        ({"InvoiceDate": "2030-01-01 00:00:00"}, "InvoiceDate", "time_future"),
        ({"InvoiceNo": "3.51531E+16"}, "InvoiceNo", "id_damaged"),
        ({"InvoiceNo": ""}, "InvoiceNo", "missing"),
        ({"CustomerID": "17***"}, "CustomerID", "buyer_masked"),
        ({"StockCode": "", "Description": ""}, "StockCode", "missing"),
        ({"InvoiceNo": "C9", "UnitPrice": "0"}, "", "amount_zero"),
    ],
)
def test_a_bad_line_is_refused_with_its_column(tmp_path: Path, changes: dict[str, str], column: str, code: str) -> None:
    problem = refused(invoice(tmp_path, line(**changes)), profile=INVOICES)

    assert (problem.line_no, problem.column, problem.code) == (2, column, code)


def test_a_bad_line_takes_its_whole_invoice_along_and_no_other(tmp_path: Path) -> None:
    rows = [line(), line(Quantity="-1"), line(InvoiceNo="2")]

    problem, record = read_all(invoice(tmp_path, *rows), profile=INVOICES)

    assert isinstance(problem, Problem) and (problem.line_no, problem.rows) == (3, 2)
    assert isinstance(record, OrderRecord) and record.external_no == "2"


def test_an_invoice_has_one_buyer(tmp_path: Path) -> None:
    problem = refused(invoice(tmp_path, line(), line(CustomerID=""), line(CustomerID="9")), profile=INVOICES)

    assert (problem.code, problem.line_no, problem.value) == ("differs_within_order", 4, "9")


@given(st.lists(st.tuples(st.integers(1, 999), st.integers(0, 999_999)), min_size=1, max_size=8))
def test_lines_that_were_written_read_back_to_the_cent(
    tmp_path_factory: pytest.TempPathFactory, lines: list[tuple[int, int]]
) -> None:
    folder = tmp_path_factory.mktemp("lines")
    prices = [(quantity, Decimal(cents).scaleb(-2)) for quantity, cents in lines]
    rows = [line(Quantity=str(quantity), UnitPrice=f"{price}") for quantity, price in prices]
    total = sum((quantity * price for quantity, price in prices), Decimal(0))

    (item,) = read_all(invoice(folder, *rows), profile=INVOICES)

    if total > 10_000_000:
        assert isinstance(item, Problem) and item.code == "amount_absurd"
    else:
        assert isinstance(item, OrderRecord)
        assert sum((line.amount or Decimal(0) for line in item.lines), Decimal(0)) == total


# --- one row an order -----------------------------------------------------------------------------------------------


def sale(folder: Path, *changes: Mapping[str, str]) -> Path:
    return save(folder, table(SHOP_HEADER, [SALE | dict(change) for change in changes]), "utf-8")


def test_a_row_with_its_own_amount_is_a_whole_order(tmp_path: Path) -> None:
    more = {
        "Name": "Anna",
        "Mail": "Anna@Example.com",
        "State": "done",
        "Returned": "4,5",
        "Subject": "Tea",
        "Channel": "web",
    }

    record = only(sale(tmp_path, more | {"Received": "02.02.2026 10:00"}), profile=SHOP)

    assert (record.paid, record.refunded, record.amount_from_lines) == (Decimal("1234.50"), Decimal("4.50"), False)
    assert record.placed_at == datetime(2026, 1, 31, 17, 5, tzinfo=UTC)
    assert record.completed_at == datetime(2026, 2, 2, 9, 0, tzinfo=UTC)
    assert record.status is OrderStatus.COMPLETED
    assert record.buyer is not None
    assert (record.buyer.external_id, record.buyer.name, record.buyer.email) == ("7", "Anna", "anna@example.com")
    assert (record.title, record.lines, record.raw) == ("Tea", (), {"Channel": "web"})


def test_a_row_without_status_has_the_usual_one(tmp_path: Path) -> None:
    assert only(sale(tmp_path, {}), profile=SHOP).status is OrderStatus.PAID
    assert only(sale(tmp_path, {"State": "shipped"}), profile=SHOP).status is OrderStatus.SHIPPED
    assert refused(sale(tmp_path, {"State": "flown"}), profile=SHOP).code == "unknown_status"


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Gutschein", PaymentKind.GIFT_CARD),
        (" guthaben ", PaymentKind.BALANCE),
        ("gift_card", PaymentKind.GIFT_CARD),
        ("PayPal", PaymentKind.OTHER),
        ("", None),
    ],
)
def test_what_was_paid_with_is_read_by_the_shops_own_words(text: str, kind: PaymentKind | None, tmp_path: Path) -> None:
    assert only(sale(tmp_path, {"Paid with": text}), profile=SHOP).payment_kind is kind


def test_an_order_is_paid_in_one_way(tmp_path: Path) -> None:
    problem = refused(sale(tmp_path, {"Paid with": "Gutschein"}, {"Paid with": "Guthaben"}), profile=SHOP)
    assert (problem.code, problem.column) == ("differs_within_order", "Paid with")


def test_rows_that_follow_may_repeat_the_amount_or_leave_it_out_but_not_change_it(tmp_path: Path) -> None:
    assert only(sale(tmp_path, {}, {"Total": ""}, {"Total": "1234,50"}), profile=SHOP).paid == Decimal("1234.50")
    assert refused(sale(tmp_path, {}, {"Total": "1"}), profile=SHOP).code == "differs_within_order"
    assert refused(sale(tmp_path, {"Total": ""}), profile=SHOP).code == "missing"


def test_a_shop_without_customer_numbers_knows_its_buyers_by_mail(tmp_path: Path) -> None:
    data = SHOP.to_json()
    del data["columns"]["buyer"]

    record = only(sale(tmp_path, {"Mail": "Anna@example.com"}), profile=Profile.from_json("mail", data))

    assert record.buyer is not None and record.buyer.external_id == "anna@example.com"


def test_a_profile_may_name_encoding_and_delimiter(tmp_path: Path) -> None:
    data = SHOP.to_json() | {"encoding": "cp1252", "delimiter": "|"}
    path = tmp_path / "sales.csv"
    path.write_bytes(
        "No|Customer|Total|Date|Name|Mail|State|Returned|Received|Subject|Paid with\n"
        "A|7|1|31.01.2026 18:05|Zoë||||||".encode("cp1252")
    )

    record = only(path, profile=Profile.from_json("old", data))

    assert record.buyer is not None and record.buyer.name == "Zoë"
    wrong = Profile.from_json("wrong", data | {"encoding": "utf-8"})
    with pytest.raises(UnreadableFile) as caught:
        inspect(path, at=NOON, profile=wrong)
    assert (caught.value.code, caught.value.params["line"]) == ("encoding", 2)


def test_columns_that_the_file_lacks_are_named(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile) as caught:
        inspect(invoice(tmp_path, line()), at=NOON, profile=SHOP)

    assert caught.value.code == "missing_columns"
    assert str(caught.value.params["missing"]).startswith("No, Customer")


def test_reading_as_csv_needs_a_profile(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile) as caught:
        inspect(invoice(tmp_path, line()), at=NOON, fmt="csv")

    assert caught.value.code == "no_profile"


# --- refunds of lines ---------------------------------------------------------------------------------------------

RETURNS = Profile.from_json(
    "returns",
    {
        "columns": {
            "order_no": "No", "placed_at": "Date", "buyer": "Customer", "paid": "Total", "sku": "Article",
            "line_amount": "Amount", "line_refunded": "Returned",
        }
    },
)  # fmt: skip
RETURNS_HEADER = ["No", "Date", "Customer", "Total", "Article", "Amount", "Returned"]


def returned(folder: Path, *lines: tuple[str, str, str]) -> Path:
    rows = [["A-1", "2026-01-31 18:05", "7", "150", *line] for line in lines]
    return save(folder, table(RETURNS_HEADER, rows), "utf-8")


def test_a_refund_of_a_line_names_its_line(tmp_path: Path) -> None:
    record = only(returned(tmp_path, ("T-1", "100", "40"), ("C-1", "50", ""), ("P-1", "0", "0")), profile=RETURNS)
    (refund,) = record.refunds
    assert (refund.amount, refund.status, refund.line_key) == (
        Decimal(40),
        RefundStatus.SUCCESS,
        record.lines[0].key,
    )


def test_the_same_refund_has_the_same_number_in_every_export(tmp_path: Path) -> None:
    first = only(returned(tmp_path, ("T-1", "100", "40"), ("C-1", "50", "5")), profile=RETURNS)
    later = only(returned(tmp_path, ("C-1", "50", "50"), ("T-1", "100", "40")), profile=RETURNS)
    numbers = {refund.line_key: refund.external_no for refund in first.refunds}
    assert numbers == {refund.line_key: refund.external_no for refund in later.refunds}
    assert len(set(numbers.values())) == 2
    assert all(len(number) <= 64 for number in numbers.values())


def test_a_refund_of_a_line_must_be_an_amount(tmp_path: Path) -> None:
    problem = refused(returned(tmp_path, ("T-1", "100", ""), ("C-1", "50", "half")), profile=RETURNS)
    assert (problem.line_no, problem.column, problem.code) == (3, "Returned", "amount_unreadable")


# --- the profile itself ---------------------------------------------------------------------------------------------


def test_a_profile_survives_being_stored() -> None:
    assert Profile.from_json("shop", SHOP.to_json()) == SHOP


COLUMNS = {"order_no": "No", "placed_at": "Date", "paid": "Total"}


@pytest.mark.parametrize(
    ("data", "setting"),
    [
        ([], "profile"),
        ({}, "columns"),
        ({"columns": COLUMNS, "colour": "red"}, "colour"),
        ({"columns": {"order_no": "No", "paid": "Total"}}, "columns.placed_at"),
        ({"columns": COLUMNS | {"number": "N"}}, "columns.number"),
        ({"columns": COLUMNS | {"title": " "}}, "columns.title"),
        ({"columns": {"order_no": "No", "placed_at": "Date"}}, "columns.paid"),
        ({"columns": {"order_no": "No", "placed_at": "Date", "quantity": "Q", "unit_price": "P"}}, "columns.sku"),
        ({"columns": COLUMNS, "time_zone": "Moon/Base"}, "time_zone"),
        ({"columns": COLUMNS, "time_zone": "../../etc/passwd"}, "time_zone"),
        ({"columns": COLUMNS, "time_formats": "%Y"}, "time_formats"),
        ({"columns": COLUMNS, "decimal_mark": ";"}, "decimal_mark"),
        ({"columns": COLUMNS, "default_status": "flown"}, "default_status"),
        ({"columns": COLUMNS, "status_map": {"ok": "flown"}}, "status_map.ok"),
        ({"columns": COLUMNS, "status_map": ["ok"]}, "status_map"),
        ({"columns": COLUMNS | {"line_refunded": "Back"}}, "columns.sku"),
        ({"columns": COLUMNS, "payment_map": {"card": "plastic"}}, "payment_map.card"),
        ({"columns": COLUMNS, "payment_map": ["card"]}, "payment_map"),
        ({"columns": COLUMNS, "cancellation_prefix": 5}, "cancellation_prefix"),
        ({"columns": COLUMNS, "encoding": "utf-16"}, "encoding"),
        ({"columns": COLUMNS, "encoding": "klingon"}, "encoding"),
        ({"columns": COLUMNS, "encoding": "utf-7"}, "encoding"),
        ({"columns": COLUMNS, "encoding": "raw_unicode_escape"}, "encoding"),
        ({"columns": COLUMNS, "delimiter": "::"}, "delimiter"),
    ],
)
def test_a_profile_that_cannot_work_is_refused_by_the_setting_at_fault(data: Any, setting: str) -> None:
    with pytest.raises(ProfileError) as caught:
        Profile.from_json("shop", data)

    assert caught.value.setting == setting
    assert str(caught.value.message)
