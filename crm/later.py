"""Handing work to a worker, from modules that stand below the tasks and must not import them."""

import logging
from functools import partial

from django.db import transaction
from django.utils.module_loading import import_string

logger = logging.getLogger(__name__)


def call_later(task: str, *numbers: int) -> None:
    """Have a worker run a task, named as ``"crm.tasks.run_import"``, as soon as this transaction is committed."""
    transaction.on_commit(partial(call_worker, task, *numbers))


def call_worker(task: str, *numbers: int) -> None:
    """Have a worker run a task at once; not for use inside a transaction, which the worker would not see.

    The caller has written down in the database what there is to do, and the scheduler looks there every minute. So a
    broker that is away is no reason to fail.
    """
    found = import_string(task)
    try:
        found.delay(*numbers)
    except found.OperationalError:
        logger.warning("%s%s waits in the database: the broker did not answer", task, numbers or "")
