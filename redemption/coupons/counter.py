"""What one member sees of a plan: what he may take, what is left of his limits, and what stands against it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from django.db.models import Count, Q

from redemption.checkout import day_began, rank_of
from redemption.coupons import refusals
from redemption.coupons.seeing import all_as_seen, as_seen, sight_of
from redemption.models import Coupon
from redemption.offers import Offer, Terms, current_terms, shelf
from redemption.refusals import Refused
from redemption.rewards.choices import Sight


@dataclass(frozen=True, slots=True)
class LimitLeft:
    """Of ``most`` coupons (``which``: ever, window, special or day) the member has had ``had``; ``again_at`` is when it
    is counted anew, None when never, or nobody knows."""

    which: str
    had: int
    most: int
    again_at: datetime | None

    @property
    def left(self) -> int:
        return max(0, self.most - self.had)


@dataclass(frozen=True, slots=True)
class Counter:
    """A plan as a member sees it. ``tickets`` are coupons with the points missing for each, ``best`` is the largest of
    any amount that he can afford, ``refusal`` why he gets none of them."""

    terms: Terms
    tickets: list[tuple[Offer, int]]
    best: int | None
    limits: list[LimitLeft]
    refusal: Refused | None

    @property
    def affordable(self) -> bool:
        """Whether there is a coupon that he can take now."""
        return self.refusal is None and (self.best is not None or any(not missing for _offer, missing in self.tickets))


def counters(member_id: int, funds: int, at: datetime) -> list[Counter]:
    """Return the plans in force that a member with ``funds`` points sees, as he does: what he can take before the rest.

    A query, and one each where a plan asks for a tier or has limits.
    """
    plans = current_terms(at)
    rank = rank_of(member_id, at) if any(one.tier for one in plans) else 0
    plans = all_as_seen(plans, rank)
    had = limits_left(plans, member_id, at)
    seen = [_counter(terms, funds, rank, had[terms.plan_id]) for terms in plans]
    return sorted(seen, key=lambda counter: not counter.affordable)


def counter_for(
    member_id: int, plan_id: int, yuan: int, at: datetime
) -> tuple[Offer | None, list[LimitLeft], Refused | None]:
    """Return a coupon as one member sees it: the offer, his limits, and why he does not get it, if so.

    No offer and no refusal: there is no such plan, as far as he shall know.
    """
    terms, rank = plan_seen(member_id, plan_id, at)
    if terms is None:
        return None, [], None
    if terms.tier is not None and sight_of(terms, rank) is Sight.TEASER:
        return None, [], closed(terms, at) or refusals.TierTooLow(terms.tier.name)
    offer = terms.offer(yuan)
    refusal = closed(terms, at) or (not_to_be_had(terms, yuan) if offer is None else None)
    if refusal:
        return None, [], refusal
    limits = limits_left([terms], member_id, at)[plan_id]
    return offer, limits, _not_his(terms, rank, limits)


def plan_seen(member_id: int, plan_id: int, at: datetime) -> tuple[Terms | None, int]:
    """Return a plan as a member sees it, also when it is not offered now, and the rung on which he stands, 0 where the
    plan asks for none. None when there is no such plan, or he shall not know of it. A query, and one for the rung."""
    plans = current_terms(at, plan_id=plan_id, evenly=True)
    if not plans:
        return None, 0
    rank = rank_of(member_id, at) if plans[0].tier else 0
    return as_seen(plans[0], rank), rank


def counter_of(member_id: int, plan_id: int, funds: int, at: datetime) -> tuple[Counter, Sight] | None:
    """Return one plan as it stands for a member with ``funds`` points at a moment, also when it is not offered then:
    the refusal says so; and how much of it he would see. None when there is no such plan."""
    plans = current_terms(at, plan_id=plan_id, evenly=True)
    if not plans:
        return None
    [terms] = plans
    limits = limits_left(plans, member_id, at)[plan_id]
    rank = rank_of(member_id, at)
    seen = _counter(terms, funds, rank, limits)
    return replace(seen, refusal=closed(terms, at) or seen.refusal), sight_of(terms, rank)


def closed(terms: Terms, at: datetime) -> Refused | None:
    """Say why the plan offers nothing to anybody at this moment, if so."""
    if not terms.active:
        return refusals.PlanNotOffered()
    if terms.ends_at is not None and terms.ends_at <= at:
        return refusals.NoLonger(terms.ends_at)
    if terms.starts_at is not None and terms.starts_at > at:
        return refusals.NotYet(terms.starts_at)
    return None


def not_to_be_had(terms: Terms, yuan: int) -> Refused:
    """Say why a coupon of this value is not given out, though the plan is in force."""
    if yuan not in terms.offered and (terms.whole_span is None or yuan not in terms.whole_span):
        return refusals.DenominationNotOffered()
    if terms.coupons_left == 0:
        return refusals.BudgetSpent(0)
    if terms.yuan_left is not None and terms.yuan_left < yuan:
        return refusals.BudgetSpent(terms.yuan_left)
    return refusals.NoCodeLeft()


def limits_left(plans: Sequence[Terms], member_id: int, at: datetime) -> dict[int, list[LimitLeft]]:
    """Return the limits of plans and what is left of them for a member, the most lasting first: one query, none where
    no plan has limits. A coupon whose points went back does not count, as in the journal."""
    asked = [(terms.plan_id, *limit) for terms in plans for limit in _limits(terms, at)]
    found: dict[int, list[LimitLeft]] = {terms.plan_id: [] for terms in plans}
    if not asked:
        return found
    kept = Coupon.objects.filter(member=member_id, points_back=0)
    counts = {
        f"n{place}": Count("pk", filter=Q(plan=plan_id) & (Q(issued_at__gte=since) if since else Q()))
        for place, (plan_id, _which, _most, since, _again_at) in enumerate(asked)
    }
    had = kept.aggregate(**counts)
    for place, (plan_id, which, most, _since, again_at) in enumerate(asked):
        found[plan_id].append(LimitLeft(which, had[f"n{place}"], most, again_at))
    return found


def _limits(terms: Terms, at: datetime) -> list[tuple[str, int, datetime | None, datetime | None]]:
    """Return which limits a plan has at this moment: how many, counted from when, and when anew."""
    today = day_began(at)
    special = terms.special
    all_of_them: list[tuple[str, int | None, datetime | None, datetime | None]] = [
        ("ever", terms.limits.ever, None, None),
        ("window", terms.limits.window, terms.starts_at, None),
        ("day", terms.limits.day, today, today + timedelta(days=1)),
    ]
    if special:
        all_of_them.insert(2, ("special", special.limit, special.starts_at, special.ends_at))
    return [(which, most, since, again_at) for which, most, since, again_at in all_of_them if most]


def _not_his(terms: Terms, rank: int, limits: Sequence[LimitLeft]) -> Refused | None:
    if terms.tier is not None and terms.tier.rank > rank:
        return refusals.TierTooLow(terms.tier.name)
    for limit in limits:
        if not limit.left:
            return refusals.LimitReached(limit.which, limit.had, limit.most, limit.again_at)
    return None


def _counter(terms: Terms, funds: int, rank: int, limits: list[LimitLeft]) -> Counter:
    refusal = _not_his(terms, rank, limits)
    if refusal is None and terms.spent:
        refusal = (
            refusals.BudgetSpent(0) if terms.yuan_left is not None or terms.coupons_left == 0 else refusals.NoCodeLeft()
        )
    fixed = [offer for offer in map(terms.offer, terms.values) if offer]
    best = terms.span.best_down(funds, terms.points_per_yuan) if terms.span else None
    return Counter(terms, shelf(fixed, funds), best, limits, refusal)
