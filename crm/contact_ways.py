"""How a code reaches a member whom we know already: his proven address first, then what the shop's data holds."""

from dataclasses import dataclass
from enum import StrEnum

from allauth.account.models import EmailAddress

from crm.models import Identity, Member
from crm.sms.gateway import sms_configured

_MASK = "*"


class WayKind(StrEnum):
    MAIL = "mail"
    PHONE = "phone"


@dataclass(frozen=True, slots=True)
class ContactWay:
    """A mail address or a phone number, and how it is shown: enough to recognise it, too little to learn it."""

    kind: WayKind
    to: str
    shown: str


def contact_way(member_id: int, user_id: int | None) -> ContactWay | None:
    """Return where a code for this member goes; None where nothing whole is known.

    What he can fill in himself comes last: whoever sits at his open page must not be able to name an address of his own
    where the shop knows a better one.
    """
    proven = EmailAddress.objects.filter(user_id=user_id, verified=True).order_by("-primary", "pk")
    member = Member.objects.values("email", "phone").get(pk=member_id)
    identities = list(Identity.objects.filter(member=member_id).order_by("pk").values("email", "phone"))
    mails = [*proven.values_list("email", flat=True), member["email"], *(row["email"] for row in identities)]
    phones = [*(row["phone"] for row in identities), member["phone"]] if sms_configured() else []
    for mail in filter(_whole, mails):
        return ContactWay(WayKind.MAIL, mail, masked_mail(mail))
    for phone in filter(_whole, phones):
        return ContactWay(WayKind.PHONE, phone, masked_phone(phone))
    return None


def masked_mail(address: str) -> str:
    """Write ``xiaolu@example.com`` as ``x***u@example.com``."""
    name, _at, domain = address.partition("@")
    return f"{name[:1]}***{name[-1:] if len(name) > 1 else ''}@{domain}"


def masked_phone(phone: str) -> str:
    """Write ``13800000001`` as ``138****0001``."""
    return f"{phone[:3]}****{phone[-4:]}"


def _whole(value: str) -> bool:
    return bool(value) and _MASK not in value
