"""What the embedded servers have in common: a folder, a log, a process that lives as long as its keeper."""

import os
import signal
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path

from config.embedded import places
from config.embedded.process import CALLER, Identity, ServerError, bound, open_log, tail

LOOK_SECONDS = 0.01


class Server(ABC):
    """A server owned by this process. One that is not ``durable`` is quick and survives no crash; it is for tests."""

    name: str
    start_seconds: float  # How long it may take until it answers …
    ending: Sequence[tuple[signal.Signals, float]]  # … and each signal that ends it, with the seconds it is given.

    def __init__(self, var_dir: Path, *, durable: bool = True, identity: Identity = CALLER) -> None:
        self.durable = durable
        self.identity = identity
        self.home = places.home(var_dir, self.name)
        self.data = self.home / "data"
        self.log = self.home / "server.log"
        self.environment = dict(os.environ)
        self.process: subprocess.Popen[bytes] | None = None

    @abstractmethod
    def start(self, held: int) -> None:
        """Start the server, making what is missing; return when it answers.

        ``held`` is a locked file the server inherits, so that the lock lasts as long as any process of it.
        Raises ServerError with the end of the log when it does not come up.
        """

    @abstractmethod
    def answers(self) -> bool:
        """Tell whether the server takes connections."""

    @abstractmethod
    def recorded_pid(self) -> int | None:
        """Return the process id the server wrote down, living or dead."""

    def launch(self, command: Sequence[str], held: int) -> None:
        """Start the server's process and wait until it answers."""
        log = open_log(self.log)
        try:
            self.process = subprocess.Popen(
                bound(command, self.ending[0][0], self.identity),
                cwd="/",
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=[held],
            )
        finally:
            os.close(log)
        end = time.monotonic() + self.start_seconds
        while not self.answers():
            if not self.running():
                raise ServerError(f"The embedded {self.name} ended at once. {self.log} says:\n{tail(self.log)}")
            if time.monotonic() > end:
                self.stop()
                raise ServerError(f"The embedded {self.name} did not answer in {self.start_seconds:g} s: {self.log}")
            time.sleep(LOOK_SECONDS)

    def running(self) -> bool:
        """Tell whether the server's process lives."""
        return self.process is not None and self.process.poll() is None

    def stop(self) -> None:
        """End the server, more and more firmly; everything committed is on disk."""
        for sig, seconds in (*self.ending, (signal.SIGKILL, 10)):
            if self.process is None or not self.running():
                return
            self.process.send_signal(sig)
            try:
                self.process.wait(seconds)
            except subprocess.TimeoutExpired:
                continue

    def stop_orphan(self) -> None:
        """Ask a server that outlived its keeper to end. The caller knows by the lock that it lives."""
        if pid := self.recorded_pid():
            os.kill(pid, self.ending[0][0])
