"""Giving one member a tier: by a person, or because he claimed it. Reviews write theirs in ``crm.tiers.applying``."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Greatest

from crm.choices import GrantSource, OfferKind, OfferState, Restart
from crm.events import TierChanges, tiers_changed
from crm.models import Member, Tier, TierGrant, TierOffer
from crm.tiers.schemebook import scheme_at


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
    locked: bool = False,
) -> TierGrant:
    """Let a member hold a tier from ``at`` on, until ``until`` or for good; the grant in force is replaced by it.

    No review takes a tier away that was given by hand before it ends; then the tier that it replaced comes back, or
    without a scheme the member is back on the base rung. Unless it is ``locked``, the rules may raise it. ``figures``
    are what justified the grant. The member's row is locked, so that of two grants at once the second replaces the
    first. Raises ``Member.DoesNotExist``, ``Tier.DoesNotExist``, ``ValueError`` for an end that is not after ``at``,
    and ``GrantRefused`` when a later grant of this member exists.
    """
    if until is not None and until <= at:
        raise ValueError("a grant ends after it begins")
    with transaction.atomic():
        lock_member(member_id)
        tier = Tier.objects.get(code=tier_code)
        replaced = latest_grant(member_id, at)
        scheme = scheme_at(at)
        starts_over = scheme is not None and scheme.restart != Restart.NEVER
        return write_grant(
            TierGrant(
                member_id=member_id,
                tier=tier,
                begins_at=at,
                ends_at=until,
                source=source,
                reason=reason,
                figures=dict(figures or {}),
                granted_at=at,
                granted_by_id=actor_id,
                locked=locked,
                restart_at=at if starts_over else None,
            ),
            replaced,
        )


def lock_member(member_id: int) -> None:
    """Let others who would change this member's tier wait until this transaction ends. Rows that refer to the member
    need not wait. Raises ``Member.DoesNotExist``."""
    Member.objects.select_for_update(no_key=True).only("pk").get(pk=member_id)


def latest_grant(member_id: int, at: datetime) -> TierGrant | None:
    """The grant in force at an instant. Raises ``GrantRefused`` when one begins later; the member is locked."""
    latest = TierGrant.objects.filter(member=member_id).select_related("tier").order_by("-begins_at", "-pk").first()
    if latest is not None and latest.begins_at > at:
        raise GrantRefused(latest.begins_at)
    if latest is None or latest.ended_at is not None or (latest.ends_at is not None and latest.ends_at <= at):
        return None
    return latest


def write_grant(grant: TierGrant, replaced: TierGrant | None) -> TierGrant:
    """Write a grant in place of the one in force, close the offers that it overtakes, and tell the handlers."""
    if replaced is not None:
        replaced.ended_at = grant.begins_at
        replaced.save(update_fields=["ended_at"])
    grant.replaced = replaced
    grant.save(force_insert=True)
    offers = TierOffer.objects.filter(member=grant.member_id, state=OfferState.OPEN)
    if not grant.locked:
        offers = offers.filter(Q(kind=OfferKind.RENEWAL) | Q(tier__rank__lte=grant.tier.rank))
    offers.update(state=OfferState.REPLACED, closed_at=Greatest("opened_at", grant.begins_at))
    tiers_changed(TierChanges(grants=(grant.pk,)), grant.granted_at)
    return grant
