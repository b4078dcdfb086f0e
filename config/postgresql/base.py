"""What Django loads as the engine named ``config.postgresql``."""

from time import monotonic

from django.db.backends.postgresql import base

CHECKED_EVERY = 1.0  # Seconds; no server that goes away is back sooner.


class DatabaseWrapper(base.DatabaseWrapper):
    """A connection that is asked once a second whether it still works, and not with every request.

    A page of a busy shop reads two or three statements; the question would be one more. Where the server was restarted,
    connections have rested for longer than a second and are asked, as before.
    """

    health_check_done: bool  # Django says of its own attributes nothing that mypy could read.
    _checked_at = 0.0

    def connect(self) -> None:
        """Connect; what was just made needs no check."""
        super().connect()
        self._checked_at = monotonic()

    def close_if_health_check_failed(self) -> None:
        """Close the connection if it does not answer; not asked again within the second."""
        if not self.health_check_done:
            now = monotonic()
            if now - self._checked_at < CHECKED_EVERY:
                self.health_check_done = True
            else:
                self._checked_at = now
        super().close_if_health_check_failed()
