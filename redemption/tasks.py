"""What the worker does for the store. A task is a thin edge: it reads the clock and calls a domain function."""

import logging

from celery import shared_task
from django.utils import timezone

from redemption.rewards.lapsing import lapse_unpaid
from redemption.rewards.payment import apply_waiting

logger = logging.getLogger(__name__)


@shared_task
def sweep_redemptions() -> None:
    """Apply the payments that were reported, then cancel what was not paid in time. The scheduler calls this every
    minute; two at once do no harm."""
    paid = apply_waiting(at=timezone.now())
    lapsed = lapse_unpaid(timezone.now())
    if paid or lapsed:
        logger.info("redemptions: %s paid, %s cancelled as nobody paid", paid, lapsed)
