"""Handing work to a worker: named where it is asked for, found when it is called, and never lost with the broker."""

import re
from pathlib import Path

import pytest
from celery import Task
from django.utils.module_loading import import_string
from kombu.exceptions import OperationalError

from crm import tasks
from crm.later import call_worker

PROJECT = Path(__file__).resolve().parents[2]
NAMED = re.compile(r"\"((?:crm|loyalty|redemption)\.tasks\.\w+)\"")


def test_every_task_that_is_named_is_there() -> None:
    sources = [path for floor in ("crm", "loyalty", "redemption") for path in (PROJECT / floor).rglob("*.py")]
    named = {name for path in sources for name in NAMED.findall(path.read_text())}

    assert "crm.tasks.run_import" in named
    assert [name for name in sorted(named) if not isinstance(import_string(name), Task)] == []


def test_a_broker_that_is_away_is_no_failure_but_is_written_down(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def away(number: int) -> None:
        raise OperationalError

    monkeypatch.setattr(tasks.run_import, "delay", away)

    call_worker("crm.tasks.run_import", 7)

    assert "crm.tasks.run_import(7,) waits in the database" in caplog.text
