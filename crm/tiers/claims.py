"""Taking the tier that one has reached: the member's own act, on his page.

What was offered is looked at once more when it is claimed, under the member's lock: money may have gone back
meanwhile. Claiming the same offer twice, by a double click or a retry, gives the same grant.
"""

from datetime import datetime
from enum import Enum
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import connection, transaction

from crm.choices import GrantSource, OfferKind, OfferState, TierMove
from crm.models import TierGrant, TierOffer
from crm.tiers.decide import counters_begin
from crm.tiers.figures_sql import Members
from crm.tiers.granting import GrantRefused, latest_grant, lock_member, write_grant
from crm.tiers.proofs import undone_offers
from crm.tiers.scheme import Scheme
from crm.tiers.schemebook import find_scheme
from crm.tiers.windows import term_end


class ClaimRefusal(Enum):
    """Why a tier could not be claimed."""

    UNKNOWN = "unknown"  # There is no such offer, or it is somebody else's.
    TOO_LATE = "too_late"
    NO_LONGER_MET = "no_longer_met"
    OVERTAKEN = "overtaken"  # The member's tier has changed since.


class ClaimRefused(Exception):
    """The tier cannot be claimed; ``reason`` says why."""

    def __init__(self, reason: ClaimRefusal) -> None:
        super().__init__(reason.value)
        self.reason = reason


def claim_tier(member_id: int, offer_id: int, *, at: datetime) -> TierGrant:
    """Let a member take what he was offered; from now on he holds the tier.

    Another term begins now and ends when it would have, had it begun at the end of the present one. Raises
    ``ClaimRefused`` and ``Member.DoesNotExist``.
    """
    with transaction.atomic():
        lock_member(member_id)
        answer = _claim(member_id, offer_id, at)
    if isinstance(answer, ClaimRefusal):
        # Only now, so that an offer which is no longer met stays withdrawn.
        raise ClaimRefused(answer)
    return answer


def end_of_claimed_term(kind: OfferKind, until: datetime, months: int | None, at: datetime) -> datetime | None:
    """When a tier would end that is claimed now, of an offer open ``until`` an instant, by a scheme whose terms last so
    many months (None: for good)."""
    if months is None:
        return None
    begins_at = until if kind is OfferKind.RENEWAL else at
    return term_end(begins_at, months, ZoneInfo(settings.PROGRAMME_TIME_ZONE))


def _claim(member_id: int, offer_id: int, at: datetime) -> TierGrant | ClaimRefusal:
    offer = TierOffer.objects.select_related("tier", "grant__tier").filter(pk=offer_id, member=member_id).first()
    if offer is None:
        return ClaimRefusal.UNKNOWN
    if offer.grant is not None:
        return offer.grant
    if offer.state == OfferState.WITHDRAWN:
        return ClaimRefusal.NO_LONGER_MET
    if offer.state == OfferState.REPLACED:
        return ClaimRefusal.OVERTAKEN
    if offer.state == OfferState.LAPSED or offer.until <= at:
        return ClaimRefusal.TOO_LATE
    scheme = find_scheme(offer.scheme_id)
    with connection.cursor() as cursor:
        undone = undone_offers(cursor, scheme, Members(ids=[member_id]), at)
    if undone:
        _close(offer, OfferState.WITHDRAWN, at)
        return ClaimRefusal.NO_LONGER_MET
    try:
        return _take(offer, scheme, latest_grant(member_id, at), at)
    except GrantRefused:
        return ClaimRefusal.OVERTAKEN


def _take(offer: TierOffer, scheme: Scheme, replaced: TierGrant | None, at: datetime) -> TierGrant:
    kind = OfferKind(offer.kind)
    move = TierMove.RENEWED if kind is OfferKind.RENEWAL else TierMove.UP
    grant = TierGrant(
        member_id=offer.member_id,
        tier=offer.tier,
        begins_at=at,
        ends_at=end_of_claimed_term(kind, offer.until, scheme.validity_months, at),
        source=GrantSource.CLAIM,
        figures=offer.figures,
        granted_at=at,
        scheme_id=offer.scheme_id,
        move=move,
        qualified_from=offer.qualified_from,
        qualified_until=offer.qualified_until,
        # What the member did between the offer and his claim counts towards the next tier.
        restart_at=counters_begin(
            scheme.restart, move, replaced.restart_at if replaced else None, offer.qualified_until
        ),
    )
    write_grant(grant, replaced)
    offer.grant = grant
    _close(offer, OfferState.CLAIMED, at)
    return grant


def _close(offer: TierOffer, state: OfferState, at: datetime) -> None:
    offer.state = state
    offer.closed_at = max(at, offer.opened_at)
    offer.save(update_fields=["state", "closed_at", "grant"])
