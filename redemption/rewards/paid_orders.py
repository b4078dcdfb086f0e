"""An imported order pays for a redemption when the buyer wrote the redemption's number into it.

The handler only writes the payment down, in the import's own transaction; the sweep applies it. Were it applied here,
the accounts of redemptions would be locked after the counters of rules that the import holds (docs/locking.md).
"""

import re
from collections.abc import Mapping
from datetime import datetime

from django.apps import apps
from django.db.models import Q
from stdnum import luhn

from crm.api import OrderChange, OrderChanges, OrderStatus
from redemption.models import Payment, Redemption
from redemption.rewards.choices import PaidBy, RedemptionState

_NUMBER = re.compile(r"JF(\d{2,19})(?!\d)")
_PAID = frozenset({OrderStatus.PAID, OrderStatus.SHIPPED, OrderStatus.COMPLETED})


def on_orders(changes: OrderChanges, at: datetime) -> Mapping[str, int]:
    """Write down which of these orders pay for a redemption that waits for its cash, or waited for it until it was too
    late: that one is for a person to see to."""
    paid = {change.order_id: change for change in changes.orders if change.status in _PAID and change.paid > 0}
    members = {change.member_id for change in paid.values()}
    unpaid = Q(state=RedemptionState.AWAITING) | Q(state=RedemptionState.CANCELLED, cash__gt=0, paid_at=None)
    waiting = dict(Redemption.objects.filter(unpaid, member__in=members).values_list("pk", "member_id"))
    if not waiting:
        return {}
    found = [
        (paid[order_id], redemption_id)
        for order_id, text in _texts([pk for pk, change in paid.items() if change.member_id in waiting.values()])
        for redemption_id in numbers_in(text)
        if waiting.get(redemption_id) == paid[order_id].member_id
    ]
    return {"cash_payments": sum(_write_down(change, redemption_id, at) for change, redemption_id in found)}


def numbers_in(text: str) -> list[int]:
    """Return the ids of the redemptions whose numbers stand in a text; a number with a wrong check digit is none."""
    return [int(digits[:-1]) for digits in _NUMBER.findall(text.upper()) if luhn.is_valid(digits)]


def _texts(order_ids: list[int]) -> list[tuple[int, str]]:
    """What the order says in words: its title, and the columns that the feed has no field for, such as remarks."""
    rows = apps.get_model("crm", "Order").objects.filter(pk__in=order_ids).values_list("pk", "title", "raw")
    return [(pk, " ".join([title, *map(str, raw.values())])) for pk, title, raw in rows]


def _write_down(change: OrderChange, redemption_id: int, at: datetime) -> int:
    """An order pays for one redemption, and once, however often its file is imported."""
    _payment, made = Payment.objects.get_or_create(
        reference=f"order:{change.channel_code}:{change.external_no}",
        defaults={
            "redemption_id": redemption_id,
            "amount": change.paid - change.refunded,
            "how": PaidBy.ORDER,
            "order_id": change.order_id,
            "applied": False,
            "at": at,
        },
    )
    return int(made)
