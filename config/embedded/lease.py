"""Borrowing an embedded server: it runs as long as anybody holds a lease. The keeper's docstring tells the protocol."""

import fcntl
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from config.embedded import places
from config.embedded.keeper import EXIT_FAILED, open_lock, try_lock
from config.embedded.process import ServerError, open_log, private_folder

PROJECT = Path(__file__).resolve().parent.parent.parent
WAIT_SECONDS = 360  # Longer than a server is given to start or stop.
LOOK_SECONDS = 0.01


class Lease:
    """One user's claim on one embedded server (``postgres`` or ``valkey``) under ``var_dir``.

    ``throwaway`` asks for a server that is not durable and leaves no data; it is meant for a ``var_dir`` of one's own.
    Used as a context manager, or with ``begin``, ``wait`` and ``end`` to start several servers side by side.
    """

    def __init__(self, server: str, var_dir: Path, *, throwaway: bool = False) -> None:
        self.server = server
        self.var_dir = var_dir
        self.home = places.home(var_dir, server)
        self.throwaway = throwaway
        self.users_lock: int | None = None
        self.keeper: subprocess.Popen[bytes] | None = None
        self.log_start = 0

    def __enter__(self) -> Self:
        self.begin()
        try:
            self.wait()
        except BaseException:
            self.end()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.end()

    def begin(self) -> None:
        """Claim the server, after a stop under way is over, and start its keeper when there is none."""
        self.var_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        private_folder(self.home)
        self.users_lock = open_lock(self.home / "users.lock")
        fcntl.flock(self.users_lock, fcntl.LOCK_SH)
        if self._keeper_pid() is None:
            self._start_keeper()

    def wait(self) -> None:
        """Return when the server answers; start its keeper again if that is gone. Raises ServerError."""
        end = time.monotonic() + WAIT_SECONDS
        while time.monotonic() < end:
            pid = self._keeper_pid()
            if pid:
                return
            if pid is None and (self.keeper is None or self.keeper.poll() is not None):
                if self.keeper and self.keeper.returncode == EXIT_FAILED:
                    raise ServerError(self._complaint())
                self._start_keeper()
            time.sleep(LOOK_SECONDS)
        raise ServerError(f"The embedded {self.server} does not answer. Its log is {self.log}.")

    def end(self) -> None:
        """Give the server back. Whoever is the last returns when it has ended."""
        if self.users_lock is None:
            return
        try:
            if try_lock(self.users_lock, fcntl.LOCK_EX):
                self._stop_keeper()
            elif not try_lock(self.users_lock, fcntl.LOCK_SH):
                fcntl.flock(self.users_lock, fcntl.LOCK_SH)  # Another one is stopping it: wait until that is done.
        finally:
            os.close(self.users_lock)
            self.users_lock = None

    @property
    def log(self) -> Path:
        """The keeper's log, which says why a server did not start."""
        return self.home / "keeper.log"

    def _complaint(self) -> str:
        """Return what the keeper started last wrote before it gave up."""
        return self.log.read_bytes()[self.log_start :].decode(errors="replace").strip()

    def _keeper_pid(self) -> int | None:
        """Return the keeper's process id, 0 while it is starting the server, None when there is no keeper."""
        file = open_lock(self.home / "keeper.lock")
        try:
            if try_lock(file, fcntl.LOCK_SH):
                return None
            return int(os.pread(file, 32, 0) or 0)
        finally:
            os.close(file)

    def _start_keeper(self) -> None:
        command = [
            sys.executable,
            "-m",
            "config.embedded.keeper",
            self.server,
            str(self.var_dir),
        ]
        if self.throwaway:
            command.append("--throwaway")
        log = open_log(self.log)
        try:
            self.log_start = os.fstat(log).st_size
            # A session of its own: Ctrl-C in the terminal of one command must not stop the server of another.
            self.keeper = subprocess.Popen(
                command,
                cwd=PROJECT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        finally:
            os.close(log)

    def _stop_keeper(self) -> None:
        """Ask the keeper to end and wait for it. Nobody can come in between: the caller holds ``users.lock`` alone."""
        end = time.monotonic() + WAIT_SECONDS
        asked = False
        while (pid := self._keeper_pid()) is not None or (self.keeper and self.keeper.poll() is None):
            if pid and not asked:
                os.kill(pid, signal.SIGTERM)
                asked = True
            if time.monotonic() > end:
                raise ServerError(f"The embedded {self.server} does not end. Its log is {self.log}.")
            time.sleep(LOOK_SECONDS)
