"""What two databases must agree on when the same facts came in by different ways."""

import hashlib
import json
from typing import Any

from django.db import connection

# Ids, instants of recording and the number of journal lines may differ; what a person could be told may not.
_FACTS = {
    "orders": """
        SELECT c.code, o.external_no, i.external_id, o.status, o.paid, o.refunded, o.placed_at, o.paid_at, o.shipped_at,
               o.completed_at, o.closed_at, o.close_reason, o.title, o.raw, o.version,
               o.payment_kind
          FROM crm_order AS o JOIN crm_channel AS c ON c.id = o.channel_id LEFT JOIN crm_identity AS i ON i.id =
          o.identity_id
         ORDER BY 1, 2
    """,
    "lines": """
        SELECT o.external_no, l.key, p.code, l.title, l.options, l.quantity, l.unit_price, l.amount
          FROM crm_orderline AS l JOIN crm_order AS o ON o.id = l.order_id JOIN crm_product AS p ON p.id = l.product_id
         ORDER BY 1, 2
    """,
    "products": "SELECT code, title FROM crm_product ORDER BY 1",
    "refunds": """
        SELECT r.external_no, o.external_no, r.status, r.amount, r.at, r.reason, r.line_key
          FROM crm_refund AS r LEFT JOIN crm_order AS o ON o.id = r.order_id ORDER BY 1
    """,
    "members": """
        SELECT i.external_id, i.name, i.email, i.phone, i.seen_at, m.joined_at
          FROM crm_identity AS i JOIN crm_member AS m ON m.id = i.member_id ORDER BY 1
    """,
    "accounts": """
        SELECT i.external_id, coalesce(a.balance, 0), coalesce(a.pending, 0), coalesce(a.held, 0)
          FROM crm_identity AS i LEFT JOIN loyalty_account AS a ON a.member_id = i.member_id ORDER BY 1
    """,
    "points of orders": """
        SELECT o.external_no, sum(e.points), sum(e.pending)
          FROM loyalty_entry AS e JOIN crm_order AS o ON o.id = e.order_id
         GROUP BY 1 HAVING sum(e.points) <> 0 OR sum(e.pending) <> 0 ORDER BY 1
    """,
    "open lots": """
        SELECT i.external_id, l.pending, l.available_at, l.expires_at, sum(l.remaining)
          FROM loyalty_lot AS l JOIN crm_identity AS i ON i.member_id = l.account_id
         WHERE l.open GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4
    """,
}


def facts() -> dict[str, list[Any]]:
    """All facts, table by table, for a readable difference."""
    found = {}
    with connection.cursor() as cursor:
        for name, query in _FACTS.items():
            cursor.execute(query)
            found[name] = cursor.fetchall()
    return found


def digest() -> str:
    """The facts as one hash."""
    return hashlib.sha256(json.dumps(facts(), default=str).encode()).hexdigest()
