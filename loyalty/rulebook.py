"""The published earning rules."""

from datetime import datetime
from decimal import Decimal

from django.db import transaction
from django.db.models import Max

from loyalty.models import EarnRule
from loyalty.rules import Rate


def published_rates() -> list[Rate]:
    """All published rules, the latest first."""
    rows = EarnRule.objects.order_by("-effective_from", "-version").values_list(
        "version", "per", "points", "effective_from"
    )
    return [Rate(version, per, points, effective_from) for version, per, points, effective_from in rows]


def publish_rate(
    per: Decimal, points: int, *, effective_from: datetime, at: datetime, actor_id: int | None, reason: str
) -> EarnRule:
    """Publish the next version: from ``effective_from`` on every ``per`` yuan paid earns ``points`` points.

    Earlier versions stay as they are, and so does what they gave. Raises ValueError for a step of nothing or no reason.
    """
    if per <= 0 or points < 0 or not reason.strip():
        raise ValueError("a rule needs a positive step, points that are not negative, and a reason")
    with transaction.atomic():
        latest = EarnRule.objects.aggregate(latest=Max("version"))["latest"] or 0
        return EarnRule.objects.create(
            version=latest + 1,
            per=per,
            points=points,
            effective_from=effective_from,
            published_at=at,
            published_by_id=actor_id,
            reason=reason,
        )
