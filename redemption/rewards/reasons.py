"""Reasons that no person wrote: stored as stable words, told in the language of the page."""

from django.db import models
from django.utils.translation import pgettext_lazy


class Because(models.TextChoices):
    """Why a redemption moved without anybody giving a reason."""

    UNPAID = "@unpaid", pgettext_lazy("why a redemption moved", "Not paid in time")
    BUYER = "@buyer", pgettext_lazy("why a redemption moved", "By the buyer")
    PAID = "@paid", pgettext_lazy("why a redemption moved", "Paid")
    SHIPMENT_FILE = "@file", pgettext_lazy("why a redemption moved", "From a file of shipments")


def in_words(reason: str) -> str:
    """Return the reason as a person reads it."""
    return str(Because(reason).label) if reason in Because.values else reason
