"""The whole shop as `make run` starts it: ready, hurt, killed, started again, stopped. One long story, told once."""

import json
import os
import re
import signal
import stat
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

import pytest

from tests.config.servers import connect, find, processes, python, run, wait_until


class RunningShop:
    """A supervisor, what it printed so far, and where its pages are."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process
        self.lines: list[str] = []
        self.reader = threading.Thread(target=self._read)
        self.reader.start()
        wait_until(lambda: self.said("Ctrl-C stops everything") or process.poll() is not None)
        assert process.poll() is None, self.output
        self.url = self.found(r"Shop +(http\S+/)")

    def _read(self) -> None:
        assert self.process.stdout
        with self.process.stdout as output:
            self.lines.extend(output)

    @property
    def output(self) -> str:
        return "".join(self.lines)

    def said(self, words: str) -> bool:
        return words in self.output

    def found(self, pattern: str) -> str:
        match = re.search(pattern, self.output)
        assert match, self.output
        return match[1]

    def health(self) -> object:
        with urlopen(f"{self.url}healthz", timeout=60) as answer:
            return json.load(answer)


@contextmanager
def shop(var_dir: Path) -> Iterator[RunningShop]:
    """Start a shop on a free port; whatever happens, none of it is left."""
    process = python(var_dir, "-m", "config.supervisor", PORT="0", DEMO="0")
    running = None
    try:
        running = RunningShop(process)
        yield running
    finally:
        process.kill()
        process.wait()
        wait_until(lambda: not processes(var_dir))
        if running:
            running.reader.join()


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="The story looks at processes the Linux way.")
def test_a_shop_opens_heals_survives_and_closes(var_dir: Path, migrated: None) -> None:
    healthy = {"database": True, "broker": True}
    with shop(var_dir) as first:
        assert first.health() == healthy
        assert "Database: up to date" in first.output
        password = first.found(r"user name admin, password (\S+)")
        login = var_dir / "staff-login.txt"
        assert login.read_text() == f"admin\n{password}\n"
        assert stat.S_IMODE(login.stat().st_mode) == 0o600

        # A second shop on the same data is told where the first one is.
        status, output = run(var_dir, "-m", "config.supervisor", PORT="0")
        assert status == 1
        assert f"The shop of this folder runs already: {first.url}" in output

        # A command typed now uses the shop's database, and leaves it to the shop.
        server = find(var_dir, "bin/postgres")
        status, output = run(var_dir, "manage.py", "dbshell", "--", "-Atc", "SELECT count(*) FROM crm_user")
        assert (status, output.splitlines()[-1]) == (0, "1")
        assert find(var_dir, "bin/postgres") == server

        # What is killed comes back.
        for victim in ("celery -q -A config.celery --skip-checks worker", "gunicorn"):
            os.kill(find(var_dir, victim), signal.SIGKILL)
        wait_until(lambda: first.said("worker died (killed by SIGKILL)") and first.said("web died (killed by SIGKILL)"))
        assert first.health() == healthy
        wait_until(lambda: first.output.count(" ready.") == 2)

        with connect(var_dir) as client:
            client.execute("CREATE TABLE committed AS SELECT 42 AS points")
        # The supervisor itself is killed: `shop` sees to it that nothing is left.

    with shop(var_dir) as again:
        assert again.health() == healthy
        assert "Staff   as before" in again.output
        assert password not in again.output
        with connect(var_dir) as client:
            assert client.execute("SELECT points FROM committed").fetchone() == (42,)
        again.process.send_signal(signal.SIGINT)
        wait_until(lambda: again.process.poll() is not None)
        assert again.process.returncode == 0
        wait_until(lambda: again.said("shop  | Stopped."))
        assert "Traceback" not in again.output
    assert not processes(var_dir)
