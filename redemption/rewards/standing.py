"""Where a member stands, as far as rewards ask for it: his tier's rank and his tags."""

from dataclasses import dataclass
from datetime import datetime

from django.apps import apps

from crm import api as crm


@dataclass(frozen=True, slots=True)
class Standing:
    """The rank of a member's tier, 0 at the base, and the ids of his tags."""

    rank: int
    tags: frozenset[int]


def standing_of(member_id: int, at: datetime) -> Standing:
    """Return where a member stands at an instant. Two queries."""
    [(_code, rank)] = crm.tier_at([member_id], at).values()
    tags = apps.get_model("crm", "MemberTag").objects.filter(member=member_id).values_list("tag", flat=True)
    return Standing(rank=rank, tags=frozenset(tags))


def tier_name(tier_id: int) -> str:
    """Return what the shop calls a tier."""
    return str(apps.get_model("crm", "Tier").objects.get(pk=tier_id))
