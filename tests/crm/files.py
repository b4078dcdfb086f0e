"""Order files in the platform's shape, with invented people, as small as a story needs them."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

HEADER = (
    "订单编号", "买家会员名", "买家支付宝账号", "买家实际支付金额", "订单状态", "收货人姓名", "收货地址 ", "联系手机",
    "订单创建时间", "订单付款时间 ", "宝贝标题 ", "退款金额",
)  # fmt: skip

PAID = "买家已付款，等待卖家发货"
COMPLETED = "交易成功"
CLOSED = "交易关闭"


@dataclass(frozen=True)
class Trade:
    """One row of an order list. Numbers are short in stories and long in the file."""

    number: int
    buyer: str
    paid: str = "100.00"
    status: str = COMPLETED
    placed: str = "2026-03-01 10:00:00"
    refunded: str = "0"
    no: str = ""

    @property
    def external_no(self) -> str:
        return self.no or f"351531314{self.number:08}"


def order_list(trades: Sequence[Trade]) -> str:
    """Return an order list as text."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(HEADER)
    for trade in trades:
        address = ("收货人", "某省某市某路1号", f"'138{trade.number:08}")
        who = (f'="{trade.external_no}"', trade.buyer, f"{trade.buyer}@example.com")
        when = (trade.placed, trade.placed)
        writer.writerow([*who, trade.paid, trade.status, *address, *when, "茶叶", trade.refunded])
    return text.getvalue()


def write(path: Path, trades: Sequence[Trade], encoding: str = "gbk") -> Path:
    """Write an order list where a story wants it."""
    path.write_text(order_list(trades), encoding=encoding, newline="")
    return path
