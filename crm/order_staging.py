"""A batch of order records on its way into the database: temporary tables, filled by COPY.

``prepare`` makes the rows and needs no connection, so that it can run while the database works on another batch;
``stage`` puts them in.

The tables live as long as the connection and are empty after each commit. They know nothing of ids; ``crm.order_merge``
joins them with what the database already has.
"""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC
from decimal import Decimal

from django.db.backends.utils import CursorWrapper

from crm.choices import OrderStatus, RefundStatus
from crm.copytext import as_copy_text
from crm.feeds.records import LineRecord, OrderRecord, RefundRecord

_TABLES = """
CREATE TEMPORARY TABLE IF NOT EXISTS crm_stage_order (
    external_no varchar(64) PRIMARY KEY, buyer varchar(120), name varchar(120), email varchar(254), phone varchar(20),
    seen_at timestamptz, status varchar(10), paid numeric(14, 2), refunded numeric(14, 2),
    amount_from_lines boolean, placed_at timestamptz, paid_at timestamptz, shipped_at timestamptz,
    completed_at timestamptz, closed_at timestamptz, close_reason varchar(120), title varchar(300), raw jsonb,
    version varchar(120), payment_kind varchar(10), line_no bigint
) ON COMMIT DELETE ROWS;
CREATE TEMPORARY TABLE IF NOT EXISTS crm_stage_line (
    external_no varchar(64), key varchar(80), code varchar(120), title varchar(300), options varchar(300),
    quantity integer, unit_price numeric(14, 4), amount numeric(14, 2), version varchar(80)
) ON COMMIT DELETE ROWS;
CREATE TEMPORARY TABLE IF NOT EXISTS crm_stage_refund (
    external_no varchar(64) PRIMARY KEY, order_no varchar(64), buyer varchar(120), name varchar(120), email
    varchar(254), phone varchar(20), status varchar(10), amount numeric(14, 2), at timestamptz, reason
    varchar(200), line_key varchar(80)
) ON COMMIT DELETE ROWS;
"""

_COPY_ORDERS = "COPY crm_stage_order FROM STDIN"
_COPY_LINES = "COPY crm_stage_line FROM STDIN"
_COPY_REFUNDS = "COPY crm_stage_refund FROM STDIN"

# Longer texts are cut to what the columns hold; numbers and keys are never cut, the feeds refuse those.
_TITLE, _OPTIONS, _NAME, _REASON, _REFUND_REASON = 300, 300, 120, 120, 200


# Making an encoder takes longer than encoding the columns of an order.
_as_json = json.JSONEncoder(ensure_ascii=False, sort_keys=True).encode


@dataclass(frozen=True, slots=True)
class Staged:
    """Records of different orders as rows of the temporary tables. ``records`` is how many of them are orders."""

    records: int
    orders: bytes
    lines: bytes
    refunds: bytes


def prepare(records: Iterable[OrderRecord]) -> list[Staged]:
    """The rows of all records, in rounds of which none names an order twice; nearly always there is one round."""
    rounds: list[dict[str, OrderRecord]] = []
    seen: dict[str, int] = {}
    for record in records:
        number = seen.get(record.external_no, 0)
        seen[record.external_no] = number + 1
        if number == len(rounds):
            rounds.append({})
        rounds[number][record.external_no] = record
    return [_staged(list(round_.values())) for round_ in rounds]


def _staged(records: Sequence[OrderRecord]) -> Staged:
    orders = [record for record in records if record.unlinked_refund is None]
    return Staged(
        records=len(orders),
        orders=as_copy_text(_order_row(record) for record in orders),
        lines=as_copy_text(row for record in records for row in _line_rows(record)),
        refunds=as_copy_text(_refund_rows(records)),
    )


def stage(cursor: CursorWrapper, staged: Staged) -> None:
    """Put the rows into the temporary tables."""
    cursor.execute(_TABLES)
    # They are empty unless this transaction has recorded a batch before; emptying empty tables costs as well.
    cursor.execute("SELECT EXISTS (SELECT FROM crm_stage_order) OR EXISTS (SELECT FROM crm_stage_refund)")
    if cursor.fetchone()[0]:
        cursor.execute("TRUNCATE crm_stage_order, crm_stage_line, crm_stage_refund")
    for statement, rows in (
        (_COPY_ORDERS, staged.orders), (_COPY_LINES, staged.lines), (_COPY_REFUNDS, staged.refunds)
    ):  # fmt: skip
        if rows:
            with cursor.copy(statement) as copy:
                copy.write(rows)
    # Without figures of these columns the planner takes a large batch for a small one. The wide columns need none.
    cursor.execute("ANALYZE crm_stage_order (external_no, buyer), crm_stage_line (external_no, code)")


