"""The addresses of a reward's picture, for the sizes that a browser chooses from."""

from django import template
from django.urls import reverse

from redemption.rewards.pictures import WIDTHS

register = template.Library()


@register.filter
def picture_src(name: str) -> str:
    """Return the address of a picture, by its name, in the size in between."""
    return _address(name, WIDTHS[1])


@register.filter
def picture_srcset(name: str) -> str:
    """Return the addresses of all sizes with their widths, as ``srcset`` wants them."""
    return ", ".join(f"{_address(name, width)} {width}w" for width in WIDTHS)


def _address(name: str, width: int) -> str:
    return reverse("redemption:picture", args=[name, width])
