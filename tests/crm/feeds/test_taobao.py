"""The three lists of the Taobao back office: what their rows mean."""

from datetime import datetime
from decimal import Decimal
from pathlib import Path

import pytest

from crm.choices import OrderStatus, RefundStatus
from crm.feeds import OrderRecord, Problem, inspect
from tests.crm.feeds.exports import (
    DETAILS,
    ERAS,
    FIRST_ERA,
    LINE,
    NOON,
    ORDER,
    REFUND,
    REFUNDS,
    WITH_RECEIPT,
    WITHOUT_ACCOUNT,
    details,
    only,
    orders,
    read_all,
    refunds,
    refused,
    save,
    table,
)


def moment(text: str) -> datetime:
    return datetime.fromisoformat(f"{text}+08:00")


# --- order list -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("era", ERAS)
def test_the_order_list_of_every_era_is_read(tmp_path: Path, era: str) -> None:
    record = only(save(tmp_path, orders({}, header=ERAS[era])))

    assert record.external_no == "3515313140000001"
    assert record.status is OrderStatus.COMPLETED
    assert record.buyer is not None and record.buyer.external_id == "小鹿爱喝茶"
    assert record.paid == Decimal("201.12")
    assert record.placed_at == moment("2026-03-01T00:42:32")
    assert record.paid_at == moment("2026-03-01T00:42:39")
    assert record.title == "【明前】龙井茶 250g，礼盒装"


def test_a_width_not_seen_yet_is_read_and_its_columns_are_kept(tmp_path: Path) -> None:
    header = ["新列甲", *WITH_RECEIPT, "新列乙", "新列丙", "总金额"]

    record = only(save(tmp_path, orders({"新列甲": "一", "新列丙": "\t三"}, header=header)))

    assert record.raw["新列甲"] == "一"
    assert record.raw["新列丙"] == "三"
    assert "新列乙" not in record.raw


def test_what_became_a_field_is_not_kept_twice(tmp_path: Path) -> None:
    record = only(save(tmp_path, orders({})))

    assert record.raw == {
        "总金额": "201.12",
        "收货人姓名": "林小鹿",
        "收货地址": "浙江省 杭州市 西湖区 龙井路1号(310000)",
        "买家服务费": "0元",
    }


def test_the_amount_is_net_of_refunds_so_gross_adds_them(tmp_path: Path) -> None:
    record = only(save(tmp_path, orders({"买家实际支付金额": "151.12", "退款金额": "50.00"})))

    assert (record.paid, record.refunded) == (Decimal("201.12"), Decimal("50.00"))


def test_an_era_without_refund_column_says_nothing_of_refunds(tmp_path: Path) -> None:
    record = only(save(tmp_path, orders({}, header=FIRST_ERA)))

    assert (record.paid, record.refunded) == (Decimal("201.12"), None)


@pytest.mark.parametrize("cell", ["", "0", "0.00", "0元", "无退款申请"])
def test_a_refund_column_without_amount_means_that_nothing_went_back(tmp_path: Path, cell: str) -> None:
    assert only(save(tmp_path, orders({"退款金额": cell}))).refunded == Decimal(0)


@pytest.mark.parametrize(
    "changes",
    [
        {"订单状态": "交易关闭", "订单关闭原因": "买家未付款"},
        {"订单状态": "交易被淘宝关闭", "订单关闭原因": "超时"},
        {"订单状态": "交易关闭", "订单关闭原因": "卖家缺货", "订单付款时间": ""},
        {"订单状态": "等待买家付款", "订单付款时间": ""},
    ],
)
def test_an_order_that_was_never_paid_has_no_amount_whatever_the_column_says(
    tmp_path: Path, changes: dict[str, str]
) -> None:
    record = only(save(tmp_path, orders(changes)))

    assert record.paid == Decimal(0)


def test_an_order_closed_after_payment_keeps_what_was_paid(tmp_path: Path) -> None:
    closed = {"订单状态": "交易关闭", "订单关闭原因": "退款", "买家实际支付金额": "0.00", "退款金额": "201.12"}

    record = only(save(tmp_path, orders(closed)))

    assert (record.status, record.close_reason) == (OrderStatus.CLOSED, "退款")
    assert (record.paid, record.refunded) == (Decimal("201.12"), Decimal("201.12"))


