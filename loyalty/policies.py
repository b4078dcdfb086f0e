"""The published validity policies."""

from dataclasses import replace
from datetime import datetime

from django.db import transaction
from django.db.models import Max

from loyalty import validity
from loyalty.choices import ExistingPoints, ValidityKind
from loyalty.models import ValidityPolicy
from loyalty.policy_preview import PolicyPreview, preview_change
from loyalty.validity import Policy, policy_at

_FIELDS = (
    "version", "kind", "days", "months", "years", "month", "day", "grace_days", "success_after_days",
    "partial_return_renews", "effective_from",
)  # fmt: skip


def published_policies() -> list[Policy]:
    """All published policies, the latest first."""
    rows = ValidityPolicy.objects.order_by("-effective_from", "-version").values_list(*_FIELDS)
    return [replace(Policy(*row), kind=ValidityKind(row[1])) for row in rows]


def policy_in_force(at: datetime) -> Policy:
    """The policy in force at an instant."""
    return policy_at(published_policies(), at)


def valid_until(at: datetime) -> datetime | None:
    """The first instant at which points given at ``at`` are no longer valid, by the policy in force; None if never."""
    return validity.valid_until(policy_in_force(at), at)


def revive_until(at: datetime) -> datetime | None:
    """Until when points are valid that come back at ``at`` to a lapsed lot, by the policy in force then. None: they
    stay lapsed."""
    return validity.revive_until(policy_in_force(at), at)


class ShorteningNotConfirmed(Exception):
    """The change would shorten validity that was promised, and nobody has confirmed it. ``preview`` has the figures."""

    def __init__(self, preview: PolicyPreview) -> None:
        super().__init__(f"{preview.shortened.points} points of {preview.shortened.members} members would be shortened")
        self.preview = preview


def publish_policy(
    policy: Policy,
    *,
    effective_from: datetime,
    at: datetime,
    actor_id: int | None,
    reason: str,
    existing: ExistingPoints = ExistingPoints.NEW_POINTS_ONLY,
    confirmed: bool = False,
) -> ValidityPolicy:
    """Publish the next version: from ``effective_from`` on orders are paid, and points given, under ``policy``.

    Earlier versions stay as they are. ``existing`` says what happens to points that members have; the night carries it
    through (``loyalty.nightly.apply_policies``). Nothing that was promised is shortened unless ``confirmed``. Raises
    ShorteningNotConfirmed, and ValueError without a reason.
    """
    if not reason.strip():
        raise ValueError("a change of policy needs a reason")
    if existing is ExistingPoints.APPLY_TO_ALL and not confirmed:
        preview = preview_change(policy, at)
        if preview.shortened.points:
            raise ShorteningNotConfirmed(preview)
    with transaction.atomic():
        latest = ValidityPolicy.objects.aggregate(latest=Max("version"))["latest"] or 0
        return ValidityPolicy.objects.create(
            version=latest + 1,
            kind=policy.kind,
            days=policy.days,
            months=policy.months,
            years=policy.years,
            month=policy.month,
            day=policy.day,
            grace_days=policy.grace_days,
            success_after_days=policy.success_after_days,
            partial_return_renews=policy.partial_return_renews,
            existing_points=existing,
            effective_from=effective_from,
            published_at=at,
            published_by_id=actor_id,
            reason=reason,
        )
