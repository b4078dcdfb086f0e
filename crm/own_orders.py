"""Orders that the shop takes itself, on a channel of its own: the cash part of a redemption, say.

They are recorded like any platform's, so that rules, refunds and tiers see them as they see others.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db import connection, transaction
from django.utils.translation import gettext as _

from crm.choices import OrderStatus, PaymentKind, Platform, RefundStatus
from crm.feeds.records import BuyerRecord, OrderRecord, RefundRecord
from crm.models import Channel, Identity, Order
from crm.orders import lock_recording, record

OWN_CHANNEL = "redemption-store"


@dataclass(frozen=True, slots=True)
class OwnRefund:
    """Money (yuan) that went back at ``at``; ``number`` names the refund for ever."""

    number: str
    amount: Decimal
    at: datetime


@dataclass(frozen=True, slots=True)
class OwnOrder:
    """An order as it stands now. ``number`` names it for ever; ``paid`` is gross, in yuan."""

    number: str
    member_id: int
    title: str
    paid: Decimal
    placed_at: datetime
    paid_at: datetime
    shipped_at: datetime | None = None
    completed_at: datetime | None = None
    refunds: tuple[OwnRefund, ...] = ()

    @property
    def status(self) -> OrderStatus:
        """How far the order has come."""
        if self.completed_at is not None:
            return OrderStatus.COMPLETED
        return OrderStatus.SHIPPED if self.shipped_at is not None else OrderStatus.PAID


def record_own_orders(orders: Sequence[OwnOrder], *, at: datetime) -> dict[str, int]:
    """Record orders of the shop's own channel as they stand now, in one transaction; return their ids by number.

    The same again changes nothing. Takes the channel's lock and those of the accounts that earn or lose points: call it
    before anything that locks an account. The channel is made when it is first needed.
    """
    if not orders:
        return {}
    with transaction.atomic():
        channel, _made = Channel.objects.get_or_create(
            code=OWN_CHANNEL, defaults={"name": _("Redemption store"), "platform": Platform.OTHER}
        )
        with connection.cursor() as cursor:
            lock_recording(cursor, channel.pk)
        # The buyers are known: a name on the channel leads the orders to them.
        Identity.objects.bulk_create(
            [
                Identity(channel=channel, external_id=_buyer_name(member_id), member_id=member_id)
                for member_id in sorted({order.member_id for order in orders})
            ],
            ignore_conflicts=True,
        )
        record(channel, [_as_record(order) for order in orders], at=at)
        numbers = [order.number for order in orders]
        found = Order.objects.filter(channel=channel, external_no__in=numbers)
        return dict(found.values_list("external_no", "pk"))


def _buyer_name(member_id: int) -> str:
    return f"member-{member_id}"


def _as_record(order: OwnOrder) -> OrderRecord:
    return OrderRecord(
        external_no=order.number,
        line_no=0,
        status=order.status,
        buyer=BuyerRecord(_buyer_name(order.member_id)),
        paid=order.paid,
        placed_at=order.placed_at,
        paid_at=order.paid_at,
        shipped_at=order.shipped_at,
        completed_at=order.completed_at,
        payment_kind=PaymentKind.CASH,
        title=order.title,
        refunds=tuple(
            RefundRecord(refund.number, RefundStatus.SUCCESS, refund.amount, at=refund.at) for refund in order.refunds
        ),
    )
