"""The refund list (退款单): one row a refund."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import ClassVar

from crm.feeds.cells import CellError, TimeReader, clean, read_digits, read_refund
from crm.feeds.records import BuyerRecord, OrderRecord, Problem, RefundRecord
from crm.feeds.rowwise import Item, each_row
from crm.feeds.tables import Columns, Row
from crm.feeds.taobao.buyers import BuyerColumns
from crm.feeds.taobao.statuses import refund_status

KIND = "taobao_refunds"
ORDER_NO = ("订单编号", "主订单编号")
REFUND_NO = ("退款编号",)
AMOUNT = ("买家退款金额", "退款金额")
STATUS = ("退款状态",)
# The first one with a value counts: a refund that was closed has no refund time, but an end.
ENDED_AT = ("退款完结时间", "完结时间")


class RefundList:
    """Reads refunds. Each is a record of its order that says nothing but the refund, and who bought."""

    kind: ClassVar[str] = KIND

    def __init__(self, columns: Columns, at: datetime, zone: str) -> None:
        self._columns = columns
        self._order_no = columns.find(*ORDER_NO) or 0
        self._refund_no = columns.find(*REFUND_NO) or 0
        self._amount = columns.find(*AMOUNT) or 0
        self._status = columns.find(*STATUS) or 0
        self._ended_at = [place for name in ENDED_AT if (place := columns.find(name)) is not None]
        self._paid_at = columns.find("订单付款时间")
        self._reason = columns.find("买家退款原因")
        self._buyer = BuyerColumns(columns)
        used = {
            self._order_no,
            self._refund_no,
            self._amount,
            self._status,
            *self._ended_at,
            self._paid_at,
            self._reason,
            *self._buyer.places,
        }
        self.recognised = tuple(name for place, name in enumerate(columns.header) if place in used)
        self._rest = list(columns.rest(*used).items())
        self._read_time = TimeReader(zone, at).read

    def read(self, rows: Iterable[Row], start_line: int = 0) -> Iterator[Item]:
        """Yield a record or a problem for each row."""
        return each_row(rows, self._columns.width, start_line, self._refund)

    def _refund(self, line_no: int, cells: list[str]) -> Item:
        columns = self._columns
        order_no = ""
        buyer: BuyerRecord | None = None
        ended_at: datetime | None = None
        raw = {name: text for name, place in self._rest if (text := clean(cells[place]))}
        try:
            order_no = columns.read(cells, self._order_no, read_digits)
            refund_no = columns.read(cells, self._refund_no, read_digits)
            status = columns.read(cells, self._status, refund_status)
            amount = columns.read(cells, self._amount, read_refund)
            for place in self._ended_at:
                ended_at = ended_at or columns.read(cells, place, self._read_time)
            paid_at = columns.read(cells, self._paid_at, self._read_time)
            if columns.read(cells, self._buyer.place, clean):
                buyer = columns.read(cells, self._buyer.place, lambda _cell: self._buyer.read(cells, raw))
        except CellError as error:
            return Problem(line_no, error.column, error.code, error.value, order_no)
        reason = columns.read(cells, self._reason, clean)
        return OrderRecord(
            external_no=order_no,
            line_no=line_no,
            buyer=buyer,
            paid_at=paid_at,
            refunds=(RefundRecord(refund_no, status, amount, ended_at, reason),),
            raw=raw,
        )
