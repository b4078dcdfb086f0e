"""The Celery application: tasks are the ``tasks.py`` of the apps, the schedule lies in the database."""

import os
import signal
import warnings
from typing import Any

from celery import Celery
from celery.exceptions import SecurityWarning
from celery.signals import setup_logging, worker_init, worker_process_init
from django.conf import settings

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


@worker_init.connect
def take_back_tasks(**_: object) -> None:
    """Queue again what a worker had taken that was killed.

    The embedded broker has one worker only, so that everything not acknowledged when it starts was left by a dead one.
    Where there may be several this cannot be told, and such tasks come back after Celery's visibility timeout.
    """
    if settings.BROKER_URL:
        return
    with app.connection_for_write() as connection:
        channel: Any = connection.default_channel  # Typed as any broker's channel; this one is Redis's.
        channel.visibility_timeout = 0
        channel.qos.restore_visible(num=None)
