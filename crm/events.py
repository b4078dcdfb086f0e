"""How the ground floor tells the upper floors that something happened.

The upper floors register handlers from their ``AppConfig.ready``. A handler gets a whole batch, runs inside the
transaction that made the change, and returns named counters that end up in the report of the import.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from crm.choices import OrderStatus


@dataclass(frozen=True, slots=True)
class OrderChange:
    """An order as it stands after the change. Amounts are in the currency of its channel; ``paid`` is gross."""

    order_id: int
    channel_code: str
    external_no: str
    member_id: int | None
    status: OrderStatus
    paid: Decimal
    refunded: Decimal
    placed_at: datetime | None
    paid_at: datetime | None
    shipped_at: datetime | None
    completed_at: datetime | None
    closed_at: datetime | None


@dataclass(frozen=True, slots=True)
class ReturnsChange:
    """The sum of a member's returns on one channel that name no order, after the change."""

    member_id: int
    channel_code: str
    refunded: Decimal
    latest_at: datetime | None


@dataclass(frozen=True, slots=True)
class OrderChanges:
    """One batch of what changed. ``returns`` has every touched member who ever had a return without an order."""

    orders: tuple[OrderChange, ...] = ()
    returns: tuple[ReturnsChange, ...] = ()


OrdersHandler = Callable[[OrderChanges, datetime], Mapping[str, int]]

_order_handlers: list[OrdersHandler] = []


def on_orders_changed(handler: OrdersHandler) -> None:
    """Register a handler for changed orders; registering the same one again changes nothing."""
    if handler not in _order_handlers:
        _order_handlers.append(handler)


def orders_changed(changes: OrderChanges, at: datetime) -> dict[str, int]:
    """Tell every handler, in the order of registration, and add up what they report."""
    totals: dict[str, int] = {}
    for handler in _order_handlers:
        for name, value in handler(changes, at).items():
            totals[name] = totals.get(name, 0) + value
    return totals


@dataclass(frozen=True, slots=True)
class TierChanges:
    """One batch of what became of members' tiers: the ids of new grants and of new offers to claim."""

    grants: tuple[int, ...] = ()
    offers: tuple[int, ...] = ()


TiersHandler = Callable[[TierChanges, datetime], None]

_tier_handlers: list[TiersHandler] = []


def on_tiers_changed(handler: TiersHandler) -> None:
    """Register a handler for new grants and offers, by reviews, claims and persons alike. It runs in the transaction
    that makes them; the members are locked. Registering the same one again changes nothing."""
    if handler not in _tier_handlers:
        _tier_handlers.append(handler)


def tiers_changed(changes: TierChanges, at: datetime) -> None:
    """Tell every handler, in the order of registration."""
    for handler in _tier_handlers:
        handler(changes, at)
