"""Marking members with tags, set-based: one statement however many members."""

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any

from django.db import connection, transaction

from crm.models import Tag
from crm.stafflog import log_action

Pair = tuple[int, int]  # A member and a tag.

# In ascending order, so that two people who mark the same members wait for each other and not in a circle.
_ADD = """
INSERT INTO crm_membertag (member_id, tag_id, added_at, added_by_id)
SELECT p.member_id, p.tag_id, %(at)s, %(actor)s
  FROM unnest(%(members)s::bigint[], %(tags)s::bigint[]) AS p (member_id, tag_id)
 ORDER BY p.member_id, p.tag_id
    ON CONFLICT (member_id, tag_id) DO NOTHING
"""

_REMOVE = """
DELETE FROM crm_membertag AS mt
 USING unnest(%(members)s::bigint[], %(tags)s::bigint[]) AS p (member_id, tag_id)
 WHERE mt.member_id = p.member_id AND mt.tag_id = p.tag_id
"""


def add_tags(pairs: Iterable[Pair], *, actor_id: int | None, at: datetime) -> int:
    """Give members tags; those they have already stay as they are. Returns how many were added."""
    return _execute(_ADD, pairs, {"at": at, "actor": actor_id})


def remove_tags(pairs: Iterable[Pair]) -> int:
    """Take tags away from members. Returns how many were taken away."""
    return _execute(_REMOVE, pairs, {})


def _execute(statement: str, pairs: Iterable[Pair], values: dict[str, Any]) -> int:
    ordered = list(pairs)
    if not ordered:
        return 0
    members, tags = zip(*ordered, strict=True)
    with connection.cursor() as cursor:
        cursor.execute(statement, values | {"members": list(members), "tags": list(tags)})
        return int(cursor.rowcount)


def retag(
    member_ids: Collection[int],
    *,
    add: Collection[Tag] = (),
    remove: Collection[Tag] = (),
    actor_id: int,
    at: datetime,
    reason: str,
) -> int:
    """Add tags to members and take others away, and write the staff log, once for all of them.

    Returns how many tags were added and taken away in all. The log names the member when there is only one.
    """
    ids = list(member_ids)
    with transaction.atomic():
        changed = remove_tags((member, tag.pk) for member in ids for tag in remove)
        changed += add_tags(((member, tag.pk) for member in ids for tag in add), actor_id=actor_id, at=at)
        log_action(
            "members.tag",
            actor_id=actor_id,
            at=at,
            reason=reason,
            member_id=ids[0] if len(ids) == 1 else None,
            members=len(ids),
            changed=changed,
            added=[tag.name for tag in add],
            removed=[tag.name for tag in remove],
        )
    return changed
