"""The children of the shop, from the preparation of the database to the last goodbye."""

import asyncio
import os
import signal
import socket
import time
from ipaddress import ip_address
from pathlib import Path

from django.conf import settings

from config.embedded.lease import Lease
from config.staff import FILE_NAME
from config.supervisor.child import Child, GaveUp, Program, python
from config.supervisor.console import Console
from config.supervisor.readiness import wait_until_ready

LOOK_SECONDS = 2
CELERY = ("-m", "celery", "-q", "-A", "config.celery", "--skip-checks")  # `prepare` has checked.


class Shop:
    """The web server, the worker and beat, on servers that answer already."""

    def __init__(self, listener: socket.socket, leases: list[Lease], console: Console, started: float) -> None:
        self.listener = listener
        self.leases = leases
        self.console = console
        self.started = started  # time.monotonic() when the command was typed
        self.asked_to_stop = asyncio.Event()
        self.setup = Child(Program("setup", python("manage.py", "prepare")), console)
        self.web = Child(web_server(listener.fileno()), console)
        self.worker = Child(
            Program(
                "worker",
                # Alone on its broker, it has no fellows to greet, to gossip with or to send heartbeats to.
                python(*CELERY, "worker", "-c", "2", "--without-mingle", "--without-gossip", "--without-heartbeat"),
                # First it may finish its tasks; then it gives them back to the queue.
                ending=((signal.SIGTERM, 4), (signal.SIGQUIT, 2)),
            ),
            console,
        )
        self.beat = Child(
            Program("beat", python(*CELERY, "beat", "--pidfile", ""), ready_line="beat: Starting"),
            console,
        )

    async def run(self) -> None:
        """Prepare the database and keep the children running until a signal comes. Raises GaveUp."""
        loop = asyncio.get_running_loop()
        for sig in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(sig, self._ask_to_stop)
        life = asyncio.create_task(self._live())
        signalled = asyncio.create_task(self.asked_to_stop.wait())
        try:
            await asyncio.wait({life, signalled}, return_when=asyncio.FIRST_COMPLETED)
            if life.done():
                life.result()
        finally:
            self.console.say("Stopping …")
            # All at once, for the worker takes seconds to end even when it is idle; the servers end after them.
            await asyncio.gather(*(child.stop() for child in (self.setup, self.web, self.beat, self.worker)))
            for task in (life, signalled):
                task.cancel()
            await asyncio.gather(life, signalled, return_exceptions=True)

    def _ask_to_stop(self) -> None:
        if self.asked_to_stop.is_set():
            # Asked twice: the kernel ends the children with this process, and the keepers end the servers.
            os._exit(128 + signal.SIGINT)
        self.asked_to_stop.set()

    async def _live(self) -> None:
        """Do all there is to do, for ever; ends only by an exception."""
        staff_login = settings.VAR_DIR / FILE_NAME
        known = staff_login.exists()
        if await self.setup.run():
            raise GaveUp("The database could not be prepared; the lines above say why.")
        work = (
            *(child.keep() for child in (self.web, self.worker, self.beat)),
            self._announce(staff_login, known=known),
            self._watch_servers(),
        )
        tasks = [asyncio.create_task(one) for one in work]
        try:
            done, _pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()

    async def _announce(self, staff_login: Path, *, known: bool) -> None:
        """Tell the addresses and the staff login once everything answers."""
        await wait_until_ready(self.web, self.worker, self.beat, local_address(self.listener), self.console)
        shop = base_url(self.listener)
        lines = [
            f"Pointkeeper is ready, {time.monotonic() - self.started:.1f} s after the start.",
            "",
            f"    Shop    {shop}",
            f"    Admin   {shop}admin/",
        ]
        if settings.DEMO:
            lines.append(f"    Demo    {shop}demo/  (buyers to sign in as, mails that were sent)")
        if known or not staff_login.exists():
            lines.append(f"    Staff   as before; the first login is kept in {staff_login}")
        else:
            name, password = staff_login.read_text().split()
            lines.append(f"    Staff   user name {name}, password {password}  (kept in {staff_login})")
        self.console.say("\n".join([*lines, "", "Ctrl-C stops everything; the data stays."]))

    async def _watch_servers(self) -> None:
        """Have an embedded server started again whose keeper was killed."""
        while True:
            for lease in self.leases:
                await asyncio.to_thread(lease.wait)
            await asyncio.sleep(LOOK_SECONDS)


def web_server(listener: int) -> Program:
    """Return gunicorn, accepting from an open socket."""
    return Program(
        "web",
        python("-m", "gunicorn", "-c", "python:config.gunicorn", "--bind", f"fd://{listener}"),
        ending=((signal.SIGTERM, 4),),
        pass_fds=(listener,),
    )


def base_url(listener: socket.socket) -> str:
    """Return the address a browser on this machine reaches the shop by."""
    host, port = local_address(listener)
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


def local_address(listener: socket.socket) -> tuple[str, int]:
    """Return the host and port that lead to the socket from this machine."""
    host, port = listener.getsockname()[:2]
    if ip_address(host).is_unspecified:
        host = "::1" if ":" in host else "127.0.0.1"
    return host, port
