"""A person's word on a referral."""

from datetime import datetime

from django.db import transaction

from crm.api import log_action
from loyalty.choices import ReferralState
from loyalty.models import Referral
from loyalty.referral.deciding import CIRCLE
from loyalty.referral.settling import settle
from loyalty.rule_usage import lock_members


class NotToBeDecided(Exception):
    """The referral stands as it is: a rejection is final, a circle is never approved, what counts already counts."""


def may_decide(referral: Referral, *, approve: bool) -> bool:
    """Whether a person may still decide so."""
    if approve:
        return referral.state in (ReferralState.REVIEW, ReferralState.REFUSED) and CIRCLE not in referral.signs
    return referral.state != ReferralState.REJECTED


def decide(referral_id: int, *, approve: bool, reason: str, actor_id: int, at: datetime) -> int:
    """Approve a referral, so that it counts, or reject it, so that what it brought is taken back. Logs it.

    Returns the points that were given less those that were taken back. Raises NotToBeDecided, and ValueError without a
    reason.
    """
    if not reason.strip():
        raise ValueError("a decision needs a reason")
    with transaction.atomic():
        lock_members([Referral.objects.values_list("promoter_id", flat=True).get(pk=referral_id)])
        referral = Referral.objects.select_for_update(no_key=True).get(pk=referral_id)
        state = ReferralState.COUNTING if approve else ReferralState.REJECTED
        if not may_decide(referral, approve=approve):
            raise NotToBeDecided
        referral.state = state
        referral.decided_at, referral.decided_by_id, referral.reason = at, actor_id, reason
        referral.save(update_fields=["state", "decided_at", "decided_by", "reason"])
        log_action(
            "referral.approve" if approve else "referral.reject",
            actor_id=actor_id,
            at=at,
            reason=reason,
            member_id=referral.promoter_id,
            referral=referral_id,
        )
        return settle(referral_id, at)
