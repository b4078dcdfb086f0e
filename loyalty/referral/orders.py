"""The buyer's orders, as far as referrals look at them."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from django.apps import apps

from crm.api import OrderDetails, OrderStatus, order_facts
from loyalty.earning.allocate import allocate
from loyalty.earning.facts import LineFacts
from loyalty.earning.money import fen
from loyalty.policies import published_policies
from loyalty.referral.deciding import BuyersOrder
from loyalty.validity import policy_at, succeeds_at

_ALIVE = (OrderStatus.PAID, OrderStatus.SHIPPED, OrderStatus.COMPLETED)


def orders_of(member_ids: Collection[int], at: datetime) -> dict[int, list[BuyersOrder]]:
    """The orders of each of these members that were ever paid."""
    orders: Any = apps.get_model("crm", "Order").objects.filter(member__in=list(member_ids))
    policies = published_policies()
    found: dict[int, list[BuyersOrder]] = {member_id: [] for member_id in member_ids}
    for member_id, pk, channel, status, paid, refunded, placed_at, paid_at, shipped_at, completed_at in (
        orders.order_by("pk").values_list(
            "member", "pk", "channel", "status", "paid", "refunded", "placed_at", "paid_at", "shipped_at",
            "completed_at",
        )
    ):  # fmt: skip
        paid_instant = paid_at or placed_at or at
        alive = status in _ALIVE
        back = fen(refunded) if alive else fen(paid)
        ripe_at = succeeds_at(policy_at(policies, paid_instant), shipped_at)
        succeeded_at = (completed_at or at) if status == OrderStatus.COMPLETED else ripe_at
        if not alive or succeeded_at is None or succeeded_at > at:
            succeeded_at = None
        found[member_id].append(BuyersOrder(pk, channel, alive, paid_instant, fen(paid), back, succeeded_at))
    return found


def lines_of(orders: Collection[BuyersOrder], at: datetime) -> dict[int, list[LineFacts]]:
    """The lines of these orders by their ids; what was paid is shared out over them by what each of them cost."""
    if not orders:
        return {}
    details = order_facts([order.order_id for order in orders], {"lines"}, at)
    return {order.order_id: _lines(order, details.get(order.order_id)) for order in orders}


def _lines(order: BuyersOrder, details: OrderDetails | None) -> list[LineFacts]:
    lines = sorted(details.lines, key=lambda line: line.key) if details else []
    paid = allocate(order.paid, [max(fen(line.amount), 0) for line in lines]) if lines else []
    return [
        LineFacts(line.key, line.product_id, line.code, paid=share, refunded=fen(line.refunded))
        for line, share in zip(lines, paid, strict=True)
    ]
