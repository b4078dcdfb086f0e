"""The engine of sessions: Django's own in the database, which also says whose a session is and on what device."""

from datetime import UTC, datetime
from typing import Any

from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore as DatabaseStore

DEVICE, BEGAN, SEEN = "device", "began", "seen"  # Under these names a session keeps what its row repeats.


class SessionStore(DatabaseStore):
    """Sessions in ``crm.Session``."""

    @classmethod
    def get_model_class(cls) -> Any:
        from crm.models import Session

        return Session

    def create_model_instance(self, data: dict[str, Any]) -> Any:
        row: Any = super().create_model_instance(data)
        row.user_id = data.get(SESSION_KEY)
        row.device = data.get(DEVICE, "")
        row.began_at, row.seen_at = _instant(data.get(BEGAN)), _instant(data.get(SEEN))
        return row


def _instant(seconds: int | None) -> datetime | None:
    return datetime.fromtimestamp(seconds, tz=UTC) if seconds is not None else None
