"""The published validity policies."""

from dataclasses import replace
from datetime import datetime
from functools import partial

from django.db import transaction
from django.db.models import Max

from loyalty import validity
from loyalty.choices import ExistingPoints, ValidityKind
from loyalty.models import ValidityPolicy
from loyalty.validity import BUILT_IN, Policy, policy_at

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
    """The first instant at which points given at ``at`` are no longer valid, by the policy in force then. None: never
    """
    return validity.valid_until(policy_in_force(at), at)


def revive_until(at: datetime) -> datetime | None:
    """Until when points are valid that come back at ``at`` to a lapsed lot, by the policy in force then. None: they
    stay lapsed."""
    return validity.revive_until(policy_in_force(at), at)
