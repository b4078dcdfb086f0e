"""Writing the staff log."""

from collections.abc import Iterable
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


def log_actions(
    action: str,
    rows: Iterable[tuple[int | None, dict[str, Any]]],
    *,
    actor_id: int | None,
    at: datetime,
    reason: str = "",
) -> None:
    """Record the same act of a person on many things: for each the member it concerns, if any, and the details."""
    StaffAction.objects.bulk_create(
        [
            StaffAction(actor_id=actor_id, at=at, action=action, reason=reason, member_id=member_id, details=details)
            for member_id, details in rows
        ],
        batch_size=1000,
    )
