"""A code for somebody who is signed in, to prove that it is he: to the address or phone that the shop knows of him."""

from datetime import datetime

from django.conf import settings

from crm.contact_ways import ContactWay, WayKind
from crm.onetime import CODE_LIFE, CodeUse, issue_code
from crm.sms.handover import hand_over_code


def send_proof_code(member_id: int, way: ContactWay, at: datetime) -> str:
    """Send a fresh code on this way; returns the ticket that goes with it."""
    issued = issue_code(CodeUse.PROOF, member_id, at)
    if way.kind is WayKind.PHONE:
        hand_over_code(way.to, issued.code, at)
    else:
        from crm.signin import BuyerAdapter

        shown = {"code": issued.code, "shop_name": settings.SHOP_NAME, "minutes": int(CODE_LIFE.total_seconds()) // 60}
        BuyerAdapter().send_mail("account/email/proof_code", way.to, shown)
    return issued.ticket
