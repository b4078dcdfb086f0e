"""Giving a member a tier: the one way by which grants come into being."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import transaction

from crm.choices import GrantSource
from crm.models import Member, Tier, TierGrant


class GrantRefused(Exception):
    """The grant would rewrite history: one that begins later stands already. ``begins_at`` says when."""

    def __init__(self, begins_at: datetime) -> None:
        super().__init__(begins_at)
        self.begins_at = begins_at


def grant_tier(
    member_id: int,
    tier_code: str,
    *,
    at: datetime,
    until: datetime | None,
    actor_id: int | None,
    reason: str,
    source: GrantSource = GrantSource.MANUAL,
    figures: Mapping[str, Any] | None = None,
) -> TierGrant:
    """Let a member hold a tier from ``at`` on, until ``until`` or for good; the grant in force is replaced by it.

    When a grant runs out and nothing follows, the member is back on the base rung. ``figures`` are what justified the
    grant. The member's row is locked, so that of two grants at once the second replaces the first. Raises
    ``Member.DoesNotExist``, ``Tier.DoesNotExist``, ``ValueError`` for an end that is not after ``at``, and
    ``GrantRefused`` when a later grant of this member exists.
    """
    if until is not None and until <= at:
        raise ValueError("a grant ends after it begins")
    with transaction.atomic():
        lock_member(member_id)
        tier = Tier.objects.get(code=tier_code)
        latest = TierGrant.objects.filter(member=member_id).order_by("-begins_at", "-pk").first()
        if latest is not None and latest.begins_at > at:
            raise GrantRefused(latest.begins_at)
        replaced = latest if latest is not None and _in_force(latest, at) else None
        if replaced is not None:
            replaced.ended_at = at
            replaced.save(update_fields=["ended_at"])
        return TierGrant.objects.create(
            member_id=member_id,
            tier=tier,
            begins_at=at,
            ends_at=until,
            source=source,
            reason=reason,
            figures=dict(figures or {}),
            granted_at=at,
            granted_by_id=actor_id,
            replaced=replaced,
        )


def lock_member(member_id: int) -> None:
    """Let others who would change this member's tier wait until this transaction ends. Rows that refer to the member
    need not wait. Raises ``Member.DoesNotExist``."""
    Member.objects.select_for_update(no_key=True).only("pk").get(pk=member_id)


def _in_force(grant: TierGrant, at: datetime) -> bool:
    return grant.ended_at is None and (grant.ends_at is None or grant.ends_at > at)
