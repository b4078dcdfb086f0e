"""Writing the staff log."""

from datetime import datetime
from typing import Any

from crm.models import StaffAction


def log_action(
    action: str,
    *,
    actor_id: int | None,
    at: datetime,
    reason: str = "",
    member_id: int | None = None,
    **details: Any,
) -> StaffAction:
    """Record one act of a person. ``action`` is a stable word such as ``points.adjust`` or ``members.export``."""
    return StaffAction.objects.create(
        actor_id=actor_id,
        at=at,
        action=action,
        reason=reason,
        member_id=member_id,
        details=details,
    )
