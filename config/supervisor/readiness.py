"""Whether the shop answers."""

import asyncio
import http.client
from collections.abc import Awaitable, Callable

from django.conf import settings

from config.supervisor.child import Child
from config.supervisor.console import Console

LOOK_SECONDS = 0.1
ANSWER_SECONDS = 5
PATIENCE_SECONDS = 60


async def wait_until_ready(web: Child, worker: Child, beat: Child, address: tuple[str, int], console: Console) -> None:
    """Return when the web server, the worker and beat all answer, however often they are started meanwhile."""

    async def ask(question: Callable[[], bool]) -> None:
        while not await asyncio.to_thread(question):
            await asyncio.sleep(LOOK_SECONDS)

    waiting: dict[str, Awaitable[object]] = {
        web.program.name: ask(lambda: web_answers(*address)),
        worker.program.name: ask(worker_answers),
        beat.program.name: beat.ready.wait(),
    }
    tasks = {asyncio.ensure_future(question): name for name, question in waiting.items()}
    try:
        pending = set(tasks)
        while pending:
            done, pending = await asyncio.wait(pending, timeout=PATIENCE_SECONDS)
            for task in done:
                task.result()
            if pending and not done:
                names = ", ".join(sorted(tasks[task] for task in pending))
                console.say(f"Still waiting for: {names}. The lines above may say why.")
    finally:
        for task in tasks:
            task.cancel()


def web_answers(host: str, port: int) -> bool:
    """Ask the health page, as a proxy in front of the shop would."""
    headers = {"Host": host_name()}
    if settings.HTTPS:
        headers["X-Forwarded-Proto"] = "https"
    connection = http.client.HTTPConnection(host, port, timeout=ANSWER_SECONDS)
    try:
        connection.request("GET", "/healthz", headers=headers)
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def host_name() -> str:
    """Return a host name the settings allow."""
    allowed = str(next(iter(settings.ALLOWED_HOSTS), "localhost"))
    return "localhost" if allowed == "*" else allowed.lstrip(".")


def worker_answers() -> bool:
    """Ask over the broker whether a worker is there."""
    # Celery takes its time to import, so that is left until the children are starting anyway.
    from kombu.exceptions import KombuError

    from config.celery import app

    try:
        return bool(app.control.ping(timeout=0.5))
    except (KombuError, OSError):
        return False
