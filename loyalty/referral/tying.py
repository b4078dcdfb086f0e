"""Recognising a buyer: a device that once came through a link, and the member who signs in on it."""

from datetime import datetime, timedelta

from django.db import connection, transaction

from crm.api import contacts_of
from loyalty.models import Referral, ReferralDevice, ReferralVisit
from loyalty.referral.deciding import BuyersOrder, Evidence, first_order, judge
from loyalty.referral.links import remember_device
from loyalty.referral.orders import orders_of
from loyalty.referral.settling import settle

_TYING = 0x70_6B_72_66  # "pkrf", among the advisory locks: two who tie to each other at once would make a circle.

# Everybody from whom the promoter came, along the chain of who brought whom.
_UPWARDS = """
WITH RECURSIVE above (member_id) AS (
    SELECT r.promoter_id FROM loyalty_referral AS r WHERE r.buyer_id = %(promoter)s
    UNION
    SELECT r.promoter_id FROM loyalty_referral AS r JOIN above ON above.member_id = r.buyer_id
)
SELECT EXISTS (SELECT 1 FROM above WHERE member_id = %(buyer)s)
"""


def recognise(device: str, member_id: int, at: datetime) -> Referral | None:
    """Tie a device's visits to the member who is signed in on it. Returns the referral that came of it, if any.

    The last visit counts whose time his first order falls into, or that is still remembered when he has no order yet. A
    member is brought once; who had bought before the visit is no new buyer; one's own links bring nobody.
    """
    with transaction.atomic():
        known = set(ReferralDevice.objects.filter(device=device).values_list("member_id", flat=True))
        remember_device(device, member_id, at)
        others = ReferralVisit.objects.filter(device=device).exclude(link__promoter=member_id)
        visits = list(others.select_related("link"))
        if not visits:
            return None
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s, 0)", [_TYING])
        if Referral.objects.filter(buyer=member_id).exists():
            return None
        first = first_order(orders_of([member_id], at)[member_id])
        fitting = [visit for visit in visits if visit.first_at <= (first.paid_at if first else at) < visit.until]
        if not fitting:
            return None
        visit = max(fitting, key=lambda visit: (visit.last_at, visit.pk))
        state, signs = judge(_evidence(visit, member_id, known, first, at))
        referral = Referral.objects.create(
            buyer_id=member_id, promoter_id=visit.link.promoter_id, link=visit.link, device=device,
            visited_at=visit.first_at, until=visit.until, tied_at=at, state=state, signs=signs,
        )  # fmt: skip
    settle(referral.pk, at)
    return referral


def _evidence(
    visit: ReferralVisit, buyer_id: int, on_device: set[int], first: BuyersOrder | None, at: datetime
) -> Evidence:
    promoter_id = visit.link.promoter_id
    with connection.cursor() as cursor:
        cursor.execute(_UPWARDS, {"promoter": promoter_id, "buyer": buyer_id})
        [circle] = cursor.fetchone()
    contacts = contacts_of([promoter_id, buyer_id])
    promoter, buyer = contacts[promoter_id], contacts[buyer_id]
    return Evidence(
        circle=circle,
        same_device=promoter_id in on_device,
        same_phone=bool(promoter.phones & buyer.phones),
        same_email=bool(promoter.emails & buyer.emails),
        same_address=bool(promoter.addresses & buyer.addresses),
        others_on_device=len(on_device - {promoter_id, buyer_id}),
        brought_within_a_day=Referral.objects.filter(
            promoter=promoter_id, tied_at__gt=at - timedelta(days=1), tied_at__lte=at
        ).count(),
        paid_after=first.paid_at - visit.first_at if first else None,
    )
