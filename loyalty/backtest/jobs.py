"""Backtests as jobs: started by a person, run by a worker with progress, taken up again when that worker dies.

Nothing is kept of a backtest that breaks off: it takes a minute or two, so whoever takes it up begins anew. Progress is
committed with every batch of orders, and the same statement tells the worker that somebody has cancelled the job.
"""

import json
import logging
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal

from django.core.serializers.json import DjangoJSONEncoder
from django.db import InterfaceError, OperationalError, transaction
from django.utils.translation import gettext_noop

from crm.api import call_later, job_lock, log_action, longjobs
from loyalty.backtest.run import Period, backtest
from loyalty.choices import BacktestState
from loyalty.earning.checking import problems
from loyalty.earning.ruleset import InvalidRules, RuleSet
from loyalty.models import BacktestJob
from loyalty.models import RuleSet as RuleSetRow
from loyalty.rulebook import rules_of

logger = logging.getLogger(__name__)

# Kept in English in the database and translated where shown.
BROKE_OFF = gettext_noop("The program met an error and stopped. Nothing was changed; start the backtest again.")

_MOVING = (BacktestState.QUEUED, BacktestState.RUNNING)
_LOCKS = 0x1B0C  # Backtests among the locks of jobs.
_TASK = "loyalty.tasks.run_backtest"


class WrongState(Exception):
    """The job is not in a state that allows this step; somebody else was quicker, or the page is old."""


class _Ended(Exception):
    """Somebody has cancelled the job; this worker stops."""


def start(set_id: int, period: Period, *, margin: Decimal, actor_id: int, at: datetime) -> BacktestJob:
    """Have a set of rules, a draft or a published one (0: the one built in), tried on the orders of a period.

    ``margin`` is the percentage of an order's price that its points may cost before it counts as too dear. The staff
    log keeps who asked. Raises RuleSet.DoesNotExist, and InvalidRules where the rules are such that nobody could say
    what they pay.
    """
    with transaction.atomic():
        row = RuleSetRow.objects.get(pk=set_id) if set_id else None
        rules = rules_of(set_id)
        # What was published once is sound. A draft's budget that is used up is no reason here: it was not then.
        if row and row.version is None and (found := problems(rules)):
            raise InvalidRules(found)
        job = BacktestJob.objects.create(
            rule_set=row,
            version=row.version if row else 0,
            note=row.note if row else "",
            rules=rules.as_json()["rules"],
            first_day=period.first,
            last_day=period.last,
            margin=margin,
            created_by_id=actor_id,
            created_at=at,
        )
        log_action(
            "backtest.start", actor_id=actor_id, at=at, job=job.pk, rule_set=set_id, version=job.version,
            first=str(period.first), last=str(period.last),
        )  # fmt: skip
        call_later(_TASK, job.pk)
    return job


def cancel(job_id: int, *, actor_id: int, at: datetime) -> None:
    """End a job that waits or runs. Raises ``WrongState`` when it does neither."""
    with transaction.atomic():
        ended = BacktestJob.objects.filter(pk=job_id, state__in=_MOVING).update(
            state=BacktestState.CANCELLED, finished_at=at
        )
        if not ended:
            raise WrongState(job_id)
        log_action("backtest.cancel", actor_id=actor_id, at=at, job=job_id)


def run(job_id: int, *, clock: Callable[[], datetime]) -> bool:
    """Run a job that waits or broke off, from its beginning; false when there was nothing to do or another worker is
    at it.

    ``clock`` gives the time at the start and at every batch. A database that goes away leaves the job as it is, to be
    taken up again; any other error marks it as failed.
    """
    with job_lock(job_id, _LOCKS) as held:
        at = clock()
        mine = held and BacktestJob.objects.filter(pk=job_id, state__in=_MOVING).update(
            state=BacktestState.RUNNING, started_at=at, beat_at=at, done=0
        )
        if not mine:
            return False
        try:
            _run(BacktestJob.objects.get(pk=job_id), at, clock)
        except _Ended:
            logger.info("backtest %s was cancelled", job_id)
        except (OperationalError, InterfaceError):
            raise
        except Exception:
            logger.exception("backtest %s broke off", job_id)
            BacktestJob.objects.filter(pk=job_id, state=BacktestState.RUNNING).update(
                state=BacktestState.FAILED, error=BROKE_OFF, finished_at=clock()
            )
        return True


def _run(job: BacktestJob, at: datetime, clock: Callable[[], datetime]) -> None:
    running = BacktestJob.objects.filter(pk=job.pk, state=BacktestState.RUNNING)

    def progress(done: int, number: int) -> None:
        if not running.update(done=done, orders=number, beat_at=clock()):
            raise _Ended

    candidate = RuleSet.from_json({"version": job.version or 0, "rules": job.rules})
    period = Period(job.first_day, job.last_day)
    found = backtest(candidate, period, percent=job.margin, at=at, progress=progress)
    result = json.loads(json.dumps(found, cls=DjangoJSONEncoder))
    running.update(state=BacktestState.DONE, result=result, finished_at=clock())


def take_up_stalled(*, at: datetime) -> list[int]:
    """Dispatch every job that waits or runs without a sign of life and that no live session works on."""
    return longjobs.take_up(BacktestJob.objects.all(), _MOVING, _LOCKS, lambda _state: _TASK, at=at)


def is_stalled(job: BacktestJob, at: datetime) -> bool:
    """Say whether a job should be moving, shows no sign of life, and no live session works on it."""
    return longjobs.is_stalled(job, _MOVING, _LOCKS, at)
