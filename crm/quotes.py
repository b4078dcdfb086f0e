"""Prices from the database: what is known of a member and of products, in a constant number of queries.

Who held which tier, and who was without discount, is looked up at the moment that is asked about. What tiers, grades
and products say is what they say now.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable
from datetime import UTC, datetime
from typing import NamedTuple

from django.db import connection

from crm.choices import PricePolicy, ProductPolicy
from crm.models import MemberPlatformGrade, Product, ProductTierPrice, Tier
from crm.pricing import (
    GradeTerms,
    MemberTerms,
    NoDiscountTerms,
    OwnTerms,
    PricedLine,
    ProductTerms,
    Quote,
    TierTerms,
    price_line,
    price_policy_of,
)
from crm.pricing import quote as price_lines
from crm.public_prices import PublicPrice, members_price, strangers_price
from crm.tiers.holding import GRANT_AT

LARGEST_ID = 2**63 - 1  # No row has a larger one; the database would refuse to look for it.
_ANY = datetime.min.replace(tzinfo=UTC)


class Asked(NamedTuple):
    """A product in some quantity that somebody wants a price for."""

    product_id: int
    quantity: int = 1


class Unknown(LookupError):
    """There is no such member, or no such product."""


def quote(member_id: int, lines: Iterable[Asked], at: datetime) -> Quote:
    """Price products for a member at a moment, with every candidate and why it lost. Five queries.

    For staff: it names discounts that the member must not see. Buyers get ``public_price``. Raises ``Unknown`` and,
    for a quantity below one, ``ValueError``.
    """
    asked = list(lines)
    ladder = tiers()
    products = product_terms({line.product_id for line in asked}, ladder)
    if missing := {line.product_id for line in asked} - products.keys():
        raise Unknown(f"no product {min(missing)}")
    member = member_terms(member_id, ladder, at)
    return price_lines(member, [(products[line.product_id], line.quantity) for line in asked], at)


def public_price(member_id: int | None, product_id: int, at: datetime) -> PublicPrice:
    """What a buyer, or with None a stranger, may know of a product's price. Raises ``Unknown``."""
    if member_id is None:
        row = Product.objects.filter(pk=product_id).values_list(
            "title", "channel_id", "channel__currency", "list_price"
        )  # fmt: skip
        found = row.first()
        if found is None:
            raise Unknown(f"no product {product_id}")
        return strangers_price(ProductTerms(product_id, *found))
    ladder = tiers()
    products = product_terms({product_id}, ladder)
    if product_id not in products:
        raise Unknown(f"no product {product_id}")
    member = member_terms(member_id, ladder, at)
    return members_price(member, products[product_id], list(ladder.values()), at)


def prices_by_tier(product_id: int) -> list[tuple[TierTerms, PricedLine]]:
    """What the members of each tier pay for one piece of a product, lowest tier first, in three queries; nothing for a
    product that does not exist. Nobody's grades count here, so the moment does not matter."""
    ladder = tiers()
    product = product_terms({product_id}, ladder).get(product_id)
    if product is None:
        return []
    return [(tier, price_line(MemberTerms(0, tier), product, 1, _ANY)) for tier in ladder.values()]


def tiers() -> dict[int, TierTerms]:
    """All tiers of the shop by their ids, lowest first."""
    return {
        tier.pk: TierTerms(tier.code, tier.name, tier.rank, tier.discount_percent)
        for tier in Tier.objects.order_by("rank")
    }


def product_terms(product_ids: Collection[int], ladder: dict[int, TierTerms]) -> dict[int, ProductTerms]:
    """What these products say of their prices, in two queries; those that do not exist are left out."""
    product_ids = [pk for pk in product_ids if pk <= LARGEST_ID]
    own: dict[int, list[OwnTerms]] = defaultdict(list)
    prices = ProductTierPrice.objects.filter(product__in=product_ids).order_by("tier__rank")
    for product_id, tier_id, percent, price in prices.values_list("product_id", "tier_id", "percent", "price"):
        own[product_id].append(OwnTerms(ladder[tier_id], percent, price))
    products = Product.objects.filter(pk__in=product_ids).select_related("channel").order_by()
    return {
        product.pk: ProductTerms(
            product_id=product.pk,
            title=str(product),
            channel_id=product.channel_id,
            currency=product.channel.currency,
            list_price=product.list_price,
            price_policy=price_policy_of(PricePolicy(product.price_policy), ProductPolicy(product.policy)),
            visible_from=ladder[product.discount_visible_from_id] if product.discount_visible_from_id else None,
            own=tuple(own[product.pk]),
        )
        for product in products
    }


_MEMBER = f"""
SELECT g.tier_id, n.since, n.reason
  FROM crm_member AS m
  LEFT JOIN {GRANT_AT.format(member="m.id", instant="%(at)s::timestamptz")}
  LEFT JOIN crm_nodiscount AS n ON n.member_id = m.id AND tstzrange(n.since, n.until) @> %(at)s::timestamptz
 WHERE m.id = %(member)s
"""


def member_terms(member_id: int, ladder: dict[int, TierTerms], at: datetime) -> MemberTerms:
    """What is known of a member at a moment, in two queries. Raises ``Unknown``."""
    with connection.cursor() as cursor:
        cursor.execute(_MEMBER, {"member": member_id, "at": at})
        row = cursor.fetchone()
    if row is None:
        raise Unknown(f"no member {member_id}")
    tier_id, since, reason = row
    base = next((tier for tier in ladder.values() if tier.rank == 0), None)
    return MemberTerms(
        member_id,
        tier=base if tier_id is None else ladder[tier_id],
        grades=_grades(member_id),
        no_discount=None if since is None else NoDiscountTerms(since, reason),
    )


def _grades(member_id: int) -> tuple[GradeTerms, ...]:
    grades = MemberPlatformGrade.objects.filter(member=member_id, grade__isnull=False)
    return tuple(
        GradeTerms(
            tool=held.tool.name,
            grade=str(held.grade),
            percent=held.grade.discount_percent if held.grade else None,
            seen_at=held.seen_at,
            channel_id=held.tool.channel_id if held.tool.own_channel_only else None,
            channel_name=held.tool.channel.name if held.tool.channel else "",
        )
        for held in grades.select_related("grade", "tool__channel").order_by("tool__name")
    )
