"""Joining a staged batch with what the database knows: one statement a table.

Every column is a join in the algebraic sense: commutative, associative and repeatable. A status only rises, an instant
is the earliest one reported, amounts follow the report with the greatest version. So the final row is the same whatever
the sequence of files, and a statement that would change nothing touches no row.

All of it runs under the channel's lock (``crm.orders``), so that a row that was not there when looked for is not there
when it is inserted.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db.backends.utils import CursorWrapper

from crm.choices import OrderStatus, PaymentKind, RefundStatus

# The stable words in the order of their ranks. That nothing is said of the payment ranks below every kind of it.
_RANKS = {
    "statuses": OrderStatus.values,
    "refund_statuses": RefundStatus.values,
    "payments": ["", *PaymentKind.values],
}

# An order of a member who was erased is known, and stays his: what a later report says of the person is not read. One
# that is new brings a new member, whoever the buyer was.
_FORGOTTEN = """
WITH orders AS (
    UPDATE crm_stage_order AS s
       SET buyer = NULL, name = NULL, email = NULL, phone = NULL, seen_at = NULL, raw = '{}'
      FROM crm_order AS o
      JOIN crm_member AS m ON m.id = o.member_id AND m.erased_at IS NOT NULL
     WHERE o.channel_id = %(channel)s AND o.external_no = s.external_no
       AND EXISTS (SELECT FROM crm_member WHERE erased_at IS NOT NULL)
)
UPDATE crm_stage_refund AS s
   SET buyer = NULL, name = NULL, email = NULL, phone = NULL, reason = ''
 WHERE EXISTS (SELECT FROM crm_member WHERE erased_at IS NOT NULL)
   AND (
       EXISTS (
           SELECT FROM crm_order AS o
             JOIN crm_member AS m ON m.id = o.member_id AND m.erased_at IS NOT NULL
            WHERE o.channel_id = %(channel)s AND o.external_no = s.order_no
       )
       OR EXISTS (
           SELECT FROM crm_refund AS r
             JOIN crm_member AS m ON m.id = r.member_id AND m.erased_at IS NOT NULL
            WHERE r.channel_id = %(channel)s AND r.external_no = s.external_no
       )
   )
"""

# A buyer seen for the first time becomes a member of his own. Members are found by identity and nothing else: two
# buyers with the same phone or mail address stay two.
_NEW_MEMBERS = """
WITH seen AS (
    SELECT buyer, min(name) AS name, min(placed_at) AS first_at
      FROM (
          SELECT buyer, name, placed_at FROM crm_stage_order
          UNION ALL
          SELECT buyer, name, at FROM crm_stage_refund
      ) AS s
     WHERE buyer IS NOT NULL
     GROUP BY buyer
), fresh AS (
    SELECT nextval(pg_get_serial_sequence('crm_member', 'id')) AS id, seen.*
      FROM seen
     WHERE NOT EXISTS (
           SELECT FROM crm_identity AS i WHERE i.channel_id = %(channel)s AND i.external_id = seen.buyer
     )
), members AS (
    INSERT INTO crm_member (id, name, email, phone, note, joined_at)
    SELECT id, name, '', '', '', coalesce(first_at, %(at)s) FROM fresh
)
INSERT INTO crm_identity (channel_id, external_id, member_id, name, email, phone)
SELECT %(channel)s, buyer, id, name, '', '' FROM fresh
"""

# The contact details of the latest order that had any; between two of the same instant the greater text stands.
_CONTACTS = """
UPDATE crm_identity AS i
   SET name = s.name, email = s.email, phone = s.phone, seen_at = s.seen_at
  FROM (
      SELECT DISTINCT ON (buyer) buyer, name, email, phone, seen_at
        FROM crm_stage_order
       WHERE buyer IS NOT NULL AND (email <> '' OR phone <> '')
       ORDER BY buyer, seen_at DESC NULLS LAST, email DESC, phone DESC, name DESC
  ) AS s
 WHERE i.channel_id = %(channel)s AND i.external_id = s.buyer
   AND (coalesce(s.seen_at, '-infinity'), s.email, s.phone, s.name)
     > (coalesce(i.seen_at, '-infinity'), i.email, i.phone, i.name)
"""

# Whoever may be changed by this batch, or get another tier by it, in ascending order: imports into two shops may be
# about the same members at the same time. An order or a refund without a buyer may be known to be of one.
_LOCKED = """
SELECT m.id FROM crm_member AS m
 WHERE m.id IN (
       SELECT i.member_id
         FROM (SELECT buyer FROM crm_stage_order UNION SELECT buyer FROM crm_stage_refund) AS s
         JOIN crm_identity AS i ON i.channel_id = %(channel)s AND i.external_id = s.buyer
        UNION
       SELECT o.member_id
         FROM (SELECT external_no FROM crm_stage_order UNION SELECT order_no FROM crm_stage_refund) AS s
         JOIN crm_order AS o ON o.channel_id = %(channel)s AND o.external_no = s.external_no
 )
 ORDER BY m.id
   FOR NO KEY UPDATE OF m
