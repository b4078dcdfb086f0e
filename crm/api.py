"""What the upper floors may use of the ground floor."""

from crm.choices import OrderStatus, Platform, RefundStatus
from crm.claims import Buyer, Claim, ClaimState, buyer_of, claim_member, find_claim
from crm.events import OrderChange, OrderChanges, ReturnsChange, on_orders_changed
from crm.stafflog import log_action

__all__ = [
    "Buyer",
    "Claim",
    "ClaimState",
    "OrderChange",
    "OrderChanges",
    "OrderStatus",
    "Platform",
    "RefundStatus",
    "ReturnsChange",
    "buyer_of",
    "claim_member",
    "find_claim",
    "log_action",
    "on_orders_changed",
]
