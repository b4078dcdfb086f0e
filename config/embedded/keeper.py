"""The keeper: a small process that owns one embedded server for as long as anybody uses it.

The shop and every command that needs the server hold a shared lock on ``users.lock`` (see ``lease``). Whoever comes
first starts the keeper; whoever leaves last, by whatever death, frees the lock, and the keeper ends the server and
itself. So no command ever takes the server away from another, and nothing is left behind.

    users.lock    shared: somebody uses the server; exclusive: it is being stopped
    keeper.lock   held by the keeper; its text is the keeper's process id once the server answers
    server.lock   held by the server's own processes: the next server waits until the last of them is gone

Run as ``python -m config.embedded.keeper SERVER VAR_DIR [--throwaway]``. It imports nothing of Django.
"""

import argparse
import fcntl
import os
import shutil
import signal
import sys
import time
from pathlib import Path

from config.embedded import places
from config.embedded.postgres import Postgres
from config.embedded.process import ServerError
from config.embedded.server import Server
from config.embedded.valkey import Valkey

EXIT_FAILED = 1
EXIT_ANOTHER = 75  # Another keeper was first.
LOOK_SECONDS = 0.1
FIRST_LOOKS = 20
ORPHAN_SECONDS = 40
# A server that dies is started again, but one that cannot live is given up.
QUICK_DEATHS = 5
LONG_LIFE_SECONDS = 60


SERVERS: dict[str, type[Postgres] | type[Valkey]] = {"postgres": Postgres, "valkey": Valkey}


def open_lock(path: Path) -> int:
    """Open a lock file, made when missing."""
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def try_lock(file: int, kind: int) -> bool:
    """Take a lock (``fcntl.LOCK_EX`` or ``fcntl.LOCK_SH``) if that is possible at once."""
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


class Keeper:
    """Owns one server: starts it, starts it again when it dies, stops it when nobody uses it."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.asked_to_stop = False
        self.keeper_lock = open_lock(server.home / "keeper.lock")
        self.users_lock = open_lock(server.home / "users.lock")

    def run(self) -> int:
        """Serve until nobody uses the server or SIGTERM comes; return the exit status."""
        if not self._claim():
            return EXIT_ANOTHER
        os.ftruncate(self.keeper_lock, 0)
        signal.signal(signal.SIGTERM, self._ask_to_stop)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        self._start()
        os.pwrite(self.keeper_lock, f"{os.getpid()}\n".encode(), 0)
        deaths = 0
        started = time.monotonic()
        while not self.asked_to_stop and not try_lock(self.users_lock, fcntl.LOCK_EX):
            if not self.server.running():
                deaths = 1 if time.monotonic() - started > LONG_LIFE_SECONDS else deaths + 1
                if deaths == QUICK_DEATHS:
                    raise ServerError(f"The embedded {self.server.name} died {deaths} times in a row.")
                self._say("died and is started again")
                self._start()
                started = time.monotonic()
            time.sleep(LOOK_SECONDS)
        self.server.stop()
        return 0

    def _claim(self) -> bool:
        """Take the keeper's lock, which somebody may hold for an instant just to see whether it is free."""
        for _ in range(FIRST_LOOKS):
            if try_lock(self.keeper_lock, fcntl.LOCK_EX):
                return True
            time.sleep(LOOK_SECONDS / FIRST_LOOKS)
        return False

    def _start(self) -> None:
        """Start the server once the processes of a former one are gone."""
        held = open_lock(self.server.home / "server.lock")
        try:
            if not try_lock(held, fcntl.LOCK_EX):
                self._say("a former server is still there and is asked to end")
                self.server.stop_orphan()
                end = time.monotonic() + ORPHAN_SECONDS
                while not try_lock(held, fcntl.LOCK_EX):
                    if time.monotonic() > end:
                        raise ServerError(f"A former {self.server.name} of {self.server.home} does not end.")
                    time.sleep(LOOK_SECONDS)
            self.server.start(held)
        finally:
            os.close(held)  # The server's own copy keeps the lock.

    def _say(self, text: str) -> None:
        sys.stderr.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {self.server.name}: {text}\n")

    def _ask_to_stop(self, *_: object) -> None:
        self.asked_to_stop = True


def main() -> int:
    """Run the keeper of one server."""
    parser = argparse.ArgumentParser(prog="python -m config.embedded.keeper", description="Own one embedded server.")
    parser.add_argument("server", choices=sorted(SERVERS))
    parser.add_argument("var_dir", type=Path)
    parser.add_argument("--throwaway", action="store_true", help="not durable; the data is removed at the end")
    options = parser.parse_args()
    os.umask(0o077)
    try:
        server = SERVERS[options.server](options.var_dir, durable=not options.throwaway)
        return Keeper(server).run()
    except ServerError as error:
        sys.stderr.write(f"{error}\n")
        return EXIT_FAILED
    finally:
        if options.throwaway:
            home = places.home(options.var_dir, options.server)
            for folder in (home / "data", places.socket_dir(options.var_dir, options.server)):
                shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
