"""The order list (订单列表): one row an order."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from decimal import Decimal
from operator import itemgetter
from typing import ClassVar

from crm.choices import OrderStatus
from crm.feeds.cells import WRAPPED, CellError, TimeReader, clean, needed, read_digits, read_money
from crm.feeds.records import OrderRecord, Problem
from crm.feeds.rowwise import Item, each_row
from crm.feeds.tables import Columns, Row
from crm.feeds.taobao.buyers import BuyerColumns
from crm.feeds.taobao.statuses import CLOSED_BEFORE_PAYMENT, ORDER_STATUSES, UNPAID_REASON, order_status

KIND = "taobao_orders"
ORDER_NO = ("订单编号",)
PAID = ("买家实际支付金额", "买家实付金额")
STATUS = ("订单状态",)
PLACED_AT = ("订单创建时间",)
NOTHING = Decimal("0.00")
# What newer exports write into the refund column of an order that nobody asked a refund for.
NO_REFUND_WORDS = ("无退款申请", "没有申请退款", "无")
_BEHIND = -1  # The place of a column that the file does not have: an empty cell is put behind every row.


class OrderList:
    """Reads order lists of every era: columns are found by name, those without a field of ours go to ``raw``.

    ``keep_rest=False`` leaves them out, which an inspection does because it is faster by a fifth.
    """

    kind: ClassVar[str] = KIND

    def __init__(self, columns: Columns, at: datetime, zone: str, *, keep_rest: bool = True) -> None:
        def optional(*names: str) -> int:
            found = columns.find(*names)
            return _BEHIND if found is None else found

        self._header = columns.header
        self._width = columns.width
        self._order_no = optional(*ORDER_NO)
        self._status = optional(*STATUS)
        self._paid = optional(*PAID)
        self._placed_at = optional(*PLACED_AT)
        self._paid_at = optional("订单付款时间")
        self._shipped_at = optional("发货时间")
        self._completed_at = optional("确认收货时间")
        self._refunded = optional("退款金额")
        self._title = optional("宝贝标题", "商品标题")
        self._close_reason = optional("订单关闭原因")
        self._buyer = BuyerColumns(columns)
        used = {
            self._order_no,
            self._status,
            self._paid,
            self._placed_at,
            self._paid_at,
            self._shipped_at,
            self._completed_at,
            self._refunded,
            self._title,
            self._close_reason,
            *self._buyer.places,
        }
        self.recognised = tuple(name for place, name in enumerate(columns.header) if place in used)
        rest = columns.rest(*used) if keep_rest else {}
        self._rest_names = tuple(rest)
        # Two places more, so that even without any other column the getter gives a tuple.
        self._rest_cells = itemgetter(*rest.values(), _BEHIND, _BEHIND)
        self._read_time = TimeReader(zone, at).read

    def read(self, rows: Iterable[Row], start_line: int = 0) -> Iterator[Item]:
        """Yield a record or a problem for each row."""
        return each_row(rows, self._width, start_line, self._order)

    def _order(self, line_no: int, cells: list[str]) -> Item:
        cells.append("")
        order_no = ""
        read_time = self._read_time
        raw = {
            name: text
            for name, cell in zip(self._rest_names, self._rest_cells(cells), strict=False)
            if cell and (text := clean(cell) if cell[0] in WRAPPED else cell.strip())
        }
        place = self._order_no  # Always the column being read, so that a problem can name it.
        try:
            order_no = read_digits(cells[place])
            place = self._status
            status = ORDER_STATUSES.get(cells[place]) or order_status(cells[place])
            place = self._placed_at
            placed_at = needed(read_time(cells[place]))
            place = self._paid_at
            paid_at = read_time(cells[place])
            place = self._shipped_at
            shipped_at = read_time(cells[place])
            place = self._completed_at
            completed_at = read_time(cells[place])
            place = self._refunded
            refunded = self._refund(cells[place])
            place = self._paid
            net = needed(read_money(cells[place]))
            place = self._buyer.place or 0
            buyer = self._buyer.read(cells, raw)
        except CellError as error:
            return Problem(line_no, self._header[place], error.code, error.value, order_no)
        reason = cells[self._close_reason].strip()
        if self._was_never_paid(status, reason, cells, paid_at, refunded):
            paid, refunded = NOTHING, (None if refunded is None else NOTHING)
        else:
            # The amount column is already net of what went back.
            paid = net + refunded if refunded else net
        return OrderRecord(
            external_no=order_no,
            line_no=line_no,
            status=status,
            buyer=buyer,
            paid=paid,
            refunded=refunded,
            placed_at=placed_at,
            paid_at=paid_at,
            shipped_at=shipped_at,
            completed_at=completed_at,
            close_reason=reason if status is OrderStatus.CLOSED else "",
            title=cells[self._title].strip(),
            raw=raw,
        )

    def _refund(self, cell: str) -> Decimal | None:
        """Read what went back; ``None`` when the file has no such column, nothing when the cell is empty."""
        if self._refunded == _BEHIND:
            return None
        if cell == "0.00" or cell.strip() in NO_REFUND_WORDS:
            return NOTHING
        return read_money(cell) or NOTHING

    def _was_never_paid(
        self, status: OrderStatus, reason: str, cells: list[str], paid_at: datetime | None, refunded: Decimal | None
    ) -> bool:
        if status is OrderStatus.PLACED:
            return True
        if status is not OrderStatus.CLOSED:
            return False
        if reason == UNPAID_REASON or cells[self._status].strip() == CLOSED_BEFORE_PAYMENT:
            return True
        # Closed for another reason (out of stock, changed his mind) before any money came.
        return self._paid_at != _BEHIND and paid_at is None and not refunded
