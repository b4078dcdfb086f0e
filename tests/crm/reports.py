"""What the lists of a shop say of orders, in short words; by default of one order of 林小鹿's."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.db.models import Model

from crm.choices import OrderStatus, RefundStatus
from crm.feeds.records import BuyerRecord, LineRecord, OrderRecord, RefundRecord
from crm.models import Order
from crm.orders import RecordReport
from tests.cast import NOON

PLACED, PAID, SHIPPED, COMPLETED, CLOSED = OrderStatus
DAY = timedelta(days=1)
XIAOLU = BuyerRecord("小鹿爱喝茶", "林小鹿")
DAYONG = BuyerRecord("dayong_w", "王大勇")
TEA = LineRecord("tea", "T-1", "Spring tea", 2, Decimal("30.0000"), Decimal("60.00"), "250 g")
CUP = LineRecord("cup", "C-1", "A cup", 1, Decimal("40.0000"), Decimal("40.00"))


def row(number: str = "35153131", status: OrderStatus | None = PAID, **facts: Any) -> OrderRecord:
    """What the order list says of an order; by default 林小鹿 paid a hundred yuan at noon."""
    known: dict[str, Any] = {"buyer": XIAOLU, "paid": Decimal("100.00"), "placed_at": NOON}
    return OrderRecord(number, 2, status=status, **(known | facts))


def details(number: str = "35153131", *lines: LineRecord, **facts: Any) -> OrderRecord:
    """What the detail list says: lines, and neither buyer nor amount."""
    return OrderRecord(number, 2, lines=lines or (TEA, CUP), **facts)


def refunds(number: str = "35153131", *parts: RefundRecord) -> OrderRecord:
    """What the refund list says of an order."""
    return OrderRecord(number, 2, refunds=parts)


def refund(number: str, amount: str, status: RefundStatus = RefundStatus.SUCCESS) -> RefundRecord:
    return RefundRecord(number, status, Decimal(amount), NOON)


def the_order(number: str = "35153131") -> Order:
    return Order.objects.get(external_no=number)


def said(thing: Model, *names: str) -> list[Any]:
    """What a row says under these names."""
    return [getattr(thing, name) for name in names]


def counted(report: RecordReport) -> tuple[int, int, int]:
    """Orders new, updated and unchanged."""
    return report.orders_new, report.orders_updated, report.orders_unchanged
