"""Two workers of the web server share the visitors, however long one of them takes with somebody."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

from config import gunicorn

VISITORS = 30
PATIENT, IMPATIENT = 60.0, 2.0  # Seconds. An answer takes none; whoever is not answered waits for the slow one.

_APP = """
import socket

def application(environ, start_response):
    # The slow visitor sends where his book ends; reading it takes until somebody closes it.
    if environ["PATH_INFO"].startswith("/slow/"):
        with socket.create_connection(("127.0.0.1", int(environ["PATH_INFO"][6:]))) as book:
            book.recv(1)
    start_response("200 OK", [("Content-Length", "2")])
    return [b"ok"]
"""


@contextmanager
def serving(folder: Path, worker: str) -> Iterator[int]:
    """Two workers with a thread each; yields their port."""
    (folder / "slow_site.py").write_text(_APP)
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        listener.set_inheritable(True)
        command = [
            sys.executable, "-m", "gunicorn", "-c", "python:config.gunicorn", "--bind", f"fd://{listener.fileno()}",
            "--worker-class", worker, "--workers", "2", "--threads", "1", "--access-logfile", "/dev/null",
            "--log-level", "error", "slow_site:application",
        ]  # fmt: skip
        server = subprocess.Popen(
            command, pass_fds=[listener.fileno()], env={**os.environ, "PYTHONPATH": f"{folder}{os.pathsep}."}
        )
        try:
            yield listener.getsockname()[1]
        finally:
            server.terminate()
            server.wait(30)


def ask(port: int, path: str, patience: float | None) -> bool:
    """Ask on a connection of one's own; say whether the answer came in time."""
    with closing(socket.create_connection(("127.0.0.1", port), timeout=patience)) as line:
        line.sendall(f"GET {path} HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n".encode())
        try:
            return line.recv(100).startswith(b"HTTP/1.1 200")
        except TimeoutError:
            return False


def answered_beside_a_slow_visitor(port: int, patience: float) -> int:
    """How many of thirty visitors, one after the other, get an answer while one worker's only thread is taken."""
    with (
        ThreadPoolExecutor(1) as elsewhere,
        closing(socket.create_server(("127.0.0.1", 0))) as library,
    ):
        slow = elsewhere.submit(ask, port, f"/slow/{library.getsockname()[1]}", None)
        book, _reader = library.accept()
        with closing(book):
            answered = 0
            while answered < VISITORS and ask(port, "/", patience):
                answered += 1
        assert slow.result(timeout=30)
    return answered


def test_nobody_waits_behind_a_slow_page_while_the_other_worker_is_free(tmp_path: Path) -> None:
    with serving(tmp_path, "config.web_worker.FairWorker") as port:
        assert answered_beside_a_slow_visitor(port, PATIENT) == VISITORS


def test_control_the_worker_as_it_comes_takes_visitors_it_has_no_thread_for(tmp_path: Path) -> None:
    with serving(tmp_path, "gthread") as port:
        assert answered_beside_a_slow_visitor(port, IMPATIENT) < VISITORS


def test_the_shop_is_served_by_fair_workers() -> None:
    assert gunicorn.worker_class == "config.web_worker.FairWorker"
