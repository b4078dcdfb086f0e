"""What earning rules may ask about orders and members, fetched for a whole batch at once.

The caller says what it needs; nothing else is read. The number of statements depends on what is needed, never on the
number of orders. What is known of an order is told as it stands now, except for the tier: that is the one the buyer
held when he paid.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, NamedTuple

from django.db import connection
from django.db.backends.utils import CursorWrapper

from crm.choices import ProductPolicy
from crm.member_profile import PROFILE_COMPLETE
from crm.tiers.holding import GRANT_AT

LINES, PRODUCTS, TIER, TAGS = "lines", "products", "tier", "tags"
BIRTHDAY, EARLIER_ORDERS = "birthday", "earlier_orders"


@dataclass(frozen=True, slots=True)
class LineDetails:
    """One line of an order.

    ``amount`` is what the line cost by itself: the line's own amount, else pieces times price, else zero. Lines do not
    always add up to what was paid, so it is a weight to allocate by. ``refunded`` is the sum of the successful refunds
    that name this line. Policy, category and points a piece are the product's and are told with "products".
    """

    key: str
    product_id: int
    code: str
    quantity: int
    amount: Decimal
    refunded: Decimal
    policy: str = ProductPolicy.NORMAL.value
    category: str = ""
    bonus_points: int = 0


@dataclass(frozen=True, slots=True)
class BuyerDetails:
    """The member behind an order. ``earlier_orders`` counts his paid orders before this one."""

    member_id: int
    tier: str = ""
    tier_rank: int = 0
    tags: frozenset[str] = frozenset()
    birthday: date | None = None
    joined_at: datetime | None = None
    profile_complete: bool = False
    earlier_orders: int = 0


@dataclass(frozen=True, slots=True)
class OrderDetails:
    """What was asked about one order. ``buyer`` is None where no member is known."""

    order_id: int
    payment_kind: str = ""
    lines: tuple[LineDetails, ...] = ()
    buyer: BuyerDetails | None = None


def order_facts(order_ids: Collection[int], needs: Collection[str], at: datetime) -> dict[int, OrderDetails]:
    """Tell what is needed about these orders; ids that do not exist are left out.

    ``needs`` may hold "lines", "products" (the lines with policy and category), "tier", "tags", "birthday" (with the
    day of joining and whether the profile is complete) and "earlier_orders"; other words are none of our business. An
    order that says neither when it was paid nor when it was placed counts as paid ``at``.
    """
    ids = list(order_ids)
    with connection.cursor() as cursor:
        lines = _lines(cursor, ids) if {LINES, PRODUCTS} & set(needs) else {}
        earlier = _earlier_orders(cursor, ids, at) if EARLIER_ORDERS in needs else {}
        headers = _headers(cursor, ids, needs, at)
        tags = _tags(cursor, {row.member_id for row in headers if row.member_id}) if TAGS in needs else {}
    return {
        row.order_id: OrderDetails(
            order_id=row.order_id,
            payment_kind=row.payment_kind,
            lines=tuple(lines.get(row.order_id, ())),
            buyer=_buyer(row, tags, earlier) if row.member_id else None,
        )
        for row in headers
    }


def member_facts(moments: Sequence[tuple[int, datetime]], needs: Collection[str]) -> list[BuyerDetails | None]:
    """Tell what is needed about a member at an instant, for each of these pairs in turn, for acts that are no order (a
    sign-in, a birthday); None where the member does not exist.

    ``needs`` as in ``order_facts``; ``earlier_orders`` are all orders paid before the instant.
    """
    found: list[BuyerDetails | None] = [None] * len(moments)
    with connection.cursor() as cursor:
        people = _people(cursor, moments, needs)
        tags = _tags(cursor, {member_id for member_id, _at in moments}) if TAGS in needs else {}
        orders = _paid_orders(cursor, moments) if EARLIER_ORDERS in needs else {}
    for place, member_id, tier, tier_rank, birthday, joined_at, complete in people:
        found[place - 1] = BuyerDetails(
            member_id=member_id,
            tier=tier,
            tier_rank=tier_rank,
            tags=tags.get(member_id, frozenset()),
            birthday=birthday,
            joined_at=joined_at,
            profile_complete=complete,
            earlier_orders=orders.get(place, 0),
        )
    return found


# --- statements -------------------------------------------------------------------------------------------------------
#
# Plain SQL with arrays: the ORM would spell out some thousand placeholders, which costs more than the queries.

_TIER_COLUMNS = "coalesce(t.code, base.code, ''), coalesce(t.rank, 0)"
_TIER_JOINS = f"""
  LEFT JOIN {GRANT_AT.format(member="o.member_id", instant="coalesce(o.paid_at, o.placed_at, %(at)s)")}
  LEFT JOIN crm_tier AS t ON t.id = g.tier_id
  LEFT JOIN crm_tier AS base ON base.rank = 0"""
_PERSON_JOIN = "LEFT JOIN crm_member AS m ON m.id = o.member_id"
_PERSON_COLUMNS = f"m.birthday, m.joined_at, coalesce({PROFILE_COMPLETE}, false)"


class _Header(NamedTuple):
    order_id: int
    payment_kind: str
    member_id: int | None
    tier: str
    tier_rank: int
    birthday: date | None
    joined_at: datetime | None
    profile_complete: bool


def _headers(cursor: CursorWrapper, order_ids: list[int], needs: Collection[str], at: datetime) -> list[_Header]:
    tier, person = TIER in needs, BIRTHDAY in needs
    cursor.execute(
        f"""
        SELECT o.id, o.payment_kind, o.member_id, {_TIER_COLUMNS if tier else "'', 0"},
               {_PERSON_COLUMNS if person else "NULL, NULL, false"}
          FROM crm_order AS o {_TIER_JOINS if tier else ""} {_PERSON_JOIN if person else ""}
         WHERE o.id = ANY (%(orders)s)
        """,
        {"orders": order_ids, "at": at},
    )
    return [_Header(*row) for row in cursor.fetchall()]


def _buyer(row: _Header, tags: Mapping[int, frozenset[str]], earlier: Mapping[int, int]) -> BuyerDetails:
    member_id = row.member_id or 0
    return BuyerDetails(
        member_id=member_id,
        tier=row.tier,
        tier_rank=row.tier_rank,
        tags=tags.get(member_id, frozenset()),
        birthday=row.birthday,
        joined_at=row.joined_at,
        profile_complete=row.profile_complete,
        earlier_orders=earlier.get(row.order_id, 0),
    )


_LINES = """
SELECT l.order_id, l.key, l.product_id, p.code, l.quantity,
       coalesce(l.amount, round(l.unit_price * l.quantity, 2), 0), coalesce(r.amount, 0),
       p.policy, p.category, p.bonus_points
  FROM crm_orderline AS l
  JOIN crm_product AS p ON p.id = l.product_id
  LEFT JOIN (
      SELECT order_id, line_key, sum(amount) AS amount
        FROM crm_refund
       WHERE order_id = ANY (%(orders)s) AND line_key <> '' AND status = 'success'
       GROUP BY order_id, line_key
  ) AS r ON r.order_id = l.order_id AND r.line_key = l.key
 WHERE l.order_id = ANY (%(orders)s)
 ORDER BY l.order_id, l.id
