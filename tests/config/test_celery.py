"""The worker's own manners."""

import os
import signal
from collections.abc import Iterator
from multiprocessing import get_context
from typing import Any

import pytest
from kombu import Connection
from pytest_django import Settings

from config.celery import app, take_back_tasks


@pytest.fixture
def broker() -> Iterator[Connection]:
    """Give the tests' broker, emptied."""
    with app.connection_for_write() as connection:
        channel: Any = connection.default_channel
        channel.client.flushdb()
        yield connection
        channel.client.flushdb()


def waiting(connection: Connection) -> int:
    """Return how many tasks wait to be taken."""
    channel: Any = connection.default_channel
    return int(channel.client.llen("celery"))


def die_with_a_task(url: str) -> None:
    """Take a task from the queue, as a worker does, and be killed before it is done."""
    with Connection(url) as connection, connection.SimpleQueue("celery") as queue:
        queue.get(timeout=5)
        os.kill(os.getpid(), signal.SIGKILL)


@pytest.fixture
def lost_task(broker: Connection) -> None:
    """Leave one task with a worker that was killed."""
    app.send_task("tests.lost")
    assert waiting(broker) == 1
    worker = get_context("spawn").Process(target=die_with_a_task, args=[app.conf.broker_url])
    worker.start()
    worker.join()
    assert worker.exitcode == -signal.SIGKILL
    assert waiting(broker) == 0


def test_on_the_embedded_broker_a_worker_takes_back_what_a_killed_one_had(
    broker: Connection, lost_task: None, settings: Settings
) -> None:
    settings.BROKER_URL = ""
    take_back_tasks()
    assert waiting(broker) == 1


def test_on_a_broker_of_many_workers_a_task_is_left_to_whoever_has_it(broker: Connection, lost_task: None) -> None:
    take_back_tasks()
    assert waiting(broker) == 0
