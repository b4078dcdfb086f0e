"""Exports in the platform's shapes, with invented people, written to the byte as a test needs them."""

import csv
import io
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from crm.feeds import OrderRecord, Problem, Profile, read

NOON = datetime(2026, 3, 10, 12, 0, tzinfo=ZoneInfo("Asia/Shanghai"))


def names(text: str) -> list[str]:
    """Cut a header as one reads it into column names."""
    return text.split(",")


# The columns that every era of the order list has, in its order and with its blanks.
FIRST_ERA = names(
    "订单编号,买家会员名,买家支付宝账号,买家应付货款,买家应付邮费,买家支付积分,总金额,返点积分,买家实际支付金额,"
    "买家实际支付积分,订单状态,买家留言,收货人姓名,收货地址 ,运送方式,联系电话 ,联系手机,订单创建时间,订单付款时间 ,"
    "宝贝标题 ,宝贝种类,物流单号,物流公司,订单备注,宝贝总数量,店铺Id,店铺名称,订单关闭原因,卖家服务费,买家服务费"
)
WITH_REFUNDS = [*FIRST_ERA, "发票抬头", "是否手机订单", "特权订金订单id", "退款金额", "预约门店"]
WITH_RECEIPT = [*WITH_REFUNDS, "确认收货时间", "打款商家金额"]
WITH_ITEMS_OF_LATER = [*WITH_RECEIPT, "是否信用购", "配送类型", "直播返现状态", "返现金额", "主订单编号"]
# Newer exports drop the payment account and call the buyer by his nick.
WITHOUT_ACCOUNT = [
    *("买家会员昵称" if name == "买家会员名" else name for name in WITH_ITEMS_OF_LATER if name != "买家支付宝账号"),
    "发货时间",
    "商家备忘",
]
ERAS = {
    "2011": FIRST_ERA,
    "2017": WITH_REFUNDS,
    "2018": WITH_RECEIPT,
    "2020": WITH_ITEMS_OF_LATER,
    "2023": WITHOUT_ACCOUNT,
}
DETAILS = names("订单编号,标题,价格,购买数量,外部系统编号,商品属性,套餐信息,备注,订单状态,商家编码")
REFUNDS = names(
    "订单编号,退款编号,支付宝交易号,订单付款时间,商家编码,退款完结时间,买家会员名称,买家实际支付金额,宝贝标题,买家退款金额,"
    "手工退款/系统退款,退款的申请时间,退款状态,买家退款原因,完结时间"
)

ORDER = {
    "订单编号": '="3515313140000001"',
    "买家会员名": "小鹿爱喝茶",
    "买家会员昵称": "小鹿爱喝茶",
    "买家支付宝账号": "Xiaolu@Example.com",
    "总金额": "201.12",
    "买家实际支付金额": "201.12",
    "订单状态": "交易成功",
    "收货人姓名": "林小鹿",
    "收货地址": "浙江省 杭州市 西湖区 龙井路1号(310000)",
    "联系手机": "'13800000001",
    "订单创建时间": "2026-03-01 00:42:32",
    "订单付款时间": "2026-03-01 00:42:39",
    "宝贝标题": "【明前】龙井茶 250g，礼盒装",
    "订单备注": "'null",
    "订单关闭原因": "订单未关闭",
    "买家服务费": "0元",
    "特权订金订单id": '=""',
    "退款金额": "0.00",
}
LINE = {
    "订单编号": '="3515313140000001"',
    "标题": "【明前】龙井茶 250g，礼盒装",
    "价格": "239.00",
    "购买数量": "1",
    "商品属性": "规格：250克",
    "订单状态": "交易成功",
    "商家编码": "TEA-250",
}
REFUND = {
    "订单编号": '="3515313140000001"',
    "退款编号": '="58511317581"',
    "订单付款时间": "2026-03-01 00:42:39",
    "退款完结时间": "2026-03-05 09:00:00",
    "买家会员名称": "小鹿爱喝茶",
    "买家退款金额": "50.00",
    "退款状态": "退款成功",
    "买家退款原因": "少件",
    "宝贝标题": "龙井茶",
}

INVOICES = Profile.from_json(
    "invoices",
    {
        "columns": {
            "order_no": "InvoiceNo",
            "sku": "StockCode",
            "line_title": "Description",
            "quantity": "Quantity",
            "placed_at": "InvoiceDate",
            "unit_price": "UnitPrice",
            "buyer": "CustomerID",
        },
        "time_zone": "Europe/London",
        "cancellation_prefix": "C",
    },
)
INVOICE_HEADER = [
    "InvoiceNo",
    "StockCode",
    "Description",
    "Quantity",
    "InvoiceDate",
    "UnitPrice",
    "CustomerID",
    "Country",
]


def table(header: Sequence[str], rows: Sequence[Mapping[str, str] | Sequence[str]], end: str = "\r\n") -> str:
    """Write rows as the platform does: every cell in quotes except those that begin with ``=``."""
    lines = [",".join(_quoted(name) for name in header)]
    for row in rows:
        cells = [row.get(name.strip(), "") for name in header] if isinstance(row, Mapping) else row
        lines.append(",".join(_quoted(cell) for cell in cells))
    return end.join(lines) + end


def _quoted(cell: str) -> str:
    if cell.startswith('="'):
        return cell
    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="").writerow([cell])
    return text.getvalue()


def orders(*changes: Mapping[str, str], header: Sequence[str] = WITH_REFUNDS) -> str:
    """Write an order list: one row for each set of changes to the usual order."""
    return table(header, [ORDER | dict(change) for change in changes])


def details(*changes: Mapping[str, str]) -> str:
    """Write a detail list, each row with the comma that the platform puts at its end."""
    lines = table(DETAILS, [LINE | dict(change) for change in changes]).splitlines()
    return "\r\n".join([lines[0], *(f"{line}," for line in lines[1:])]) + "\r\n"


def refunds(*changes: Mapping[str, str]) -> str:
    """Write a refund list."""
    return table(REFUNDS, [REFUND | dict(change) for change in changes])


def save(folder: Path, text: str, encoding: str = "gb18030", name: str = "export.csv") -> Path:
    """Write a file in an encoding."""
    path = folder / name
    path.write_bytes(text.encode(encoding))
    return path


def read_all(path: Path, **options: object) -> list[OrderRecord | Problem]:
    """Read a file whole, as of Tuesday, 10 March 2026, noon."""
    return list(read(path, at=NOON, **options))  # type: ignore[arg-type]


def only(path: Path, **options: object) -> OrderRecord:
    """Read a file that holds one good record."""
    (item,) = read_all(path, **options)
    assert isinstance(item, OrderRecord), item
    return item


def refused(path: Path, **options: object) -> Problem:
    """Read a file whose only row is refused."""
    (item,) = read_all(path, **options)
    assert isinstance(item, Problem), item
    return item
