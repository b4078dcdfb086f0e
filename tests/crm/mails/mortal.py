"""Workers that die at a given place, as the kernel's killer ends them: no handler runs, nothing is undone.

``python -c "… mortals()"`` is set up once; for every line on its standard input it forks a worker that does one round
and dies where the line says. A worker that came to its end unharmed answers 0, a killed one 9.
"""

import json
import os
import signal
import smtplib
import sys
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from types import FrameType
from typing import Any

from django.db import connection
from django.test import override_settings
from django.utils.module_loading import import_string

from crm.mails.kinds import mail_kinds
from crm.mails.sending import send_due
from crm.mails.writing import put_into_words

# Held by a worker's session from its beginning to its end, which is after the undoing of what it had not committed.
ALIVE = 0x6D_6F_72_74
OUTBOX = str(Path(__file__).resolve().parents[3] / "crm" / "mails")


def mortals() -> None:
    """Fork a worker for each order."""
    for kind in mail_kinds():  # Their templates are read once, and not by every worker anew.
        put_into_words(kind.code, {}, name="", language="", stop="")
    for line in sys.stdin:
        child = os.fork()
        if not child:
            _work(json.loads(line))
        _pid, status = os.waitpid(child, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


def _work(order: dict[str, Any]) -> None:
    """Do a round and end the process: with 0 where nothing killed it, with 1 for an error of its own."""
    _prepare(order)
    at = datetime.fromisoformat(order["at"])
    mail = {
        "EMAIL_BACKEND": "django.core.mail.backends.smtp.EmailBackend", "EMAIL_HOST": "127.0.0.1",
        "EMAIL_PORT": order["port"], "EMAIL_USE_TLS": False, "EMAIL_USE_SSL": False, "EMAIL_TIMEOUT": 5,
    }  # fmt: skip
    try:
        with override_settings(**mail):
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_lock_shared(%s)", [ALIVE])
            if "line" in order:
                sys.settrace(_counting(order["line"]))
            send_due(clock=lambda: at)
        sys.settrace(None)
        os._exit(0)
    finally:
        os._exit(1)


def die() -> None:
    """End at once."""
    os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(60)


def _prepare(order: dict[str, Any]) -> None:
    """Put death before or after the call of a function, "smtplib.SMTP.data" say, or of its nth call."""
    if "place" not in order:
        return
    when, name, number = order["place"], order["function"], order.get("number", 1)
    holder_name, _dot, attribute = name.rpartition(".")
    holder = smtplib.SMTP if holder_name == "smtplib.SMTP" else _module_or_class(holder_name)
    whole: Callable[..., Any] = getattr(holder, attribute)
    calls = 0

    def mortal(*args: Any, **kwargs: Any) -> Any:
        nonlocal calls
        calls += 1
        if when == "before" and calls == number:
            die()
        result = whole(*args, **kwargs)
        if when == "after" and calls == number:
            die()
        return result

    setattr(holder, attribute, mortal)


def _module_or_class(name: str) -> Any:
    if name in sys.modules:
        return sys.modules[name]
    return import_string(name)


def _counting(fatal: int) -> Callable[..., Any]:
    """Trace the lines of the outbox, and die before the nth that is executed for the first time."""
    seen: set[tuple[str, int]] = set()

    def on_line(frame: FrameType, event: str, argument: Any) -> Any:
        if event == "line":
            seen.add((frame.f_code.co_filename, frame.f_lineno))
            if len(seen) == fatal:
                die()
        return on_line

    def on_call(frame: FrameType, event: str, argument: Any) -> Any:
        return on_line if frame.f_code.co_filename.startswith(OUTBOX) else None

    return on_call
