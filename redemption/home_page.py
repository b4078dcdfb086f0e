"""What the points page shows: what is the buyer's own in one statement, what all share from the process itself.

Each floor has its part of the statement as SQL text about the member ``m``, and reads what that has found.
"""

from dataclasses import dataclass
from datetime import datetime

from django.core.cache import caches
from django.db import connection

from crm import api as crm
from loyalty import api as loyalty
from redemption.models import Coupon
from redemption.offers import Terms, current_terms
from redemption.wallet import ready_of, ready_sql

LINES = 5  # Of the latest entries.
COUPONS = 4  # Of those that run out first; one more than are shown, to know whether there are more.
SHARED_SECONDS = 10
_SHARED = "redemption.home_page"

_OWN = f"""
SELECT {loyalty.overview_sql(lines=LINES)}, {ready_sql(most=COUPONS)}, {crm.TIER_LADDER}
  FROM crm_member AS m
 WHERE m.id = %(member)s
"""


@dataclass(frozen=True, slots=True)
class ReadByAll:
    """What is the same for all buyers: the published rules, what the plans in force offer, and the tiers' scheme."""

    sets: loyalty.PublishedSets
    terms: list[Terms]
    scheme: crm.Scheme | None


@dataclass(frozen=True, slots=True)
class Own:
    """What is a buyer's own. Coupons run out first foremost."""

    points: loyalty.Overview
    coupons: list[Coupon]
    tier: crm.TierCard


def read_by_all(at: datetime) -> ReadByAll:
    """Return what all buyers share, as it was at most ten seconds ago. Four queries then, none until then."""
    near = caches["near"]
    shared: ReadByAll | None = near.get(_SHARED)
    if shared is None:
        shared = ReadByAll(loyalty.published_sets(), current_terms(at), crm.scheme_at(at))
        near.set(_SHARED, shared, SHARED_SECONDS)
    return shared


def read_own(member_id: int, at: datetime, shared: ReadByAll) -> Own:
    """Return what is the member's own.

    One query; one more under a scheme with tiers to reach, and what capped rules ask of a sign-in.
    """
    values = loyalty.overview_values(member_id, at)
    with connection.cursor() as cursor:
        cursor.execute(_OWN, {**values, "member": member_id})
        points, ready, tiers = cursor.fetchone()
    return Own(
        points=loyalty.overview_of(points, member_id, at, shared.sets),
        coupons=ready_of(ready),
        tier=crm.tier_card_of(tiers, member_id, at, shared.scheme),
    )
