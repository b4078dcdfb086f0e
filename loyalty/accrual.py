"""From changed orders to the journal, inside the transaction that changed them."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from django.db import connection

from crm.api import OrderChange, OrderChanges
from loyalty.choices import EntryKind
from loyalty.journal import post
from loyalty.order_plan import (
    NOTHING_POSTED,
    PostedOrder,
    PostedRow,
    plan_order,
    posted_orders,
)
from loyalty.posting import Outcome, Posting, Verb
from loyalty.returns import plan_returns
from loyalty.rulebook import published_rates
from loyalty.rules import Rate, rate_at

# A batch becomes one database call a verb. Within one order points are given before they are taken back, and taken back
# before the rest becomes available; between orders the sequence does not matter.
_SEQUENCE = {Verb.ACCRUE: 0, Verb.REVERSE: 1, Verb.MATURE: 2}


# Plain SQL with an array: the ORM would spell out some thousand placeholders, which costs more than the query.
_POSTED = """
SELECT e.order_id, e.id, e.kind, e.key, e.points + e.pending, e.pending > 0, e.about_id,
       e.trace -> 'rule' ->> 'version', e.trace -> 'rule' ->> 'per', e.trace -> 'rule' ->> 'points'
  FROM loyalty_entry AS e WHERE e.order_id = ANY (%s) ORDER BY e.id
"""


def on_orders(changes: OrderChanges, at: datetime) -> Mapping[str, int]:
    """Bring the journal to where the changed orders say it should be.

    Returns how many points became available (``points_accrued``), wait for their order (``points_pending``) and were
    taken back (``points_reversed``).
    """
    rates = published_rates()
    postings = _order_postings(changes.orders, rates, at)
    effects = _write(postings, at)
    if changes.returns:
        # The cap on returns without an order looks at what the orders of this very batch have earned.
        for name, value in _write(plan_returns(changes.returns, rates, at), at).items():
            effects[name] += value
    return effects


def _order_postings(orders: Sequence[OrderChange], rates: Sequence[Rate], at: datetime) -> list[Posting]:
    posted = _posted([change.order_id for change in orders])
    postings: list[Posting] = []
    for change in orders:
        rate = rate_at(rates, change.paid_at or change.placed_at or at)
        postings += plan_order(change, posted.get(change.order_id, NOTHING_POSTED), rate, at)
    postings.sort(key=lambda posting: _SEQUENCE[posting.verb])
    return postings


def _posted(order_ids: list[int]) -> dict[int, PostedOrder]:
    with connection.cursor() as cursor:
        cursor.execute(_POSTED, [order_ids])
        return posted_orders([PostedRow(*row) for row in cursor.fetchall()])


def _write(postings: list[Posting], at: datetime) -> dict[str, int]:
    outcomes = post(postings, at=at) if postings else []
    return _effects(postings, outcomes)


def _effects(postings: Sequence[Posting], outcomes: Sequence[Outcome]) -> dict[str, int]:
    accrued = pending = reversed_ = 0
    for posting, outcome in zip(postings, outcomes, strict=True):
        if outcome.repeated:
            continue
        if posting.kind is EntryKind.REVERSAL:
            reversed_ -= outcome.points + outcome.pending
        else:
            accrued += outcome.points
            pending += max(outcome.pending, 0)
    return {
        "points_accrued": accrued,
        "points_pending": pending,
        "points_reversed": reversed_,
    }
