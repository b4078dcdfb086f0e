"""Any shop's own CSV or workbook, read by a profile that says which column holds what.

Rows of one order stand one below the other, each with a line; or each row is an order. What the order as a whole says
(buyer, time, amount) may stand in its first row only or be repeated, but must not change on the way.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import ClassVar, TypeVar

from crm.choices import OrderStatus, PaymentKind, RefundStatus
from crm.feeds.cells import (
    MAX_AMOUNT,
    MAX_NAME_LENGTH,
    CellError,
    TimeReader,
    clean,
    read_email,
    read_id,
    read_money,
    read_phone,
    read_price,
    read_quantity,
)
from crm.feeds.linekeys import LineKeys, code_from_title, fingerprint
from crm.feeds.profile import LINE_FIELDS, Profile
from crm.feeds.records import BuyerRecord, LineRecord, OrderRecord, Problem, RefundRecord
from crm.feeds.rowwise import Item, Run, each_run, other_cells
from crm.feeds.tables import Columns, Row, fitted, is_blank
from crm.money import cents_half_up

KIND = "csv"
Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class _Header:
    """What the rows of a run say of the order as a whole."""

    buyer: BuyerRecord | None
    placed_at: datetime
    paid: Decimal | None
    refunded: Decimal | None


class ProfileFeed:
    """Reads a file by a profile."""

    kind: ClassVar[str] = KIND

    def __init__(self, columns: Columns, profile: Profile, at: datetime) -> None:
        self._columns = columns
        self._profile = profile
        self._places = {name: columns.find(header) for name, header in profile.columns.items()}
        self._line_places = [place for name in LINE_FIELDS if (place := self._places.get(name)) is not None]
        used = {place for place in self._places.values() if place is not None}
        self._rest = list(columns.rest(*used).items())
        self.recognised = tuple(name for place, name in enumerate(columns.header) if place in used)
        self._read_time = TimeReader(profile.time_zone, at, profile.time_formats).read
        self._statuses = {status.value: status for status in OrderStatus} | dict(profile.status_map)
        self._payments = {kind.value: kind for kind in PaymentKind} | dict(profile.payment_map)

    @staticmethod
    def missing_columns(columns: Columns, profile: Profile) -> list[str]:
        """Name the mapped columns that a header lacks."""
        return [header for header in dict.fromkeys(profile.columns.values()) if columns.find(header) is None]

    def read(self, rows: Iterable[Row], start_line: int = 0) -> Iterator[Item]:
        """Yield one record, or one problem, for each run of rows of the same order.

        One bad row refuses the whole order, so that no order is left with half its amount.
        """
        place = self._places["order_no"] or 0
        prefix = self._profile.cancellation_prefix
        for run in each_run(rows, self._columns, place, _read_order_no, start_line):
            if isinstance(run, Problem):
                yield run
            elif prefix and run.order_no.startswith(prefix):
                yield self._checked(run, self._cancellation)
            else:
                yield self._checked(run, self._order)

    def _checked(self, run: Run, parse: Callable[[Run], OrderRecord]) -> Item:
        """Parse a run whose rows are as wide as the header; the first complaint becomes the problem of the run."""
        width = self._columns.width
        try:
            for line_no, cells in run.rows:
                if len(cells) != width:
                    with _InLine(line_no):
                        cells[:] = fitted(cells, width)
            return parse(run)
        except _RowError as error:
            cell = error.complaint
            return Problem(error.line_no, cell.column, cell.code, cell.value, run.order_no, rows=run.count)

    # --- what the order as a whole says ---------------------------------------------------------------------------

    def _once(self, run: Run, name: str, reader: Callable[[str], Value]) -> Value:
        """Read a field from the first row where it is not empty; rows after that must repeat it or say nothing."""
        place = self._places.get(name)
        value = reader("")
        if place is None:
            return value
        said = ""
        for line_no, cells in run.rows:
            cell = cells[place]
            if not cell or cell == said:
                continue
            with _InLine(line_no):
                found = self._columns.read(cells, place, reader)
            if said and clean(cell) and found != value:
                raise _RowError(line_no, CellError("differs_within_order", cell, self._columns.name(place)))
            if clean(cell):
                said, value = cell, found
        return value

    def _first(self, run: Run, name: str, reader: Callable[[str], Value]) -> Value:
        """Read a field from the first row where it is not empty, whatever the rows after that say."""
        place = self._places.get(name)
        for line_no, cells in run.rows:
            if place is not None and clean(cells[place]):
                with _InLine(line_no):
                    return self._columns.read(cells, place, reader)
        return reader("")

    def _header(self, run: Run) -> _Header:
        placed_at = self._first(run, "placed_at", self._read_time)
        if placed_at is None:
            raise _RowError(run.line_no, CellError("missing", column=self._profile.columns["placed_at"]))
        return _Header(
            buyer=self._buyer(run),
            placed_at=placed_at,
            paid=self._once(run, "paid", self._read_money),
            refunded=self._once(run, "refunded", self._read_money),
        )

    def _buyer(self, run: Run) -> BuyerRecord | None:
        """Find the buyer; ``None`` for a guest. A shop without ids of its own knows its buyers by mail or phone."""
        email = self._once(run, "email", read_email)
        phone = self._once(run, "phone", read_phone)
        external_id = self._once(run, "buyer", _read_buyer)
        if "buyer" not in self._places:
            external_id = email or phone
        if not external_id:
            return None
        name = self._first(run, "buyer_name", clean)[:MAX_NAME_LENGTH]
        return BuyerRecord(external_id, name, email, phone)

    def _read_money(self, cell: str) -> Decimal | None:
        return read_money(cell, self._profile.decimal_mark)

    def _status(self, cell: str) -> OrderStatus:
        text = clean(cell).casefold()
        if not text:
            return self._profile.default_status
        if text not in self._statuses:
            raise CellError("unknown_status", cell)
        return self._statuses[text]

    def _payment_kind(self, cell: str) -> PaymentKind | None:
        """Read what was paid with. Shops have many words for it; those that nobody has mapped are some other kind."""
        text = clean(cell).casefold()
        return self._payments.get(text, PaymentKind.OTHER) if text else None

    # --- records --------------------------------------------------------------------------------------------------

    def _order(self, run: Run) -> OrderRecord:
        header = self._header(run)
        from_lines = "paid" not in self._places
        if not from_lines and header.paid is None:
            raise _RowError(run.line_no, CellError("missing", column=self._profile.columns["paid"]))
        lines = self._lines(run, signed=False)
        if from_lines:
            self._refuse_absurd(run, sum((line.amount or Decimal(0) for line in lines), Decimal(0)))
        return OrderRecord(
            external_no=run.order_no,
            line_no=run.line_no,
            status=self._once(run, "status", self._status),
            buyer=header.buyer,
            paid=header.paid,
            refunded=header.refunded,
            placed_at=header.placed_at,
            paid_at=self._first(run, "paid_at", self._read_time),
            shipped_at=self._first(run, "shipped_at", self._read_time),
            completed_at=self._first(run, "completed_at", self._read_time),
            closed_at=self._first(run, "closed_at", self._read_time),
            payment_kind=self._once(run, "payment_kind", self._payment_kind),
            title=self._first(run, "title", str.strip),
            amount_from_lines=from_lines,
            lines=lines,
            refunds=self._line_refunds(run, lines),
            raw=other_cells(run.rows, self._rest, clean),
            rows=run.count,
        )

    def _cancellation(self, run: Run) -> OrderRecord:
        """Read a return that does not say which order it belongs to. Its amounts may be written with either sign."""
        placed_at = self._first(run, "placed_at", self._read_time)
        if "paid" in self._places:
            paid = self._first(run, "paid", self._signed_money)
            amount = Decimal(0) if paid is None else abs(paid)
        else:
            lines = self._lines(run, signed=True)
            amount = sum((abs(line.amount or Decimal(0)) for line in lines), Decimal(0))
        self._refuse_absurd(run, amount)
        if not amount:
            raise _RowError(run.line_no, CellError("amount_zero"))
        refund = RefundRecord(run.order_no, RefundStatus.SUCCESS, amount, placed_at)
        return OrderRecord(
            external_no=run.order_no,
            line_no=run.line_no,
            buyer=self._buyer(run),
            unlinked_refund=refund,
            raw=other_cells(run.rows, self._rest, clean),
            rows=run.count,
        )

    def _signed_money(self, cell: str) -> Decimal | None:
        value = read_price(cell, self._profile.decimal_mark, signed=True)
        return None if value is None else cents_half_up(value)

    def _refuse_absurd(self, run: Run, amount: Decimal) -> None:
        if amount > MAX_AMOUNT:
            raise _RowError(run.line_no, CellError("amount_absurd", str(amount)))

    def _lines(self, run: Run, *, signed: bool) -> tuple[LineRecord, ...]:
        keys = LineKeys()
        lines = []
        for line_no, cells in self._line_rows(run):
            with _InLine(line_no):
                lines.append(self._line(cells, keys, signed=signed))
        return tuple(lines)

    def _line_rows(self, run: Run) -> list[tuple[int, list[str]]]:
        """Return the rows that hold a line; a row may also speak of the order alone."""
        places = self._line_places
        return [row for row in run.rows if places and not is_blank(row[1][place] for place in places)]

    def _line_refunds(self, run: Run, lines: tuple[LineRecord, ...]) -> tuple[RefundRecord, ...]:
        """Read what went back for each line. Such a refund has no number of its own, so it gets one from its line."""
        place = self._places.get("line_refunded")
        if place is None:
            return ()
        refunds = []
        for (line_no, cells), line in zip(self._line_rows(run), lines, strict=True):
            with _InLine(line_no):
                amount = self._columns.read(cells, place, self._read_money)
            if amount:
                number = f"line:{fingerprint(run.order_no, line.key)}"
                refunds.append(RefundRecord(number, RefundStatus.SUCCESS, amount, line_key=line.key))
        return tuple(refunds)

    def _line(self, cells: list[str], keys: LineKeys, *, signed: bool) -> LineRecord:
        read, places, mark = self._columns.read, self._places, self._profile.decimal_mark
        sku = read(cells, places.get("sku"), _read_code)
        title = read(cells, places.get("line_title"), str.strip)
        if not sku and not title:
            raise CellError("missing", column=self._columns.name(places.get("sku", places.get("line_title"))))
        quantity: int | None = 1
        if "quantity" in places:
            quantity = read(cells, places["quantity"], lambda cell: read_quantity(cell, signed=signed))
            if not quantity:
                code = "missing" if quantity is None else "quantity_zero"
                raise CellError(code, column=self._columns.name(places["quantity"]))
        price = read(cells, places.get("unit_price"), lambda cell: read_price(cell, mark, signed=signed))
        amount = read(cells, places.get("line_amount"), self._signed_money if signed else self._read_money)
        if amount is None and price is not None:
            amount = cents_half_up(price * (quantity or 0))
        if amount is None and "paid" not in places:
            raise CellError("missing", column=self._columns.name(places.get("line_amount", places.get("unit_price"))))
        options = read(cells, places.get("options"), clean)
        worth = price if price is not None else amount
        key = keys.key(sku, title, str(quantity), "" if worth is None else f"{worth.normalize():f}", options)
        return LineRecord(key, sku or code_from_title(title), title, quantity or 0, price, amount, options)


class _RowError(Exception):
    """A complaint about a cell, with the line that it stands in."""

    def __init__(self, line_no: int, complaint: CellError) -> None:
        super().__init__(complaint.code)
        self.line_no = line_no
        self.complaint = complaint


class _InLine:
    """Gives a complaint about a cell the line that it stands in. A generator would cost more than the line."""

    __slots__ = ("_line_no",)

    def __init__(self, line_no: int) -> None:
        self._line_no = line_no

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, CellError):
            raise _RowError(self._line_no, error) from None


def _read_order_no(cell: str) -> str:
    number = read_id(cell)
    if not number:
        raise CellError("missing")
    return number


def _read_code(cell: str) -> str:
    return read_id(cell, MAX_NAME_LENGTH)


def _read_buyer(cell: str) -> str:
    external_id = read_id(cell, MAX_NAME_LENGTH)
    if "*" in external_id:
        raise CellError("buyer_masked", external_id)
    return external_id
