"""The ordeal: a durable server, writers that never rest, and kills of both at random; then the proof."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from urllib.parse import quote

from config.embedded import places
from config.embedded.postgres import Postgres

WRITERS = 3
MEMBERS = 40  # Few enough that writers meet at the same accounts all the time.
PATIENCE_SECONDS = 120
PROJECT = Path(__file__).resolve().parents[2]


@dataclass
class Ordeal:
    """A server and its writers. ``kills`` counts what was killed."""

    folder: Path
    random: Random
    server_kills: int = 0
    writer_kills: int = 0

    @property
    def environment(self) -> dict[str, str]:
        """What a process needs in order to reach the server; nothing else of the shop runs."""
        sockets = quote(str(places.postgres_sockets(self.folder)), safe="")
        url = f"postgres://{places.DATABASE_USER}@{sockets}:{places.DATABASE_PORT}/{places.DATABASE_NAME}"
        return os.environ | {
            "DATABASE_URL": url,
            "DJANGO_SETTINGS_MODULE": "config.settings",
            "LOG_LEVEL": "ERROR",
            "PYTHONPATH": str(PROJECT),
            "VAR_DIR": str(self.folder),
        }

    def python(self, code: str, *arguments: str) -> "subprocess.Popen[str]":
        """Start a piece of Python beside the server."""
        return subprocess.Popen(
            [sys.executable, "-c", code, *arguments],
            cwd=PROJECT,
            env=self.environment,
            text=True,
            stdout=subprocess.PIPE,
        )

    def finish(self, code: str, *arguments: str) -> str:
        """Run a piece of Python to its end and return what it printed. Raises RuntimeError when it failed."""
        process = self.python(code, *arguments)
        output, _ = process.communicate()
        if process.returncode:
            raise RuntimeError(f"ended with {process.returncode}: {output}")
        return output

    def notes(self, number: int) -> Path:
        """Where a writer notes what it does."""
        return self.folder / f"writer-{number}.jsonl"

    def endure(self, *, seconds: float = 0, kills: int = 0) -> None:
        """Let the writers write for so long and until so many kills, of a writer or of the server, each after the
        writers got on by a random piece: on a busy machine they get on slowly, and are killed as slowly."""
        with ExitStack() as stack:
            server = stack.enter_context(_server(self.folder))
            self.finish(PREPARE, str(MEMBERS))
            writers = {number: self._start(number) for number in range(WRITERS)}
            stack.callback(_kill_all, writers)
            end = time.monotonic() + seconds
            while time.monotonic() < end or self.server_kills + self.writer_kills < kills:
                self._let_them_write(self.random.randint(2_000, 60_000))
                if self.random.random() < 0.5:
                    server.crash()
                    self.server_kills += 1
                else:
                    number = self.random.randrange(WRITERS)
                    _kill(writers[number])
                    self.writer_kills += 1
                    writers[number] = self._start(number)

    def _let_them_write(self, more: int) -> None:
        """Wait until the notes have grown by so many bytes. Raises TimeoutError when the writers do not get on."""
        patience = time.monotonic() + PATIENCE_SECONDS
        goal = self._written() + more
        while self._written() < goal:
            if time.monotonic() > patience:
                raise TimeoutError(f"the writers have not got on for {PATIENCE_SECONDS} s")
            time.sleep(0.01)

    def _written(self) -> int:
        notes = [self.notes(number) for number in range(WRITERS)]
        return sum(path.stat().st_size for path in notes if path.exists())

    def prove(self) -> str:
        """Restart once more, let every unanswered act be repeated, and prove the ledger: see ``tests.crash.proof``."""
        with _server(self.folder):
            return self.finish(PROVE, *(str(self.notes(number)) for number in range(WRITERS))).strip()

    def _start(self, number: int) -> "subprocess.Popen[str]":
        return self.python(WRITE, str(self.notes(number)), str(number))


class _CrashingServer:
    """The embedded server under its own hand, so that it can be killed as the power cut kills it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.lock = os.open(folder / "server.lock", os.O_RDWR | os.O_CREAT)
        self.server = Postgres(folder)
        self.server.start(self.lock)

    def crash(self) -> None:
        """Kill the server's main process; its children end when they miss it. Then start it again."""
        process = self.server.process
        assert process is not None
        process.send_signal(signal.SIGKILL)
        process.wait()
        self.server = Postgres(self.folder)
        self.server.start(self.lock)

    def close(self) -> None:
        self.server.stop()
        os.close(self.lock)


@contextmanager
def _server(folder: Path) -> Iterator[_CrashingServer]:
    server = _CrashingServer(folder)
    try:
        yield server
    finally:
        server.close()


def _kill_all(writers: "dict[int, subprocess.Popen[str]]") -> None:
    for writer in writers.values():
        _kill(writer)


def _kill(process: "subprocess.Popen[str]") -> None:
    process.kill()
    process.communicate()


# Django must be set up before the modules are imported that know its models.
WRITE = "import sys, django; django.setup(); from tests.crash.writer import write; write(sys.argv[1], int(sys.argv[2]))"
PREPARE = """
import sys, django; django.setup()
from django.core.management import call_command
from django.utils import timezone
from crm.models import Member
call_command("migrate", verbosity=0, skip_checks=True)
if not Member.objects.exists():
    Member.objects.bulk_create(Member(name=str(n), joined_at=timezone.now()) for n in range(int(sys.argv[1])))
"""
PROVE = "import sys, django; django.setup(); from tests.crash.proof import prove; print(prove(sys.argv[1:]))"
