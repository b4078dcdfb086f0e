"""The Celery application: tasks are the ``tasks.py`` of the apps, the schedule lies in the database."""

import os
import signal
import warnings

from celery import Celery
from celery.exceptions import SecurityWarning
from celery.signals import setup_logging, worker_process_init

from config.embedded.launch import end_with_parent

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

app = Celery("pointkeeper")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()

# Its reason is that root would unpickle what the broker holds. Here tasks come as JSON, which is all a worker accepts.
warnings.filterwarnings("ignore", category=SecurityWarning)


@setup_logging.connect
def keep_logging(**_: object) -> None:
    """Leave the logging as Django's settings have set it up: Celery sets up its own only when nobody answers."""


@worker_process_init.connect
def end_with_worker(**_: object) -> None:
    """Have a process of the pool die with its worker, also when that is killed: its task is then handed out again."""
    end_with_parent(signal.SIGKILL, os.getppid())