def test_an_order_that_is_not_closed_has_no_reason_for_it(tmp_path: Path) -> None:
    assert only(save(tmp_path, orders({}))).close_reason == ""


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("等待买家付款", OrderStatus.PLACED),
        ("买家已付款，等待卖家发货", OrderStatus.PAID),
        ("买家已付款,等待卖家发货", OrderStatus.PAID),
        ("卖家部分发货", OrderStatus.PAID),
        ("卖家已发货，等待买家确认", OrderStatus.SHIPPED),
        (" 卖家已发货, 等待买家确认 ", OrderStatus.SHIPPED),
        ("等待买家确认货到付款订单信息", OrderStatus.PLACED),
        ("买家已确认，等待卖家发货", OrderStatus.PLACED),
        ("卖家已发货，等待买家确认收货并付款", OrderStatus.PLACED),
        ("买家已签收", OrderStatus.SHIPPED),
        ("交易成功", OrderStatus.COMPLETED),
        ("交易关闭", OrderStatus.CLOSED),
    ],
)
def test_status_words_are_known_with_either_comma(tmp_path: Path, text: str, status: OrderStatus) -> None:
    assert only(save(tmp_path, orders({"订单状态": text}))).status is status


def test_newer_exports_say_when_it_was_shipped_and_received(tmp_path: Path) -> None:
    times = {"发货时间": "2026-03-02 09:00:00", "确认收货时间": "2026-03-05 20:00:00"}

    record = only(save(tmp_path, orders(times, header=WITHOUT_ACCOUNT)))

    assert record.shipped_at == moment("2026-03-02T09:00:00")
    assert record.completed_at == moment("2026-03-05T20:00:00")


@pytest.mark.parametrize(
    ("changes", "email", "phone", "kept"),
    [
        ({}, "xiaolu@example.com", "13800000001", {}),
        ({"联系手机": ""}, "xiaolu@example.com", "", {}),
        ({"买家支付宝账号": "13900000009"}, "", "13900000009", {"联系手机": "13800000001"}),
        ({"买家支付宝账号": "xia***@example.com"}, "", "13800000001", {"买家支付宝账号": "xia***@example.com"}),
        (
            {"买家支付宝账号": "186******05", "联系手机": "138****0001"},
            "",
            "",
            {"买家支付宝账号": "186******05", "联系手机": "138****0001"},
        ),
    ],
)
def test_masked_contacts_are_kept_but_never_used(
    tmp_path: Path, changes: dict[str, str], email: str, phone: str, kept: dict[str, str]
) -> None:
    record = only(save(tmp_path, orders(changes)))

    assert record.buyer is not None
    assert (record.buyer.email, record.buyer.phone) == (email, phone)
    assert {name: record.raw.get(name) for name in ("买家支付宝账号", "联系手机") if name in record.raw} == kept


def test_the_nick_stands_in_for_a_masked_or_missing_name(tmp_path: Path) -> None:
    header = [*WITH_RECEIPT, "买家会员昵称"]
    for name in ("", "小**"):
        record = only(save(tmp_path, orders({"买家会员名": name}, header=header)))
        assert record.buyer is not None and record.buyer.external_id == "小鹿爱喝茶"


@pytest.mark.parametrize(
    ("changes", "column", "code"),
    [
        ({"订单编号": ""}, "订单编号", "missing"),
        ({"订单编号": '=""'}, "订单编号", "missing"),
        ({"订单编号": "3.51531E+16"}, "订单编号", "id_damaged"),
        ({"订单编号": '="3.51531E+16"'}, "订单编号", "id_damaged"),
        ({"买家会员名": " "}, "买家会员名", "missing"),
        ({"买家会员名": "小**"}, "买家会员名", "buyer_masked"),
        ({"买家会员名": "鹿" * 121}, "买家会员名", "value_too_long"),
        ({"订单状态": "已飞走"}, "订单状态", "unknown_status"),
        ({"订单状态": ""}, "订单状态", "missing"),
        ({"订单创建时间": ""}, "订单创建时间", "missing"),
        ({"订单创建时间": "昨天"}, "订单创建时间", "time_unreadable"),
        ({"订单创建时间": "2026-03-12 00:00:00"}, "订单创建时间", "time_future"),
        ({"订单付款时间": "1970-01-01 08:00:00"}, "订单付款时间", "time_too_old"),
        ({"买家实际支付金额": ""}, "买家实际支付金额", "missing"),
        ({"买家实际支付金额": "-1.00"}, "买家实际支付金额", "amount_negative"),
        ({"买家实际支付金额": "35153131400000001"}, "买家实际支付金额", "amount_absurd"),
        ({"退款金额": "-1.00"}, "退款金额", "amount_negative"),
        ({"退款金额": "全部"}, "退款金额", "amount_unreadable"),
    ],
)
def test_a_bad_row_is_refused_with_its_column_and_reason(
    tmp_path: Path, changes: dict[str, str], column: str, code: str
) -> None:
    good, problem = read_all(save(tmp_path, orders({"订单编号": "1"}, changes)))

    assert isinstance(good, OrderRecord)
    assert isinstance(problem, Problem)
    assert (problem.line_no, problem.column, problem.code) == (3, column, code)