"""

_JOINED = """
WITH earlier AS (
    SELECT m.id, s.first_at
      FROM (
          SELECT i.member_id, min(o.placed_at) AS first_at
            FROM (SELECT buyer, placed_at FROM crm_stage_order UNION ALL SELECT buyer, at FROM crm_stage_refund) AS o
            JOIN crm_identity AS i ON i.channel_id = %(channel)s AND i.external_id = o.buyer
           GROUP BY i.member_id
      ) AS s
      JOIN crm_member AS m ON m.id = s.member_id AND s.first_at < m.joined_at
)
UPDATE crm_member AS m
   SET joined_at = least(m.joined_at, e.first_at)
  FROM earlier AS e
 WHERE m.id = e.id
"""

# ``o`` is the row as it is, ``excluded`` what the batch says; a row that would stay as it is is neither written nor
# returned. ``xmax`` is zero in a row that this statement has inserted.
_ORDERS = """
INSERT INTO crm_order AS o (
    channel_id, external_no, member_id, identity_id, status, paid, refunded, refunded_reported, amount_from_lines,
    placed_at, paid_at, shipped_at, completed_at, closed_at, close_reason, title, raw, version, payment_kind
)
SELECT %(channel)s, s.external_no, i.member_id, i.id, coalesce(s.status, 'placed'), coalesce(s.paid, 0),
       coalesce(s.refunded, 0), coalesce(s.refunded, 0), s.amount_from_lines, s.placed_at, s.paid_at, s.shipped_at,
       s.completed_at, s.closed_at, s.close_reason, s.title, s.raw, s.version, s.payment_kind
  FROM crm_stage_order AS s
  LEFT JOIN crm_identity AS i ON i.channel_id = %(channel)s AND i.external_id = s.buyer
    ON CONFLICT (channel_id, external_no) DO UPDATE
   SET member_id = coalesce(o.member_id, excluded.member_id),
       identity_id = coalesce(o.identity_id, excluded.identity_id),
       status = CASE
           WHEN array_position(%(statuses)s, excluded.status::text) > array_position(%(statuses)s, o.status::text)
           THEN excluded.status ELSE o.status
       END,
       paid = CASE
           WHEN excluded.version > o.version AND NOT (o.amount_from_lines OR excluded.amount_from_lines)
           THEN excluded.paid ELSE o.paid
       END,
       refunded = greatest(o.refunded, excluded.refunded),
       refunded_reported = greatest(o.refunded_reported, excluded.refunded_reported),
       amount_from_lines = o.amount_from_lines OR excluded.amount_from_lines,
       placed_at = least(o.placed_at, excluded.placed_at),
       paid_at = least(o.paid_at, excluded.paid_at),
       shipped_at = least(o.shipped_at, excluded.shipped_at),
       completed_at = least(o.completed_at, excluded.completed_at),
       closed_at = least(o.closed_at, excluded.closed_at),
       close_reason = CASE WHEN excluded.version > o.version THEN excluded.close_reason ELSE o.close_reason END,
       title = CASE WHEN excluded.version > o.version THEN excluded.title ELSE o.title END,
       raw = CASE WHEN excluded.version > o.version THEN excluded.raw ELSE o.raw END,
       version = greatest(o.version, excluded.version),
       payment_kind = CASE
           WHEN array_position(%(payments)s, excluded.payment_kind::text)
              > array_position(%(payments)s, o.payment_kind::text)
           THEN excluded.payment_kind ELSE o.payment_kind
       END
 WHERE excluded.version > o.version
    OR array_position(%(statuses)s, excluded.status::text) > array_position(%(statuses)s, o.status::text)
    OR excluded.refunded_reported > o.refunded_reported
    OR (excluded.amount_from_lines AND NOT o.amount_from_lines)
    OR array_position(%(payments)s, excluded.payment_kind::text) > array_position(%(payments)s, o.payment_kind::text)
    OR (o.member_id IS NULL AND excluded.member_id IS NOT NULL)
    OR (least(o.placed_at, excluded.placed_at), least(o.paid_at, excluded.paid_at),
        least(o.shipped_at, excluded.shipped_at), least(o.completed_at, excluded.completed_at),
        least(o.closed_at, excluded.closed_at))
       IS DISTINCT FROM (o.placed_at, o.paid_at, o.shipped_at, o.completed_at, o.closed_at)
RETURNING o.id, o.xmax = 0
"""

_PRODUCTS = """
INSERT INTO crm_product AS p (channel_id, code, title)
SELECT %(channel)s, code, max(title) FROM crm_stage_line GROUP BY code ORDER BY code
    ON CONFLICT (channel_id, code) DO UPDATE SET title = excluded.title WHERE excluded.title > p.title
