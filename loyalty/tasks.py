"""What the worker does for the points floor. A task is a thin edge: it reads the clock and calls a domain function."""

import json
import logging

from celery import shared_task
from django.utils import timezone

from loyalty import nightly
from loyalty.backtest import jobs

logger = logging.getLogger(__name__)


@shared_task
def run_nightly() -> None:
    """Do the night's work. The scheduler calls this a few minutes after midnight."""
    now = timezone.now()
    try:
        steps = nightly.run_nightly(now, at=now)
    except nightly.NightBusy:
        logger.info("the night's work is already being done by another worker")
        return
    for step in steps:
        logger.info("night: %s", json.dumps(step.as_json()))


@shared_task
def apply_policy() -> None:
    """Carry a change of the validity policy through at once, rather than in the coming night."""
    try:
        step = nightly.apply_policy(timezone.now())
    except nightly.NightBusy:
        logger.info("another worker does the night's work, which carries the changed policy through")
        return
    logger.info("policy: %s", json.dumps(step.as_json()))


@shared_task
def run_backtest(job_id: int) -> None:
    """Try rules on past orders, as somebody of the staff has asked for."""
    jobs.run(job_id, clock=timezone.now)


@shared_task
def resume_stalled_backtests() -> None:
    """Send again every backtest whose worker died or whose message was lost. The scheduler calls this every minute."""
    jobs.take_up_stalled(at=timezone.now())
