"""The buyer's orders, as far as referrals look at them."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from django.apps import apps

from crm.api import OrderStatus, order_facts
from loyalty.earning.allocate import allocate
from loyalty.earning.facts import LineFacts
from loyalty.earning.money import fen
from loyalty.policies import published_policies
from loyalty.referral.deciding import BuyersOrder
from loyalty.validity import policy_at, succeeds_at

_ALIVE = (OrderStatus.PAID, OrderStatus.SHIPPED, OrderStatus.COMPLETED)


def orders_of(member_id: int, at: datetime, only: Collection[int] | None = None) -> list[BuyersOrder]:
    """A member's orders that were ever paid, or those of ``only``."""
    orders: Any = apps.get_model("crm", "Order").objects.filter(member=member_id)
    if only is not None:
        orders = orders.filter(pk__in=only)
    policies = published_policies()
    found = []
    for pk, channel, status, paid, refunded, placed_at, paid_at, shipped_at, completed_at in orders.values_list(
        "pk", "channel", "status", "paid", "refunded", "placed_at", "paid_at", "shipped_at", "completed_at"
    ):
        paid_instant = paid_at or placed_at or at
        alive = status in _ALIVE
        back = fen(refunded) if alive else fen(paid)
        ripe_at = succeeds_at(policy_at(policies, paid_instant), shipped_at)
        succeeded_at = (completed_at or at) if status == OrderStatus.COMPLETED else ripe_at
        if not alive or succeeded_at is None or succeeded_at > at:
            succeeded_at = None
        found.append(BuyersOrder(pk, channel, alive, paid_instant, fen(paid), back, succeeded_at))
    return found


def lines_of(order: BuyersOrder, at: datetime) -> list[LineFacts]:
    """The lines of an order; what was paid is shared out over them by what each of them cost."""
    details = order_facts([order.order_id], {"lines"}, at).get(order.order_id)
    lines = sorted(details.lines, key=lambda line: line.key) if details else []
    paid = allocate(order.paid, [max(fen(line.amount), 0) for line in lines]) if lines else []
    return [
        LineFacts(line.key, line.product_id, line.code, paid=share, refunded=fen(line.refunded))
        for line, share in zip(lines, paid, strict=True)
    ]
