"""Payments that were reported in earnest and belong to nothing that we know: kept as they came, until a person says
what they were for or what was done about them."""

import hashlib
import json
from datetime import datetime
from decimal import Decimal

from django.db import transaction

from crm.api import log_action
from redemption.models import Payment, Redemption
from redemption.rewards.choices import FitsNothing, PaidBy
from redemption.rewards.moving import NoReason, NotPossible
from redemption.rewards.payment import apply_payment


def keep_stray(body: bytes, why: FitsNothing, *, amount: Decimal | None, at: datetime) -> Payment:
    """Write down what came; ``amount`` (yuan) as far as it could be read. The same content again is the same row."""
    payload = body.decode(errors="replace").replace("\x00", "\ufffd")
    payment, _made = Payment.objects.get_or_create(
        reference=f"stray:{_fingerprint(body)}",
        defaults={
            "amount": amount, "how": PaidBy.CALL, "applied": False, "at": at, "why": why, "payload": payload,
        },
    )  # fmt: skip
    return payment


def assign(payment_id: int, redemption_id: int, *, actor_id: int, reason: str, at: datetime) -> bool:
    """Staff say which redemption a stray payment was for. Returns whether it counts now; where it does not, as it is
    too little or too late, it stands with that redemption and is still to be seen to.

    Raises NoReason, and NotPossible when it was seen to or assigned before, has no amount, or the redemption costs
    points only.
    """
    if not reason.strip():
        raise NoReason
    with transaction.atomic():
        if not Redemption.objects.filter(pk=redemption_id, cash__gt=0).exists():
            raise NotPossible
        strays = Payment.objects.filter(pk=payment_id, redemption=None, settled_at=None, amount__isnull=False)
        if not strays.update(redemption=redemption_id):
            raise NotPossible
        payment = Payment.objects.select_related("redemption").get(pk=payment_id)
        log_action(
            "payments.assign",
            actor_id=actor_id,
            at=at,
            reason=reason.strip(),
            member_id=payment.redemption.member_id if payment.redemption else None,
            payment=payment.pk,
            redemption=payment.redemption.number if payment.redemption else "",
            amount=str(payment.amount),
        )
    return apply_payment(payment_id, at=at)


def _fingerprint(body: bytes) -> str:
    """What a report says, whatever the order of its fields and the blanks between them. Pure."""
    try:
        content = json.dumps(json.loads(body, parse_float=str), sort_keys=True).encode()
    except (ValueError, RecursionError):
        content = body
    return hashlib.sha256(content).hexdigest()[:40]
