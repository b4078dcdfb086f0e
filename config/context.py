"""What every template may know of the shop."""

from django.conf import settings
from django.http import HttpRequest


def shop(request: HttpRequest) -> dict[str, object]:
    """The shop's name and how to reach the seller; ``demo`` is true where the demo page is offered."""
    return {
        "shop_name": settings.SHOP_NAME,
        "shop_contact": settings.SHOP_CONTACT,
        "demo": settings.DEMO,
    }
