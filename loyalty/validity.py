"""How long points are valid. Pure decisions; ``loyalty.policies`` fetches the published versions.

``loyalty_valid_until`` in ``sql/9_renew.sql`` says the same in SQL, for a million lots at a time.
"""

from calendar import monthrange
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from django.conf import settings

from loyalty.choices import ValidityKind


@dataclass(frozen=True, slots=True)
class Policy:
    """A validity policy. ``version`` names the published one, 0 the one built in.

    ``days``, ``months``, ``years``, ``month`` and ``day`` count as far as the kind uses them; ``years`` is how many
    years after the first fixed day points live on. ``grace_days``: how long points are valid that come back to a lot
    which has lapsed (None: they lapse with it). ``success_after_days``: how many days after shipping an order has
    succeeded even if the buyer does not confirm it (None: he must). ``partial_return_renews``: what stays of an order
    after a partial return starts its period anew.
    """

    version: int = 0
    kind: ValidityKind = ValidityKind.PER_LOT_MONTHS
    days: int = 0
    months: int = 12
    years: int = 0
    month: int = 12
    day: int = 31
    grace_days: int | None = None
    success_after_days: int | None = 30
    partial_return_renews: bool = True
    effective_from: datetime | None = None


# In force until the shop publishes a policy of its own: a year from each accrual.
BUILT_IN = Policy()


def policy_at(policies: Iterable[Policy], at: datetime) -> Policy:
    """The policy in force at an instant. ``policies`` has the latest first, as ``published_policies`` gives them."""
    for policy in policies:
        if policy.effective_from is not None and policy.effective_from <= at:
            return policy
    return BUILT_IN


def programme_zone() -> ZoneInfo:
    """The time zone in which a day of the programme begins and ends."""
    return ZoneInfo(settings.PROGRAMME_TIME_ZONE)


def valid_until(policy: Policy, at: datetime) -> datetime | None:
    """The first instant at which points of ``at`` are no longer valid, None when they always are.

    The last day counts whole, in the programme's time zone: under the built-in policy points of 8 July 2017 can be
    spent through 8 July 2018. A month after 31 January ends with the last day of February.
    """
    zone = programme_zone()
    return _valid_until(policy, at.astimezone(zone).date(), zone)


def validity_end(at: datetime) -> datetime:
    """What ``valid_until`` says under the built-in policy, which always ends: the same day a year later is the last."""
    return valid_until(BUILT_IN, at) or at


def revive_until(policy: Policy, at: datetime) -> datetime | None:
    """Until when points are valid that come back at ``at`` to a lapsed lot; None when they stay lapsed."""
    if policy.grace_days is None:
        return None
    zone = programme_zone()
    return _midnight_after(at.astimezone(zone).date() + timedelta(days=policy.grace_days), zone)


def succeeds_at(policy: Policy, shipped_at: datetime | None) -> datetime | None:
    """When a shipped order has succeeded without the buyer's confirmation; None when that never happens."""
    if shipped_at is None or policy.success_after_days is None:
        return None
    return shipped_at + timedelta(days=policy.success_after_days)


@lru_cache(maxsize=4096)  # A batch of orders has some thousand instants on a few hundred days.
def _valid_until(policy: Policy, day: date, zone: ZoneInfo) -> datetime | None:
    last = _last_day(policy, day)
    return None if last is None else _midnight_after(last, zone)


def _last_day(policy: Policy, day: date) -> date | None:
    match policy.kind:
        case ValidityKind.PER_LOT_DAYS:
            return day + timedelta(days=policy.days)
        case ValidityKind.PER_LOT_MONTHS | ValidityKind.ACCOUNT_RENEWAL:
            years, month = divmod(day.month - 1 + policy.months, 12)
            return _clamped(day.year + years, month + 1, day.day)
        case ValidityKind.YEAR_END:
            this_year = _clamped(day.year, policy.month, policy.day)
            return _clamped(day.year + policy.years + (this_year < day), policy.month, policy.day)
        case ValidityKind.NEVER:
            return None


def _clamped(year: int, month: int, day: int) -> date:
    """The day of the month, or its last one when it is shorter."""
    return date(year, month, min(day, monthrange(year, month)[1]))


def _midnight_after(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day + timedelta(days=1), time.min, tzinfo=zone)
