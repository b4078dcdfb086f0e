"""Where a member stands, as far as rewards ask for it: his tier's rank and his tags."""

from dataclasses import dataclass
from datetime import datetime

from django.apps import apps
from django.db import connection

from crm import api as crm

# SQL text: where the member ``m`` stands at ``%(at)s``, as a row ``standing`` beside his.
STANDING = f"""
LATERAL (
  SELECT {crm.TIER_RANK}, ARRAY(SELECT mt.tag_id FROM crm_membertag AS mt WHERE mt.member_id = m.id)
) AS standing (rank, tags)
"""
_STANDING_OF_ONE = f"SELECT standing.* FROM (SELECT %(member)s::bigint) AS m (id), {STANDING}"


@dataclass(frozen=True, slots=True)
class Standing:
    """The rank of a member's tier, 0 at the base, and the ids of his tags."""

    rank: int
    tags: frozenset[int]


def standing_of(member_id: int, at: datetime) -> Standing:
    """Return where a member stands at an instant. One query."""
    with connection.cursor() as cursor:
        cursor.execute(_STANDING_OF_ONE, {"member": member_id, "at": at})
        rank, tags = cursor.fetchone()
    return Standing(rank=rank, tags=frozenset(tags))


def tier_name(tier_id: int) -> str:
    """Return what the shop calls a tier."""
    return str(apps.get_model("crm", "Tier").objects.get(pk=tier_id))
