"""The part of a member's page that tells of his tiers: which one he holds, where he stands, and how he came by each."""

from datetime import datetime
from typing import Any

from django.http import HttpRequest
from django.utils import timezone

from crm.admin.schemes import words
from crm.adminkit import may
from crm.choices import OfferState
from crm.models import TierGrant, TierOffer, TierStanding
from crm.tier_words import last_day

MAY_GRANT = "crm.add_tiergrant"
SCHEMES = "crm.view_tierscheme"


def tier_panel(request: HttpRequest, member_id: int) -> dict[str, Any]:
    """What the member's page shows of his tiers. The same few queries however often he has moved."""
    now = timezone.now()
    grants = TierGrant.objects.filter(member=member_id).select_related("tier", "granted_by", "scheme")
    rows = [_row(grant, now) for grant in grants.order_by("-begins_at", "-pk")]
    held = next((row for row in rows if row["now"]), None)
    tiers = words.tiers_by_code()
    standing = TierStanding.objects.filter(member=member_id).first()
    offer = TierOffer.objects.filter(member=member_id, state=OfferState.OPEN, until__gt=now).select_related("tier")
    return {
        "rows": rows,
        "held": held,
        "base": next((tier for tier in tiers.values() if tier.rank == 0), None),
        "standing": words.standing_in_words(standing, tiers, held["grant"].tier.rank if held else 0)
        if standing
        else [],
        "offer": words.offer_in_words(offer[0]) if offer else "",
        "member_id": member_id,
        "may_grant": may(request, MAY_GRANT),
        "may_see_schemes": may(request, SCHEMES),
    }


def _row(grant: TierGrant, now: datetime) -> dict[str, Any]:
    return {
        "grant": grant,
        "last_day": last_day(end) if (end := grant.ended_at or grant.ends_at) else None,
        "now": _is_in_force(grant, now),
        "coming": grant.begins_at > now,
        "how": words.how_in_words(grant),
        "why": words.grant_in_words(grant),
    }


def _is_in_force(grant: TierGrant, at: datetime) -> bool:
    ends = [end for end in (grant.ended_at, grant.ends_at) if end is not None]
    return grant.begins_at <= at and all(end > at for end in ends)
