"""The detail list (宝贝列表): one row a line of an order, the lines of an order one below the other."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import ClassVar

from crm.choices import OrderStatus
from crm.feeds.cells import (
    MAX_NAME_LENGTH,
    CellError,
    TimeReader,
    clean,
    read_digits,
    read_id,
    read_price,
    read_quantity,
)
from crm.feeds.linekeys import LineKeys, code_from_title
from crm.feeds.records import LineRecord, OrderRecord, Problem
from crm.feeds.rowwise import Item, Run, each_run, other_cells
from crm.feeds.tables import Columns, Row, fitted
from crm.feeds.taobao.statuses import order_status

KIND = "taobao_details"
ORDER_NO = ("主订单编号", "订单编号")
TITLE = ("标题",)
QUANTITY = ("购买数量",)


class DetailList:
    """Reads the lines of orders. It knows no buyer, and its prices are list prices, not what was paid."""

    kind: ClassVar[str] = KIND

    def __init__(self, columns: Columns, at: datetime, zone: str) -> None:
        self._columns = columns
        self._order_no = columns.find(*ORDER_NO) or 0
        self._title = columns.find(*TITLE) or 0
        self._quantity = columns.find(*QUANTITY) or 0
        self._price = columns.find("价格")
        self._status = columns.find("订单状态")
        self._code = columns.find("商家编码")
        self._other_code = columns.find("外部系统编号")
        self._options = columns.find("商品属性")
        self._bundle = columns.find("套餐信息")
        self._placed_at = columns.find("订单创建时间")
        self._paid_at = columns.find("订单付款时间")
        # The bundle counts in the key of a line and is kept in ``raw`` as well, since no field shows it.
        used = {
            self._order_no,
            self._title,
            self._quantity,
            self._price,
            self._status,
            self._code,
            self._other_code,
            self._options,
            self._placed_at,
            self._paid_at,
        }
        self._rest = list(columns.rest(*used).items())
        self.recognised = tuple(name for place, name in enumerate(columns.header) if place in used)
        self._read_time = TimeReader(zone, at).read

    def read(self, rows: Iterable[Row], start_line: int = 0) -> Iterator[Item]:
        """Yield one record, or one problem, for each run of rows of the same order."""
        for run in each_run(rows, self._columns, self._order_no, read_digits, start_line):
            yield run if isinstance(run, Problem) else self._order(run)

    def _order(self, run: Run) -> Item:
        """Make one record of a run. One bad row refuses the order, so that none is left with half its lines."""
        columns, keys = self._columns, LineKeys()
        lines: list[LineRecord] = []
        statuses: list[OrderStatus] = []
        placed_at: datetime | None = None
        paid_at: datetime | None = None
        for line_no, cells in run.rows:
            try:
                cells[:] = fitted(cells, columns.width)
                if self._status is not None:
                    statuses.append(columns.read(cells, self._status, order_status))
                placed_at = placed_at or columns.read(cells, self._placed_at, self._read_time)
                paid_at = paid_at or columns.read(cells, self._paid_at, self._read_time)
                lines.append(self._line(cells, keys))
            except CellError as error:
                return Problem(line_no, error.column, error.code, error.value, run.order_no, rows=run.count)
        return OrderRecord(
            external_no=run.order_no,
            line_no=run.line_no,
            status=status_of_lines(statuses),
            placed_at=placed_at,
            paid_at=paid_at,
            lines=tuple(lines),
            raw=other_cells(run.rows, self._rest, clean),
            rows=run.count,
        )

    def _line(self, cells: list[str], keys: LineKeys) -> LineRecord:
        columns = self._columns
        title = cells[self._title].strip()
        code = columns.read(cells, self._code, _read_code) or columns.read(cells, self._other_code, _read_code)
        if not title and not code:
            raise CellError("missing", column=columns.name(self._title))
        quantity = columns.read(cells, self._quantity, read_quantity)
        if not quantity:
            raise CellError("missing" if quantity is None else "quantity_zero", column=columns.name(self._quantity))
        unit_price = columns.read(cells, self._price, read_price)
        options = columns.read(cells, self._options, clean)
        key = keys.key(title, code, options, columns.read(cells, self._bundle, clean))
        return LineRecord(key, code or code_from_title(title), title, quantity, unit_price, None, options)


def _read_code(cell: str) -> str:
    return read_id(cell, MAX_NAME_LENGTH)


def status_of_lines(statuses: list[OrderStatus]) -> OrderStatus | None:
    """Say what the states of its lines prove about an order: it has come as far as the line that is furthest behind.

    A closed line is one that was refunded. Even when all lines seen here are closed, another file may hold more of
    them, so only the order list may close an order.
    """
    running = [status for status in statuses if status is not OrderStatus.CLOSED]
    return min(running, key=lambda status: status.rank, default=None)