def _order_row(record: OrderRecord) -> tuple[object, ...]:
    buyer = record.buyer
    contact = buyer is not None and bool(buyer.email or buyer.phone)
    raw = _as_json(record.raw)
    return (
        record.external_no,
        buyer and buyer.external_id,
        (buyer.name or buyer.external_id)[:_NAME] if buyer else None,
        buyer.email if buyer else None,
        buyer.phone if buyer else None,
        (record.placed_at or record.paid_at) if contact else None,
        record.status,
        record.paid,
        record.refunded,
        record.amount_from_lines,
        record.placed_at,
        record.paid_at,
        record.shipped_at,
        record.completed_at,
        record.closed_at,
        record.close_reason[:_REASON],
        record.title[:_TITLE],
        raw,
        _header_version(record, raw),
        record.payment_kind or "",
        record.line_no,
    )


def _header_version(record: OrderRecord, raw: str) -> str:
    """What decides which of two reports of an order's amount, title and other columns stands: the later state, then the
    platform's own update time, then the larger refund; a hash of the content breaks the tie, so that the winner does
    not depend on which file came first. A record that does not speak of the amount stands below all that do (0 before
    1), and one that says nothing at all below everything: its version is empty.

    Every part has a fixed width and no punctuation, so that versions sort alike under every collation."""
    content = f"{record.paid}\0{record.title}\0{record.close_reason}\0{raw}"
    if record.paid is None and not record.amount_from_lines:
        return f"0{_hash(content)}" if record.title or record.close_reason or record.raw else ""
    updated = record.updated_at.astimezone(UTC).strftime("%Y%m%d%H%M%S%f") if record.updated_at else ""
    refunded = int((record.refunded or Decimal(0)) * 100)
    return f"1{_rank(record.status)}{updated:0>20}{refunded:014d}{_hash(content)}"


def _line_rows(record: OrderRecord) -> list[tuple[object, ...]]:
    return [
        (
            record.external_no,
            line.key,
            line.product_code,
            line.title[:_TITLE],
            line.options[:_OPTIONS],
            line.quantity,
            line.unit_price,
            line.amount,
            _line_version(record, line),
        )
        for line in record.lines
    ]


def _line_version(record: OrderRecord, line: LineRecord) -> str:
    facts = (line.product_code, line.title, line.options, line.quantity, line.unit_price, line.amount)
    return f"{_rank(record.status)}{_hash(repr(facts))}"


def _refund_rows(records: Sequence[OrderRecord]) -> list[tuple[object, ...]]:
    best: dict[str, tuple[OrderRecord, RefundRecord]] = {}
    for record in records:
        for refund in (
            *record.refunds,
            *([record.unlinked_refund] if record.unlinked_refund else []),
        ):
            other = best.get(refund.external_no)
            if other is None or _refund_order(refund) > _refund_order(other[1]):
                best[refund.external_no] = (record, refund)
    return [_refund_row(record, refund) for record, refund in best.values()]


def _refund_row(record: OrderRecord, refund: RefundRecord) -> tuple[object, ...]:
    unlinked = record.unlinked_refund is not None
    buyer = record.buyer if unlinked else None
    return (
        refund.external_no,
        None if unlinked else record.external_no,
        buyer and buyer.external_id,
        (buyer.name or buyer.external_id)[:_NAME] if buyer else None,
        buyer and buyer.email,
        buyer and buyer.phone,
        refund.status,
        refund.amount,
        refund.at,
        refund.reason[:_REFUND_REASON],
        refund.line_key,
    )


def _refund_order(refund: RefundRecord) -> tuple[int, Decimal, float, str, str]:
    return (
        RefundStatus(refund.status).rank,
        refund.amount,
        refund.at.timestamp() if refund.at else float("-inf"),
        refund.reason[:_REFUND_REASON],
        refund.line_key,
    )


def _rank(status: OrderStatus | None) -> int:
    return status.rank if status else 0


def _hash(content: str) -> str:
    return hashlib.blake2b(content.encode(), digest_size=12).hexdigest()
