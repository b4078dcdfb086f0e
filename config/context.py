"""What every template may know of the shop."""

from django.conf import settings
from django.http import HttpRequest
from django.utils import timezone
from django.utils.functional import SimpleLazyObject

from crm.api import open_sites
from redemption.looks import worn
from redemption.preferences import scheme_of


def shop(request: HttpRequest) -> dict[str, object]:
    """The shop's name and how to reach the seller, what its pages wear, and by day or by night; whether a phone number
    and with accounts of which sites one can sign in; ``demo`` is true where the demo page is offered."""
    return {
        "shop_name": settings.SHOP_NAME,
        "shop_contact": settings.SHOP_CONTACT,
        "by_phone": bool(settings.SMS_URL),
        "social_sites": open_sites(request),
        "demo": settings.DEMO,
        "theme": SimpleLazyObject(lambda: worn(request, timezone.now())),
        "scheme": scheme_of(request),
    }
