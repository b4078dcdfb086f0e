"""Run the whole shop: ``python -m config.supervisor``, which is what ``make run`` does after the installation.

    PORT, BIND    where the web server listens (8000 on 127.0.0.1); PORT=0 takes any free port
    DEMO          on unless the settings name a deployment: the demo shop fills an empty database
    DATABASE_URL, BROKER_URL and the others    see docs/deploy.md; the servers they name are used, not started

This process is small and does little: it holds the leases of the embedded servers and the listening socket, prepares
the database in a child, keeps the web server, the worker and beat running, and ends all of them in order.
"""

import asyncio
import contextlib
import fcntl
import os
import signal
import socket
import sys
import time
from collections.abc import Iterator

from django.conf import settings

from config.embedded.keeper import open_lock, try_lock
from config.embedded.launch import end_with_parent
from config.embedded.process import ServerError
from config.embedded.serving import serving
from config.supervisor.child import GaveUp
from config.supervisor.console import Console
from config.supervisor.shop import Shop, base_url

STARTED = time.monotonic()
BACKLOG = 512


class Refused(Exception):
    """The shop cannot start; the message says why and what to do."""


def main() -> int:
    """Run the shop until Ctrl-C or SIGTERM; return the exit status."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    if not {"DATABASE_URL", "ALLOWED_HOSTS"} & set(os.environ):
        os.environ.setdefault("DEMO", "1")  # A newcomer wants to see something; a deployment does not.
    if "MAKELEVEL" in os.environ:
        end_with_parent(signal.SIGTERM, os.getppid())  # Whoever kills `make run` means the shop.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    console = Console()
    try:
        with listening() as listener, the_only_one(listener):
            console.say("Starting the database and the broker …")
            urls = {"database_url": settings.DATABASE_URL, "broker_url": settings.BROKER_URL}
            with serving(settings.VAR_DIR, **urls) as leases:
                asyncio.run(Shop(listener, leases, console, STARTED).run())
            console.say("Stopped.")
    except (Refused, GaveUp, ServerError) as error:
        console.say(str(error))
        return 1
    except KeyboardInterrupt:
        console.say("Stopped.")
    return 0


@contextlib.contextmanager
def listening() -> Iterator[socket.socket]:
    """Give the socket the web server will accept from. To hold it from the start proves the port is free, and lets
    visitors wait while the web server is started again.
    """
    host, port = os.environ.get("BIND", "127.0.0.1"), os.environ.get("PORT", "8000")
    if not port.isdecimal() or int(port) > 65_535:
        raise Refused(f"PORT must be a number up to 65535, not “{port}”.")
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.create_server((host, int(port)), family=family, backlog=BACKLOG)
    except OSError as error:
        other = int(port) + 1 if int(port) < 65_535 else 8000
        raise Refused(
            f"Port {port} on {host} cannot be used: {(error.strerror or str(error)).split(' (')[0]}. "
            f"Choose another one, for example: PORT={other} make run"
        ) from error
    with listener:
        yield listener


@contextlib.contextmanager
def the_only_one(listener: socket.socket) -> Iterator[None]:
    """Refuse to run a second shop on the same data; the lock tells it where the first one is."""
    settings.VAR_DIR.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = open_lock(settings.VAR_DIR / "shop.lock")
    try:
        if not try_lock(lock, fcntl.LOCK_EX):
            where = os.pread(lock, 200, 0).decode(errors="replace")
            raise Refused(
                f"The shop of this folder runs already: {where} Stop it first, or set VAR_DIR to another one."
            )
        os.ftruncate(lock, 0)
        os.pwrite(lock, base_url(listener).encode(), 0)
        yield
    finally:
        os.close(lock)


if __name__ == "__main__":
    sys.exit(main())
