"""The exports of the Taobao and Tmall seller back office: order list, detail list and refund list, of every era.

Which of the three a file is shows in its columns. Platforms add columns every year, so only those are needed without
which a row means nothing.
"""

from datetime import UTC, datetime

from crm.feeds.rowwise import Feed
from crm.feeds.tables import Columns
from crm.feeds.taobao import details, orders, refunds
from crm.feeds.taobao.buyers import BUYER_NAMES, NICK_NAMES

ZONE = "Asia/Shanghai"

# Of each group one column is needed.
_NEEDED: dict[str, tuple[tuple[str, ...], ...]] = {
    refunds.KIND: (refunds.REFUND_NO, refunds.ORDER_NO, refunds.AMOUNT, refunds.STATUS),
    details.KIND: (details.ORDER_NO, details.TITLE, details.QUANTITY),
    orders.KIND: (orders.ORDER_NO, (*BUYER_NAMES, *NICK_NAMES), orders.STATUS, orders.PLACED_AT, orders.PAID),
}


def missing_columns(columns: Columns, kind: str) -> list[str]:
    """Name the columns that a list of this kind needs and this header lacks."""
    return [names[0] for names in _NEEDED[kind] if columns.find(*names) is None]


def recognise(columns: Columns) -> str:
    """Tell which list this is; "" when it is none of the three."""
    return next((kind for kind in _NEEDED if not missing_columns(columns, kind)), "")


def resembles(columns: Columns) -> tuple[str, list[str]]:
    """Name the list that a header comes closest to, and the columns it lacks for that."""
    lacking = {kind: missing_columns(columns, kind) for kind in _NEEDED}
    kind = min(lacking, key=lambda kind: len(lacking[kind]) / len(_NEEDED[kind]))
    return kind, lacking[kind]


def reads_column(name: str) -> bool:
    """Whether the order list has a field for a column of this name."""
    return name in orders.OrderList(Columns((name,)), datetime(2000, 1, 1, tzinfo=UTC), ZONE).recognised


def feed(columns: Columns, at: datetime, zone: str = ZONE, *, keep_rest: bool = True) -> Feed | None:
    """Make the feed that reads a file with these columns; ``None`` when it is none of the three lists.

    With ``keep_rest=False`` an order list leaves out the columns that have no field of their own.
    """
    kind = recognise(columns)
    if kind == orders.KIND:
        return orders.OrderList(columns, at, zone, keep_rest=keep_rest)
    if kind == details.KIND:
        return details.DetailList(columns, at, zone)
    if kind == refunds.KIND:
        return refunds.RefundList(columns, at, zone)
    return None
