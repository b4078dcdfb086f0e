"""The worker of the web server: gunicorn's own with threads, taking a new visitor only while it has a thread for him.

gunicorn's takes every connection it is offered, and keeps it for as long as the browser or the proxy before it keeps it
open. Of sixteen connections one of two workers could get all, so that a shop on two processors answered from one, or a
page waited behind a slow one while the other worker rested (docs/decisions/0014).
"""

from concurrent.futures import Future
from typing import Any

from gunicorn.workers.gthread import TConn, ThreadWorker


class FairWorker(ThreadWorker):
    """Leaves new connections to the other workers while all of its threads are at work."""

    _most = 0
    _at_work = 0  # Requests that a thread has or that wait for one. Only the worker's main thread counts.

    @property
    def worker_connections(self) -> int:
        """How many connections it may have open before it accepts one more; the loop asks before it waits."""
        return self._most if self._at_work < self.cfg.threads else 0

    @worker_connections.setter
    def worker_connections(self, most: int) -> None:
        self._most = most

    def enqueue_req(self, conn: TConn) -> None:
        """A thread is to answer."""
        self._at_work += 1
        super().enqueue_req(conn)

    def finish_request(self, conn: TConn, fs: Future[Any]) -> None:
        """A thread has answered."""
        self._at_work -= 1
        super().finish_request(conn, fs)
