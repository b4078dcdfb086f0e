"""Whether a buyer could still sign in if one way in were taken from him."""

from allauth.account.models import EmailAddress

from crm.claims import mail_opens
from crm.models import Identity, Member, ShopKey
from crm.phone_claims import member_with_phone
from crm.sms.gateway import sms_configured


def comes_in_otherwise(user_id: int, member_id: int) -> bool:
    """Say whether a code by mail, a code by phone or a shop's word leads to the login, as its member's data stand."""
    identities = Identity.objects.filter(member=member_id).values_list("email", "phone", "channel_id")
    own = Member.objects.values("email", "phone").get(pk=member_id)
    proven = EmailAddress.objects.filter(user=user_id, verified=True).values_list("email", flat=True)
    mails = {mail.lower() for mail in (own["email"], *proven, *(mail for mail, _phone, _channel in identities)) if mail}
    if any(mail_opens(mail, user_id, member_id) for mail in sorted(mails)):
        return True
    phones = {phone for phone in (own["phone"], *(phone for _mail, phone, _channel in identities)) if phone}
    if sms_configured() and any(member_with_phone(phone) == member_id for phone in sorted(phones)):
        return True
    channels = [channel for _mail, _phone, channel in identities]
    return ShopKey.objects.filter(channel__in=channels, revoked_at=None).exists()
