"""What a buyer may know of a price: his own, the list price, and why they differ. Pure.

What is hidden from him must not show anywhere: not as a price, not as a reason, not as a gap. A product that keeps its
discount from him looks like one that has none.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from crm.pricing import MemberTerms, ProductTerms, Source, TierTerms, next_step, price_line


@dataclass(frozen=True, slots=True)
class PublicReason:
    """Where a price below the list price comes from. ``name`` is the tier or grade; ``percent`` is None for a price
    that the product names itself."""

    source: Source
    name: str
    percent: Decimal | None


@dataclass(frozen=True, slots=True)
class PublicStep:
    """The nearest tier that pays less, and what it pays for one piece."""

    tier: str
    price: Decimal


@dataclass(frozen=True, slots=True)
class PublicPrice:
    """A product's price for one buyer. Without a list price both prices are None; who pays it has no ``reason``."""

    product_id: int
    title: str
    currency: str
    list_price: Decimal | None
    price: Decimal | None
    reason: PublicReason | None = None
    next_step: PublicStep | None = None


def strangers_price(product: ProductTerms) -> PublicPrice:
    """What somebody sees who is not signed in: the list price."""
    return PublicPrice(
        product.product_id, product.title, product.currency, list_price=product.list_price, price=product.list_price
    )


def members_price(member: MemberTerms, product: ProductTerms, ladder: Sequence[TierTerms], at: datetime) -> PublicPrice:
    """What a member sees. ``ladder`` are all tiers of the shop."""
    line = price_line(member, product, 1, at)
    reason = step = None
    if (winner := line.winner) is not None and winner.source is not Source.LIST:
        reason = PublicReason(winner.source, winner.name, winner.percent)
    if (higher := next_step(member, product, ladder, at)) is not None:
        step = PublicStep(higher[0].name, higher[1])
    return PublicPrice(
        product.product_id,
        product.title,
        product.currency,
        list_price=product.list_price,
        price=line.unit_price,
        reason=reason,
        next_step=step,
    )
