"""The cash of a redemption: reported by staff, by an imported order or by a payment call, and applied once.

A report is written down first and applied then, so that it is never lost: what a crash left between the two is applied
by the next sweep, and what cannot be applied (the hold has lapsed, too little was paid) waits for a person.
"""

from datetime import datetime
from decimal import Decimal

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from crm.api import log_action
from loyalty import api as loyalty
from redemption.models import Payment, Redemption
from redemption.rewards.cash_orders import cash_due, record_payment
from redemption.rewards.choices import PaidBy, RedemptionState, RewardKind
from redemption.rewards.life import state_when_paid
from redemption.rewards.moving import MoveRefused, NoReason, NotPossible, find, move
from redemption.rewards.reasons import Because


class PaymentConflict(MoveRefused):
    """The same payment was reported before, for something else."""

    code = "payment_conflict"
    text = _("A payment with this reference was reported before, for another redemption or another amount.")


def report_payment(
    redemption_id: int,
    amount: Decimal,
    *,
    how: PaidBy,
    reference: str,
    at: datetime,
    actor_id: int | None = None,
    order_id: int | None = None,
) -> Payment:
    """Write down that ``amount`` yuan were paid; the same ``reference`` again returns the first report.

    Nothing moves yet. Raises NotPossible for a redemption that costs no cash, and PaymentConflict.
    """
    if not Redemption.objects.filter(pk=redemption_id, cash__gt=0).exists():
        raise NotPossible
    content = {"redemption_id": redemption_id, "amount": amount, "how": how}
    payment, _made = Payment.objects.get_or_create(
        reference=reference,
        defaults={**content, "order_id": order_id, "applied": False, "at": at, "actor_id": actor_id},
    )
    if any(getattr(payment, name) != value for name, value in content.items()):
        raise PaymentConflict
    return payment


def apply_payment(payment_id: int, *, at: datetime) -> bool:
    """Let a payment count: the held points are spent and the redemption goes on. Returns whether it counts now.

    False when the redemption no longer waits, or when too little was paid: then a person has to look.
    """
    payment = Payment.objects.get(pk=payment_id)
    if payment.applied:
        return True
    if payment.redemption_id is None or payment.amount is None:
        return False
    redemption = find(payment.redemption_id)
    if redemption.state != RedemptionState.AWAITING or payment.amount < cash_due(redemption):
        return False
    state = state_when_paid(RewardKind(redemption.reward.kind))
    received = state is RedemptionState.RECEIVED
    try:
        with transaction.atomic():
            order_id = record_payment(redemption, payment, received=received, at=at)
            loyalty.capture(
                redemption.member_id,
                redemption.entry.key,
                key=f"redemption:{redemption.pk}:capture",
                at=at,
                reference=redemption.entry.reference,
                trace=redemption.entry.trace | {"units": redemption.left},
            )
            move(redemption, at=at, actor_id=payment.actor_id, reason=Because.PAID, state=state, paid_at=at)
            Payment.objects.filter(pk=payment.pk).update(applied=True, settled_at=at, order_id=order_id)
    except (loyalty.NothingOpen, MoveRefused):
        # The hold lapsed or the redemption was cancelled a moment ago: the payment stays for a person.
        return False
    return True


def mark_paid(redemption_id: int, *, actor_id: int, reason: str, at: datetime) -> bool:
    """Staff say that the cash is there. Returns whether the redemption goes on now. Raises NoReason, NotPossible."""
    if not reason.strip():
        raise NoReason
    redemption = find(redemption_id)
    if redemption.state != RedemptionState.AWAITING:
        raise NotPossible
    with transaction.atomic():
        payment = report_payment(
            redemption_id,
            cash_due(redemption),
            how=PaidBy.STAFF,
            reference=f"staff:{redemption.number}:{redemption.left}",
            at=at,
            actor_id=actor_id,
        )
        log_action(
            "redemptions.paid",
            actor_id=actor_id,
            at=at,
            reason=reason,
            member_id=redemption.member_id,
            redemption=redemption.number,
            amount=str(payment.amount),
        )
    return apply_payment(payment.pk, at=at)


def settle(payment_id: int, *, actor_id: int, reason: str, at: datetime) -> None:
    """Staff have seen to a payment that counts for nothing, by paying it back for example. Raises NoReason, and
    NotPossible for one that counts or was seen to before."""
    if not reason.strip():
        raise NoReason
    payment = Payment.objects.get(pk=payment_id)
    with transaction.atomic():
        log_action(
            "payments.settle", actor_id=actor_id, at=at, reason=reason, payment=payment.pk, amount=str(payment.amount)
        )
        if not Payment.objects.filter(pk=payment_id, applied=False, settled_at=None).update(settled_at=at):
            raise NotPossible


def apply_waiting(*, at: datetime) -> int:
    """Apply every reported payment whose redemption still waits; return how many count now. For the sweep."""
    waiting = Payment.objects.filter(applied=False, settled_at=None, redemption__state=RedemptionState.AWAITING)
    return sum(apply_payment(pk, at=at) for pk in waiting.order_by("pk").values_list("pk", flat=True))
