"""The engine of sessions: Django's own in the database, which also says whose a session is and on what device.

The login comes with its session, in one statement: every page of a buyer needs both (``crm.signed_in``). Nothing of
them is kept anywhere else, so that a session which is ended is ended at once, on every page.
"""

from datetime import UTC, datetime
from typing import Any

from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore as DatabaseStore
from django.db import connections, router
from django.utils import timezone

DEVICE, BEGAN, SEEN = "device", "began", "seen"  # Under these names a session keeps what its row repeats.

# What a login consists of, in the order of its model.
LOGIN = (
    "id", "password", "last_login", "is_superuser", "username", "first_name", "last_name", "email", "is_staff",
    "is_active", "date_joined",
)  # fmt: skip
_SESSION_AND_LOGIN = f"""
SELECT s.session_data, {", ".join(f"u.{name}" for name in LOGIN)}
  FROM crm_session AS s LEFT JOIN crm_user AS u ON u.id = s.user_id
 WHERE s.session_key = %s AND s.expire_date > %s
"""


class SessionStore(DatabaseStore):
    """Sessions in ``crm.Session``. ``login`` is whose session it was when it was read, None for nobody's."""

    login: Any = None

    @classmethod
    def get_model_class(cls) -> Any:
        from crm.models import Session

        return Session

    def load(self) -> dict[str, Any]:
        """Read the session with its login; an ended, expired or unknown one is empty and has no key any more."""
        using = router.db_for_read(self.model)
        with connections[using].cursor() as cursor:
            cursor.execute(_SESSION_AND_LOGIN, [self.session_key, timezone.now()])
            row = cursor.fetchone()
        if row is None:
            self._session_key = None
            return {}
        data, *columns = row
        if columns[0] is not None:
            from crm.models import User

            self.login = User.from_db(using, LOGIN, columns)
        found: dict[str, Any] = self.decode(data)
        return found

    def create_model_instance(self, data: dict[str, Any]) -> Any:
        row: Any = super().create_model_instance(data)
        row.user_id = data.get(SESSION_KEY)
        row.device = data.get(DEVICE, "")
        row.began_at, row.seen_at = _instant(data.get(BEGAN)), _instant(data.get(SEEN))
        return row


def _instant(seconds: int | None) -> datetime | None:
    return datetime.fromtimestamp(seconds, tz=UTC) if seconds is not None else None
