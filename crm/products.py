"""What the seller says of his products: how each takes part in the programme, and what members pay for it."""

from collections.abc import Collection
from datetime import datetime
from enum import Enum
from typing import Any, Final, Literal, TypeAlias, TypeVar

from django.db import connection, transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from crm.choices import PricePolicy, ProductPolicy
from crm.models import Product, Tier
from crm.stafflog import log_action

MOST_BONUS_POINTS = 1_000_000  # A piece; more is a slip of the finger.


class Keep(Enum):
    """The word for "leave it as it is"."""

    KEEP = "keep"


KEEP: Final = Keep.KEEP
Value = TypeVar("Value")
Change: TypeAlias = Value | Literal[Keep.KEEP]


def set_policy(
    product_ids: Collection[int],
    policy: ProductPolicy,
    *,
    bonus_points: int = 0,
    actor_id: int,
    at: datetime,
    reason: str,
) -> int:
    """Give products a point policy and write the staff log. Returns how many were changed.

    ``bonus_points`` are what one piece of a bonus product earns, and zero for all others; the database insists.
    """
    with transaction.atomic():
        products = Product.objects.filter(pk__in=list(product_ids)).exclude(policy=policy, bonus_points=bonus_points)
        changed = products.update(policy=policy, bonus_points=bonus_points)
        log_action(
            "products.policy",
            actor_id=actor_id,
            at=at,
            reason=reason,
            products=changed,
            policy=policy.value,
            bonus_points=bonus_points,
        )
    return changed


def set_category(product_ids: Collection[int], category: str, *, actor_id: int, at: datetime, reason: str) -> int:
    """Put products into a category, or with "" out of any, and write the staff log. Returns how many were changed."""
    with transaction.atomic():
        products = Product.objects.filter(pk__in=list(product_ids)).exclude(category=category)
        changed = products.update(category=category)
        log_action("products.category", actor_id=actor_id, at=at, reason=reason, products=changed, category=category)
    return changed


def set_price_rules(
    product_ids: Collection[int],
    price_policy: Change[PricePolicy],
    visible_from: Change[int | None],
    *,
    actor_id: int,
    at: datetime,
    reason: str,
) -> int:
    """Say whether discounts count for products, and from which tier (its id, None for all) up they show; write the
    staff log. Returns how many were changed."""
    said: dict[str, Any] = {}
    if price_policy is not KEEP:
        said["price_policy"] = price_policy.value
    if visible_from is not KEEP:
        said["discount_visible_from"] = visible_from
    with transaction.atomic():
        products = Product.objects.filter(_differs(said), pk__in=list(product_ids))
        changed = products.update(**said)
        log_action("products.price_rules", actor_id=actor_id, at=at, reason=reason, products=changed, **said)
    return changed


def _differs(said: dict[str, Any]) -> Q:
    """The products that do not say all of this already."""
    different = Q(pk__in=[])
    for name, value in said.items():
        same = Q(**{f"{name}__isnull": True}) if value is None else Q(**{name: value})
        different |= ~same
    return different


# The latest order decides, and of several prices in it the highest: one of them may be a gift's.
_FROM_ORDERS = """
UPDATE crm_product AS p
   SET list_price = seen.price
  FROM (
      SELECT DISTINCT ON (l.product_id) l.product_id, l.unit_price AS price
        FROM crm_orderline AS l
        JOIN crm_order AS o ON o.id = l.order_id
       WHERE l.product_id = ANY (%(products)s)
         AND l.unit_price BETWEEN 0.01 AND 10000000 AND l.unit_price = round(l.unit_price, 2)
       ORDER BY l.product_id, coalesce(o.paid_at, o.placed_at) DESC NULLS LAST, l.unit_price DESC
  ) AS seen
 WHERE p.id = seen.product_id
   AND CASE WHEN %(overwrite)s THEN p.list_price IS DISTINCT FROM seen.price ELSE p.list_price IS NULL END
"""


def take_list_prices_from_orders(
    product_ids: Collection[int], *, overwrite: bool, actor_id: int, at: datetime, reason: str
) -> int:
    """Give products the price of a piece in their latest order as their list price, and write the staff log. Returns
    how many were changed. A list price that is there stays unless ``overwrite`` is set."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(_FROM_ORDERS, {"products": list(product_ids), "overwrite": overwrite})
            changed = int(cursor.rowcount)
        log_action(
            "products.list_price", actor_id=actor_id, at=at, reason=reason, products=changed, overwrite=overwrite
        )
    return changed


def tier_price_problem(visible_from: Tier | None, tier: Tier) -> str:
    """Say why a price for a tier would never count; "" when it does."""
    if visible_from is None or tier.rank >= visible_from.rank:
        return ""
    return _("The product shows its discount from the tier “%(from)s” up, so a price for “%(tier)s” never counts.") % {
        "from": visible_from.name,
        "tier": tier.name,
    }