"""

_LINES = """
INSERT INTO crm_orderline AS l (order_id, key, product_id, title, options, quantity, unit_price, amount, version)
SELECT o.id, s.key, p.id, s.title, s.options, s.quantity, s.unit_price, s.amount, s.version
  FROM crm_stage_line AS s
  JOIN crm_order AS o ON o.channel_id = %(channel)s AND o.external_no = s.external_no
  JOIN crm_product AS p ON p.channel_id = %(channel)s AND p.code = s.code
    ON CONFLICT (order_id, key) DO UPDATE
   SET product_id = excluded.product_id, title = excluded.title, options = excluded.options,
       quantity = excluded.quantity, unit_price = excluded.unit_price, amount = excluded.amount,
       version = excluded.version
 WHERE excluded.version > l.version
RETURNING order_id
"""

_AMOUNTS_FROM_LINES = """
UPDATE crm_order AS o
   SET paid = n.paid
  FROM (
      SELECT f.id, greatest(sum(l.amount), 0) AS paid
        FROM crm_order AS f
        JOIN crm_orderline AS l ON l.order_id = f.id
       WHERE f.id = ANY (%(orders)s) AND f.amount_from_lines
       GROUP BY f.id
  ) AS n
 WHERE o.id = n.id AND o.paid <> n.paid
RETURNING o.id
"""

# A refund that stands on its own is a row without an order; a linked one is never unlinked again.
_REFUNDS = """
INSERT INTO crm_refund AS r (channel_id, external_no, order_id, member_id, status, amount, at, reason, line_key)
SELECT %(channel)s, s.external_no, o.id, CASE WHEN o.id IS NULL THEN i.member_id END,
       s.status, s.amount, s.at, s.reason, s.line_key
  FROM crm_stage_refund AS s
  LEFT JOIN crm_order AS o ON o.channel_id = %(channel)s AND o.external_no = s.order_no
  LEFT JOIN crm_identity AS i ON i.channel_id = %(channel)s AND i.external_id = s.buyer
    ON CONFLICT (channel_id, external_no) DO UPDATE
   SET status = excluded.status, amount = excluded.amount, at = excluded.at, reason = excluded.reason,
       line_key = excluded.line_key,
       order_id = coalesce(r.order_id, excluded.order_id), member_id = coalesce(r.member_id, excluded.member_id)
 WHERE (array_position(%(refund_statuses)s, excluded.status::text), excluded.amount,
        coalesce(excluded.at, '-infinity'), excluded.reason, excluded.line_key)
     > (array_position(%(refund_statuses)s, r.status::text), r.amount,
        coalesce(r.at, '-infinity'), r.reason, r.line_key)
RETURNING order_id, member_id
"""

# The order list may report a total and the refund list its parts: the same money. The greater of the two is what went
# back.
_REFUNDED = """
UPDATE crm_order AS o
   SET refunded = n.refunded
  FROM (
      SELECT o.id,
             greatest(
                 o.refunded_reported, coalesce(sum(r.amount) FILTER (WHERE r.status = 'success'), 0)
             ) AS refunded
        FROM crm_order AS o
        LEFT JOIN crm_refund AS r ON r.order_id = o.id
       WHERE o.id = ANY (%(orders)s)
       GROUP BY o.id
  ) AS n
 WHERE o.id = n.id AND o.refunded <> n.refunded
RETURNING o.id
"""


@dataclass(slots=True)
class Merged:
    """What a batch changed: ids, and how many members were new."""

    new: set[int] = field(default_factory=set)
    updated: set[int] = field(default_factory=set)
    members_new: int = 0
    refunds: int = 0
    members_with_returns: set[int] = field(default_factory=set)

    @property
    def orders(self) -> list[int]:
        """All orders that are not as they were, ascending."""
        return sorted(self.new | self.updated)


def merge(cursor: CursorWrapper, channel_id: int, at: datetime) -> Merged:
    """Join the staged batch with the database."""
    values: dict[str, Any] = {"channel": channel_id, "at": at, **_RANKS}
    merged = Merged()

    cursor.execute(_FORGOTTEN, values)
    cursor.execute(_NEW_MEMBERS, values)
    merged.members_new = cursor.rowcount
    cursor.execute(_CONTACTS, values)
    cursor.execute(_LOCKED, values)
    cursor.execute(_JOINED, values)
    cursor.execute(_ORDERS, values)
    for order_id, is_new in cursor.fetchall():
        (merged.new if is_new else merged.updated).add(order_id)

    cursor.execute(_PRODUCTS, values)
    cursor.execute(_LINES, values)
    with_lines = {row[0] for row in cursor.fetchall()}
    merged.updated |= with_lines
    # Also where no line is new: the lines may have been known before anything said that they make up the amount.
    cursor.execute(_AMOUNTS_FROM_LINES, {"orders": merged.orders})

    cursor.execute(_REFUNDS, values)
    refunds = cursor.fetchall()
    merged.refunds = len(refunds)
    with_refunds = {order_id for order_id, _ in refunds if order_id is not None}
    merged.members_with_returns = {member_id for order_id, member_id in refunds if order_id is None and member_id}
    if with_refunds:
        merged.updated |= with_refunds
        cursor.execute(_REFUNDED, {"orders": sorted(with_refunds)})

    merged.updated -= merged.new
    return merged
