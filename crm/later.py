"""Handing work to a worker, from modules that stand below the tasks and must not import them."""

import logging

from django.utils.module_loading import import_string

logger = logging.getLogger(__name__)


def call_later(task: str, *numbers: int) -> None:
    """Have a worker run a task soon, named as ``"crm.tasks.run_import"``.

    The caller has written down in the database what there is to do, and the scheduler looks there every minute. So a
    broker that is away is no reason to fail.
    """
    found = import_string(task)
    try:
        found.delay(*numbers)
    except found.OperationalError:
        logger.warning("%s%s waits in the database: the broker did not answer", task, numbers or "")
