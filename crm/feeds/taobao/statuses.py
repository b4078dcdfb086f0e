"""The status words of Taobao and Tmall exports, and what they mean to us."""

from crm.choices import OrderStatus, RefundStatus
from crm.feeds.cells import CellError

UNPAID_REASON = "买家未付款"
CLOSED_BEFORE_PAYMENT = "交易被淘宝关闭"

# An order paid on delivery is only placed until the parcel is signed for, whatever has been sent by then. One that was
# shipped in part counts as paid: the waiting time after shipping begins with the last parcel.
ORDER_STATUSES = {
    "没有创建支付宝交易": OrderStatus.PLACED,
    "没有创建外部交易": OrderStatus.PLACED,
    "等待买家付款": OrderStatus.PLACED,
    "外卡支付付款确认中": OrderStatus.PLACED,
    "余额宝0元购合约中": OrderStatus.PLACED,
    "等待买家确认货到付款订单信息": OrderStatus.PLACED,
    "买家已确认，等待卖家发货": OrderStatus.PLACED,
    "卖家已发货，等待买家确认收货并付款": OrderStatus.PLACED,
    "买家已付款，等待卖家发货": OrderStatus.PAID,
    "等待卖家发货": OrderStatus.PAID,
    "卖家部分发货": OrderStatus.PAID,
    "卖家已发货，等待买家确认": OrderStatus.SHIPPED,
    "等待买家确认收货": OrderStatus.SHIPPED,
    "买家已签收": OrderStatus.SHIPPED,
    "买家已签收，回款至卖家": OrderStatus.SHIPPED,
    "交易成功": OrderStatus.COMPLETED,
    "交易关闭": OrderStatus.CLOSED,
    CLOSED_BEFORE_PAYMENT: OrderStatus.CLOSED,
}

REFUND_STATUSES = {
    "买家已经申请退款，等待卖家同意": RefundStatus.OPEN,
    "买家已申请退款，等待卖家同意": RefundStatus.OPEN,
    "卖家已经同意退款，等待买家退货": RefundStatus.OPEN,
    "卖家已同意退款，等待买家退货": RefundStatus.OPEN,
    "买家已经退货，等待卖家确认收货": RefundStatus.OPEN,
    "买家已退货，等待卖家确认收货": RefundStatus.OPEN,
    "退款中": RefundStatus.OPEN,
    "卖家拒绝退款": RefundStatus.REFUSED,
    "退款关闭": RefundStatus.REFUSED,
    "退款成功": RefundStatus.SUCCESS,
}


def _normal(cell: str) -> str:
    # Some tools write the ASCII comma, and some append the refund's number in brackets.
    return cell.partition("(")[0].replace(",", "，").replace(" ", "").strip()


def order_status(cell: str) -> OrderStatus:
    """Read an order's status. Raises ``CellError``: ``missing``, ``unknown_status``."""
    if found := ORDER_STATUSES.get(cell) or ORDER_STATUSES.get(_normal(cell)):
        return found
    raise CellError("unknown_status" if cell.strip() else "missing", cell.strip())


def refund_status(cell: str) -> RefundStatus:
    """Read a refund's status. Raises ``CellError``: ``missing``, ``unknown_status``."""
    if found := REFUND_STATUSES.get(cell) or REFUND_STATUSES.get(_normal(cell)):
        return found
    raise CellError("unknown_status" if cell.strip() else "missing", cell.strip())
