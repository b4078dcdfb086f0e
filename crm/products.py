"""What the seller says of his products: how each takes part in the programme."""

from collections.abc import Collection
from datetime import datetime

from django.db import transaction

from crm.choices import ProductPolicy
from crm.models import Product
from crm.stafflog import log_action

MOST_BONUS_POINTS = 1_000_000  # A piece; more is a slip of the finger.


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
