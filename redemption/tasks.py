"""What the worker does for the store. A task is a thin edge: it reads the clock and calls a domain function."""

import logging

from celery import shared_task
from django.utils import timezone

from redemption.rewards.lapsing import lapse_unpaid
from redemption.rewards.payment import apply_waiting
from redemption.rewards.payment_calls import forget_calls

logger = logging.getLogger(__name__)


@shared_task
def sweep_redemptions() -> None:
    """Apply the payments that were reported, cancel what was not paid in time, and forget old payment calls. The
    scheduler calls this every minute; two at once do no harm."""
    paid = apply_waiting(at=timezone.now())
    lapsed = lapse_unpaid(timezone.now())
    forget_calls(timezone.now())
    if paid or lapsed:
        logger.info("redemptions: %s paid, %s cancelled as nobody paid", paid, lapsed)