# --- detail list ----------------------------------------------------------------------------------------------------


def test_neighbouring_rows_of_an_order_are_its_lines(tmp_path: Path) -> None:
    path = save(tmp_path, details({}, {"商家编码": "TEA-500", "购买数量": "2"}, {"订单编号": "2"}))

    first, second = read_all(path)

    assert isinstance(first, OrderRecord) and isinstance(second, OrderRecord)
    assert [(line.product_code, line.quantity) for line in first.lines] == [("TEA-250", 1), ("TEA-500", 2)]
    assert (first.line_no, first.rows, second.line_no, second.rows) == (2, 2, 4, 1)


def test_a_detail_list_knows_neither_buyer_nor_what_was_paid(tmp_path: Path) -> None:
    record = only(save(tmp_path, details({})))

    assert (record.buyer, record.paid, record.refunded, record.title) == (None, None, None, "")
    (line,) = record.lines
    assert (line.unit_price, line.amount, line.options) == (Decimal("239.00"), None, "规格：250克")
    assert line.title == "【明前】龙井茶 250g，礼盒装"


def test_lines_that_look_the_same_have_keys_of_their_own_and_the_same_ones_in_every_export(tmp_path: Path) -> None:
    keys = [line.key for line in only(save(tmp_path, details({}, {}, {"套餐信息": "双人装"}))).lines]
    again = table([*DETAILS[::-1], "备用"], [LINE, LINE, LINE | {"套餐信息": "双人装"}])

    assert len(set(keys)) == 3
    assert [line.key for line in only(save(tmp_path, again, "utf-8")).lines] == keys
    assert all(len(key) <= 80 for key in keys)


def test_the_article_number_falls_back_to_the_other_column_and_then_to_the_title(tmp_path: Path) -> None:
    path = save(tmp_path, details({"外部系统编号": "X-1"}, {"商家编码": "", "外部系统编号": "X-1"}, {"商家编码": ""}))

    codes = [line.product_code for line in only(path).lines]

    assert codes[:2] == ["TEA-250", "X-1"]
    assert codes[2].startswith("t:")


@pytest.mark.parametrize(
    ("statuses", "status"),
    [
        (["买家已付款，等待卖家发货"], OrderStatus.PAID),
        (["卖家已发货，等待买家确认", "买家已付款，等待卖家发货"], OrderStatus.PAID),
        (["交易成功", "交易关闭"], OrderStatus.COMPLETED),
        (["交易关闭", "交易关闭"], None),
    ],
)
def test_lines_prove_as_much_of_the_order_as_the_one_furthest_behind(
    tmp_path: Path, statuses: list[str], status: OrderStatus | None
) -> None:
    assert only(save(tmp_path, details(*({"订单状态": text} for text in statuses)))).status is status


def test_columns_of_lines_without_a_field_are_kept_each_value_once(tmp_path: Path) -> None:
    record = only(save(tmp_path, details({"备注": "包好"}, {"备注": "包好"}, {"备注": "'null"}, {"备注": "加急"})))

    assert record.raw == {"备注": "包好\n加急"}


@pytest.mark.parametrize(
    ("changes", "column", "code"),
    [
        ({"购买数量": "-1"}, "购买数量", "quantity_negative"),
        ({"购买数量": "0"}, "购买数量", "quantity_zero"),
        ({"购买数量": ""}, "购买数量", "missing"),
        ({"商家编码": "6.91234E+12"}, "商家编码", "id_damaged"),
        ({"订单状态": "已飞走"}, "订单状态", "unknown_status"),
        ({"标题": "", "商家编码": ""}, "标题", "missing"),
        ({"价格": "-5"}, "价格", "amount_negative"),
    ],
)
def test_one_bad_line_refuses_the_whole_order(tmp_path: Path, changes: dict[str, str], column: str, code: str) -> None:
    problem = refused(save(tmp_path, details({}, changes, {})))

    assert (problem.line_no, problem.column, problem.code, problem.rows) == (3, column, code, 3)


