"""Which tier a member holds at an instant."""

from collections.abc import Collection
from datetime import datetime

from django.db import connection
from django.db.models import Q

from crm.models import TierGrant

# The grant in force at an instant, found by the index of the constraint that allows a member one grant at a time.
GRANT_AT = """crm_tiergrant AS g
    ON g.member_id = {member} AND tstzrange(g.begins_at, LEAST(g.ended_at, g.ends_at)) @> {instant}"""

# SQL text: the rank of the tier that the member ``m`` holds at ``%(at)s``; 0 is the base.
TIER_RANK = f"""
coalesce((
  SELECT t.rank
    FROM crm_tier AS t
    JOIN {GRANT_AT.format(member="m.id", instant="%(at)s::timestamptz")} AND g.tier_id = t.id), 0)
"""

# Whoever holds no grant stands on the base rung.
_HELD = f"""
SELECT m.id, coalesce(t.code, base.code, ''), coalesce(t.rank, 0)
  FROM unnest(%(members)s::bigint[]) AS m (id)
  LEFT JOIN {GRANT_AT.format(member="m.id", instant="%(at)s::timestamptz")}
  LEFT JOIN crm_tier AS t ON t.id = g.tier_id
  LEFT JOIN crm_tier AS base ON base.rank = 0
"""


def tier_at(member_ids: Collection[int], at: datetime) -> dict[int, tuple[str, int]]:
    """Return (code, rank) of the tier that each of these members holds at an instant, in one query.

    A member without a grant has the tier of rank 0; where the shop has no such tier, ``("", 0)``.
    """
    with connection.cursor() as cursor:
        cursor.execute(_HELD, {"members": list(member_ids), "at": at})
        return {member_id: (code, rank) for member_id, code, rank in cursor.fetchall()}


def in_force(at: datetime, prefix: str = "") -> Q:
    """Return the condition on grants in force at an instant; ``prefix`` leads to the grants, as in "grants__"."""
    begun = Q(**{f"{prefix}begins_at__lte": at})
    still = Q(**{f"{prefix}ended_at__isnull": True}) | Q(**{f"{prefix}ended_at__gt": at})
    not_over = Q(**{f"{prefix}ends_at__isnull": True}) | Q(**{f"{prefix}ends_at__gt": at})
    return begun & still & not_over


def held_tiers(member_ids: Collection[int], at: datetime) -> dict[int, str]:
    """Return the names of the tiers that these members hold by a grant at an instant; the others are left out."""
    grants = TierGrant.objects.filter(in_force(at), member__in=list(member_ids)).order_by()
    return dict(grants.values_list("member", "tier__name"))
