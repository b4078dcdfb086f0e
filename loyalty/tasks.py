"""What the worker does for the points floor. A task is a thin edge: it reads the clock and calls a domain function."""

import json
import logging

from celery import shared_task
from django.utils import timezone

from loyalty import nightly
from loyalty.backtest import jobs as backtests
from loyalty.grants import jobs as grants
from loyalty.grants import making
from loyalty.models import Grant
from loyalty.past_purchases import renewing
from loyalty.past_purchases.checking import READING
from loyalty.past_purchases.members import make_missing_members

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
    backtests.run(job_id, clock=timezone.now)


@shared_task
def resume_stalled_backtests() -> None:
    """Send again every backtest whose worker died or whose message was lost. The scheduler calls this every minute."""
    backtests.take_up_stalled(at=timezone.now())


@shared_task
def check_grant(grant_id: int) -> None:
    """Read an uploaded grant into its rows, before anything is given."""
    making.check(grant_id, at=timezone.now(), readings={Grant.Source.PAST: READING})


@shared_task
def run_grant(grant_id: int) -> None:
    """Post the rows of a grant that has all the words it needs, from where it was last left."""
    grants.run(grant_id, clock=timezone.now, prepare=make_missing_members)


@shared_task
def renew_import(renewal_id: int) -> None:
    """Renew the points that an import brought, from where it was last left."""
    renewing.run(renewal_id, clock=timezone.now)


@shared_task
def resume_stalled_grants() -> None:
    """Send again every grant and renewal whose worker died or whose message was lost. The scheduler calls this every
    minute."""
    grants.take_up_stalled(at=timezone.now())
    renewing.take_up_stalled(at=timezone.now())