def test_damaged_order_numbers_are_refused_row_by_row(tmp_path: Path) -> None:
    damaged = {"订单编号": "3.51531E+16"}

    items = read_all(save(tmp_path, details(damaged, damaged, {})))

    assert [(item.line_no, type(item)) for item in items] == [(2, Problem), (3, Problem), (4, OrderRecord)]


def test_an_order_of_endless_lines_is_one_problem(tmp_path: Path) -> None:
    items = read_all(save(tmp_path, details(*[{}] * 10_001, {"订单编号": "2"})))

    assert [item.rows for item in items] == [10_001, 1]
    assert isinstance(items[0], Problem) and items[0].code == "too_many_lines"


def test_newer_detail_lists_name_the_order_by_its_main_number(tmp_path: Path) -> None:
    header = ["子订单编号", "主订单编号", *DETAILS[1:], "订单创建时间", "订单付款时间"]
    rows = [LINE | {"子订单编号": f"9{n}", "主订单编号": "7", "订单创建时间": "2026-03-01 00:42:32"} for n in range(2)]

    record = only(save(tmp_path, table(header, rows)))

    assert (record.external_no, len(record.lines)) == ("7", 2)
    assert record.placed_at == moment("2026-03-01T00:42:32")
    assert record.raw == {"子订单编号": "90\n91"}


# --- refund list ----------------------------------------------------------------------------------------------------


def test_a_refund_names_its_order_its_buyer_and_its_amount(tmp_path: Path) -> None:
    record = only(save(tmp_path, refunds({})))

    assert record.external_no == "3515313140000001"
    assert record.buyer is not None and record.buyer.external_id == "小鹿爱喝茶"
    assert (record.status, record.paid, record.title) == (None, None, "")
    (refund,) = record.refunds
    assert (refund.external_no, refund.status, refund.amount) == ("58511317581", RefundStatus.SUCCESS, Decimal("50.00"))
    assert (refund.at, refund.reason) == (moment("2026-03-05T09:00:00"), "少件")
    assert record.raw == {"宝贝标题": "龙井茶"}


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("退款成功", RefundStatus.SUCCESS),
        ("退款成功 (id 58511317581)", RefundStatus.SUCCESS),
        ("退款关闭", RefundStatus.REFUSED),
        ("卖家拒绝退款", RefundStatus.REFUSED),
        ("买家已经申请退款,等待卖家同意", RefundStatus.OPEN),
    ],
)
def test_only_a_successful_refund_is_called_one(tmp_path: Path, text: str, status: RefundStatus) -> None:
    assert only(save(tmp_path, refunds({"退款状态": text}))).refunds[0].status is status


def test_the_end_of_a_refund_may_stand_in_either_column(tmp_path: Path) -> None:
    changes = {"退款完结时间": "", "完结时间": "2026-03-06 10:00:00"}

    assert only(save(tmp_path, refunds(changes))).refunds[0].at == moment("2026-03-06T10:00:00")


@pytest.mark.parametrize(
    ("changes", "column", "code"),
    [
        ({"订单编号": "3.5E+16"}, "订单编号", "id_damaged"),
        ({"退款编号": ""}, "退款编号", "missing"),
        ({"退款状态": "已飞走"}, "退款状态", "unknown_status"),
        ({"买家退款金额": "0.00"}, "买家退款金额", "amount_zero"),
        ({"买家退款金额": ""}, "买家退款金额", "missing"),
        ({"买家退款金额": "-5"}, "买家退款金额", "amount_negative"),
        ({"退款完结时间": "2027-01-01 00:00:00"}, "退款完结时间", "time_future"),
        ({"买家会员名称": "小**"}, "买家会员名称", "buyer_masked"),
    ],
)
def test_a_bad_refund_is_refused(tmp_path: Path, changes: dict[str, str], column: str, code: str) -> None:
    problem = refused(save(tmp_path, refunds(changes)))

    assert (problem.column, problem.code) == (column, code)


def test_a_refund_list_without_buyers_is_read_too(tmp_path: Path) -> None:
    header = [name for name in REFUNDS if name != "买家会员名称"]

    assert only(save(tmp_path, table(header, [REFUND]))).buyer is None


def test_the_recognised_columns_differ_from_the_kept_ones(tmp_path: Path) -> None:
    report = inspect(save(tmp_path, orders(ORDER)), at=NOON)

    assert not set(report.recognised) & set(report.unknown)
    assert set(report.recognised) | set(report.unknown) == set(report.header)
