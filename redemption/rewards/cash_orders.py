"""The cash part of a redemption as an order of the shop's own channel, so that it earns points as any order does."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from crm.api import OwnOrder, OwnRefund, record_own_orders
from redemption.models import Payment, Redemption
from redemption.rewards.choices import PaidBy


def counted_payment(redemption: Redemption) -> Payment | None:
    """Return the payment that counts for a redemption."""
    return Payment.objects.filter(redemption=redemption, applied=True).first() if redemption.cash else None


def record_payment(redemption: Redemption, payment: Payment, *, received: bool, at: datetime) -> int | None:
    """Record what was paid as an order; return its id. ``received`` when nothing is left to be sent.

    A payment that an imported order told of is recorded already, by the import. Takes the channel's lock: call it
    first.
    """
    if payment.how == PaidBy.ORDER:
        return payment.order_id
    order = _order(redemption, payment, paid_at=at, completed_at=at if received else None)
    return record_own_orders([order], at=at)[order.number]


def record_progress(
    redemption: Redemption, *, at: datetime, shipped: bool = False, received: bool = False, refunded_pieces: int = 0
) -> None:
    """Record that the order of a redemption went on its way or arrived, or that the cash of some pieces went back. Does
    nothing where no cash was paid, or where another channel's order paid it. Takes the channel's lock: call it first.
    """
    payment = counted_payment(redemption)
    if payment is None or payment.how == PaidBy.ORDER or redemption.paid_at is None:
        return
    gone = redemption.cancelled + redemption.returned + refunded_pieces
    refund = OwnRefund(f"{redemption.number}-{gone}", cash_of(redemption, refunded_pieces), at)
    order = _order(
        redemption,
        payment,
        paid_at=redemption.paid_at,
        shipped_at=at if shipped else None,
        completed_at=at if received else None,
        refunds=(refund,) if refunded_pieces else (),
    )
    record_own_orders([order], at=at)


def record_shipped(redemptions: Sequence[Redemption], *, at: datetime) -> None:
    """Record that the orders of many redemptions went on their way, in a few statements: as ``record_progress`` does
    for one. Takes the channel's lock: call it first."""
    paid = [redemption for redemption in redemptions if redemption.paid_at is not None]
    if not paid:
        return
    counted = Payment.objects.filter(redemption__in=paid, applied=True).exclude(how=PaidBy.ORDER)
    payments = {payment.redemption_id: payment for payment in counted}
    orders = [
        _order(redemption, payments[redemption.pk], paid_at=redemption.paid_at, shipped_at=at)
        for redemption in paid
        if redemption.pk in payments and redemption.paid_at is not None
    ]
    record_own_orders(orders, at=at)


def cash_of(redemption: Redemption, pieces: int) -> Decimal:
    """Return the cash (yuan) of so many pieces: the price of all is a multiple of that of one, to the fen."""
    return redemption.cash / redemption.quantity * pieces


def cash_due(redemption: Redemption) -> Decimal:
    """Return what is to be paid for the pieces that are left, in yuan."""
    return cash_of(redemption, redemption.left)


def _order(
    redemption: Redemption,
    payment: Payment,
    *,
    paid_at: datetime,
    shipped_at: datetime | None = None,
    completed_at: datetime | None = None,
    refunds: tuple[OwnRefund, ...] = (),
) -> OwnOrder:
    return OwnOrder(
        number=redemption.number,
        member_id=redemption.member_id,
        title=redemption.reward.name,
        paid=payment.amount or Decimal(0),  # A payment that counts has an amount.
        placed_at=redemption.placed_at,
        paid_at=paid_at,
        shipped_at=shipped_at,
        completed_at=completed_at,
        refunds=refunds,
    )