"""


def _lines(cursor: CursorWrapper, order_ids: list[int]) -> dict[int, list[LineDetails]]:
    cursor.execute(_LINES, {"orders": order_ids})
    lines: dict[int, list[LineDetails]] = defaultdict(list)
    for order_id, *line in cursor.fetchall():
        lines[order_id].append(LineDetails(*line))
    return lines


_TAGS = """
SELECT mt.member_id, t.name
  FROM crm_membertag AS mt
  JOIN crm_tag AS t ON t.id = mt.tag_id
 WHERE mt.member_id = ANY (%s)
"""


def _tags(cursor: CursorWrapper, member_ids: Iterable[int]) -> dict[int, frozenset[str]]:
    cursor.execute(_TAGS, [list(member_ids)])
    names: dict[int, set[str]] = defaultdict(set)
    for member_id, name in cursor.fetchall():
        names[member_id].add(name)
    return {member_id: frozenset(found) for member_id, found in names.items()}


_PAID = "e.status IN ('paid', 'shipped', 'completed')"

# Numbered once along all orders of these members: asking for each order on its own would read a wholesaler's orders as
# often as he has any. The order itself stands in its own count's future, whatever its state.
_EARLIER = f"""
SELECT n.id, n.earlier
  FROM (
      SELECT e.id,
             count(*) FILTER (WHERE {_PAID}) OVER (
                 PARTITION BY e.member_id
                 ORDER BY coalesce(e.paid_at, e.placed_at, %(at)s), e.id
                 ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
             ) AS earlier
        FROM crm_order AS e
       WHERE e.member_id IN (SELECT o.member_id FROM crm_order AS o WHERE o.id = ANY (%(orders)s))
  ) AS n
 WHERE n.id = ANY (%(orders)s)
"""


def _earlier_orders(cursor: CursorWrapper, order_ids: list[int], at: datetime) -> dict[int, int]:
    cursor.execute(_EARLIER, {"orders": order_ids, "at": at})
    return dict(cursor.fetchall())


# Pairs of member and instant, by their places: the first is 1.
_MOMENTS = "unnest(%(members)s::bigint[], %(instants)s::timestamptz[]) WITH ORDINALITY AS k (member_id, at, place)"
_TIER_JOINS_AT = f"""
  LEFT JOIN {GRANT_AT.format(member="k.member_id", instant="k.at")}
  LEFT JOIN crm_tier AS t ON t.id = g.tier_id
  LEFT JOIN crm_tier AS base ON base.rank = 0"""

_PAID_ORDERS = f"""
SELECT k.place, count(*)
  FROM {_MOMENTS}
  JOIN crm_order AS e ON e.member_id = k.member_id
 WHERE {_PAID} AND coalesce(e.paid_at, e.placed_at) < k.at
 GROUP BY k.place
"""


def _as_arrays(moments: Sequence[tuple[int, datetime]]) -> dict[str, list[Any]]:
    return {"members": [member_id for member_id, _at in moments], "instants": [at for _member_id, at in moments]}


def _paid_orders(cursor: CursorWrapper, moments: Sequence[tuple[int, datetime]]) -> dict[int, int]:
    cursor.execute(_PAID_ORDERS, _as_arrays(moments))
    return dict(cursor.fetchall())


def _people(
    cursor: CursorWrapper, moments: Sequence[tuple[int, datetime]], needs: Collection[str]
) -> list[tuple[Any, ...]]:
    tier, person = TIER in needs, BIRTHDAY in needs
    cursor.execute(
        f"""
        SELECT k.place, m.id, {_TIER_COLUMNS if tier else "'', 0"},
               {_PERSON_COLUMNS if person else "NULL, NULL, false"}
          FROM {_MOMENTS}
          JOIN crm_member AS m ON m.id = k.member_id
               {_TIER_JOINS_AT if tier else ""}
        """,
        _as_arrays(moments),
    )
    return list(cursor.fetchall())
