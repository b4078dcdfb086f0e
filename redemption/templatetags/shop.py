"""How figures are written on the buyer's pages. Chinese and English both group digits by three."""

from decimal import Decimal

from django import template

register = template.Library()

_MINUS = "\N{MINUS SIGN}"


@register.filter
def number(value: int) -> str:
    """Write ``-12345`` as ``−12,345``."""
    return f"{value:,}".replace("-", _MINUS)


@register.filter
def signed(value: int) -> str:
    """Write a change of points with its sign: ``+120``, ``−50``, ``0``."""
    return f"{value:+,}".replace("-", _MINUS) if value else "0"


@register.filter
def yuan(value: int | Decimal) -> str:
    """Write an amount as ``¥1,280`` or ``¥12.80``: fen only where there are any."""
    amount = Decimal(value)
    return f"¥{amount:,.0f}" if amount == amount.to_integral_value() else f"¥{amount:,.2f}"


@register.filter
def money(value: Decimal, currency: str) -> str:
    """Write an amount of some currency: ``¥12.80``, ``12.80 USD``."""
    return yuan(value) if currency == "CNY" else f"{value:,.2f} {currency}"


@register.filter
def less(whole: int, part: int) -> int:
    """Return what is there of a whole that ``part`` is missing from; never below nothing."""
    return max(whole - part, 0)
