"""Real processes against the same database: many at once, and one that is killed in the middle."""

import multiprocessing
import os
import signal
from collections import Counter
from collections.abc import Callable
from typing import Any

from django.db import connection, connections

_PROCESSES = multiprocessing.get_context("fork")


def in_processes(count: int, act: Callable[[int], Counter[str]]) -> Counter[str]:
    """Let so many processes act at the same moment, each with its own connection; return all that they counted."""
    connections.close_all()  # A fork must not share a connection with us.
    start = _PROCESSES.Barrier(count)
    answers: Any = _PROCESSES.SimpleQueue()

    def process(number: int) -> None:
        answer = None
        try:
            start.wait(timeout=60)
            answer = act(number)
        finally:
            answers.put(answer)
            connections.close_all()

    processes = [_PROCESSES.Process(target=process, args=(number,)) for number in range(count)]
    for each in processes:
        each.start()
    found = [answers.get() for _process in processes]
    for each in processes:
        each.join()
    assert None not in found, "a process failed; what it said stands above"
    return sum(found, Counter())


def killed_after(statements: int, act: Callable[[], object]) -> bool:
    """Let a process act that is killed once so many of its statements are done; say whether it came to that.

    A process that comes to the end is done and has committed.
    """
    connections.close_all()
    done = 0

    def kill_when_due() -> None:
        if done == statements:
            os.kill(os.getpid(), signal.SIGKILL)

    def count(execute: Callable[..., Any], *call: Any) -> Any:
        nonlocal done
        result = execute(*call)
        done += 1
        kill_when_due()
        return result

    def process() -> None:
        kill_when_due()
        with connection.execute_wrapper(count):
            act()

    it = _PROCESSES.Process(target=process)
    it.start()
    it.join()
    assert it.exitcode in {0, -signal.SIGKILL}, "the act failed; what it said stands above"
    return it.exitcode != 0
