"""What a feed says of orders: plain facts, still without any identity in our database.

A feed turns bytes into a stream of ``OrderRecord`` and ``Problem``. Nothing here touches the database, so a feed can be
tried on a file without leaving a trace. ``None`` always means "this source does not say", never "zero" or "empty": a
detail list that knows only the lines of an order must not wipe the amount that the order list brought.
"""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from crm.choices import OrderStatus, PaymentKind, RefundStatus


@dataclass(frozen=True, slots=True)
class BuyerRecord:
    """The buyer as one channel names him. ``external_id`` is what makes him the same buyer next time."""

    external_id: str
    name: str = ""
    email: str = ""  # Lower case and complete, or "".
    phone: str = ""  # Digits only and complete; a masked phone is "".


@dataclass(frozen=True, slots=True)
class LineRecord:
    """One line of an order. ``key`` tells lines of one order apart and stays the same in every export."""

    key: str
    product_code: str
    title: str
    quantity: int
    unit_price: Decimal | None  # In the channel's currency.
    amount: Decimal | None  # What the line cost in all; None when the source only knows the order's amount.
    options: str = ""  # Colour, size: as the platform writes it.


@dataclass(frozen=True, slots=True)
class RefundRecord:
    """A return of money, with the platform's own number for it."""

    external_no: str
    status: RefundStatus
    amount: Decimal  # Positive.
    at: datetime | None = None
    reason: str = ""
    line_key: str = ""  # The line of its order that came back; "" for the order as a whole.


@dataclass(frozen=True, slots=True)
class OrderRecord:
    """All that one row, or a run of neighbouring rows, says of one order.

    ``paid`` is gross: what the buyer paid before anything went back, in the channel's currency. ``refunded`` is the sum
    that the order row itself reports as returned. A record with ``unlinked_refund`` set is a return that the platform
    reports without naming the order it belongs to; it then carries a buyer and nothing else.
    """

    external_no: str
    line_no: int  # Line of the file where the record begins, counted from 1, the header included.
    status: OrderStatus | None = None
    buyer: BuyerRecord | None = None
    paid: Decimal | None = None
    refunded: Decimal | None = None
    placed_at: datetime | None = None
    paid_at: datetime | None = None
    shipped_at: datetime | None = None
    completed_at: datetime | None = None
    closed_at: datetime | None = None
    updated_at: datetime | None = None  # The platform's own instant of last change, where it has one.
    payment_kind: PaymentKind | None = None
    close_reason: str = ""
    title: str = ""
    amount_from_lines: bool = False  # The order's amount is the sum of its lines; ``paid`` is then None.
    lines: tuple[LineRecord, ...] = ()
    refunds: tuple[RefundRecord, ...] = ()
    unlinked_refund: RefundRecord | None = None
    raw: dict[str, str] = field(default_factory=dict)  # Columns that we have no field for, where they are not empty.
    rows: int = 1  # How many rows of the file went into this record.


@dataclass(frozen=True, slots=True)
class Problem:
    """A row that was refused: where, which column, why and what to do. ``code`` is stable, the message is derived."""

    line_no: int
    column: str
    code: str
    value: str = ""
    external_no: str = ""
    rows: int = 1


class UnreadableFile(Exception):
    """The file as a whole cannot be read. ``code`` is stable; ``params`` fill the translated message."""

    def __init__(self, code: str, **params: object) -> None:
        super().__init__(code)
        self.code = code
        self.params = params
