"""What the page of a grant shows about past purchases."""

from dataclasses import dataclass

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from loyalty.earning.kinds.money import ROUNDINGS
from loyalty.models import Grant, PastPurchases
from loyalty.past_purchases.making import given_elsewhere


@dataclass(frozen=True, slots=True)
class PastTerms:
    """By which terms a grant was made, in words. ``newcomers`` are the names that will become members, ``elsewhere``
    how many members have points for another named time."""

    terms: PastPurchases
    rate: str
    newcomers: int
    elsewhere: list[tuple[str, int]]


def past_terms(grant: Grant) -> PastTerms:
    """Prepare the terms of a grant for past purchases."""
    past = grant.past
    before = grant.state in (Grant.State.READY, Grant.State.WAITING)
    newcomers = grant.rows.filter(code="", member=None).count() if before and past.makes_members else 0
    return PastTerms(past, _rate(past), newcomers, given_elsewhere(grant) if before else [])


def _rate(past: PastPurchases) -> str:
    if past.per is None or past.points is None:
        if not past.rule_version:
            return _("The base of the earning rules: a point for each whole yuan")
        return _("The base of the earning rules, version %(version)s") % {"version": past.rule_version}
    return ngettext(
        "Every %(yuan)s yuan: %(points)s point, %(rounding)s",
        "Every %(yuan)s yuan: %(points)s points, %(rounding)s",
        past.points,
    ) % {"yuan": past.per.normalize(), "points": past.points, "rounding": dict(ROUNDINGS)[past.rounding]}
