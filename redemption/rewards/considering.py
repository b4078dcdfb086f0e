"""A member considers a reward: how much of it he may have now, and if nothing, why.

What is said here is for his eyes, before he clicks. The checkout looks at all of it again, under its locks.
"""

from dataclasses import dataclass
from datetime import datetime, time, timedelta

from django.db.models import F, Q, Sum

from loyalty import api as loyalty
from redemption.models import Redemption, Reward
from redemption.rewards import refusals
from redemption.rewards.seeing import Seen, look_at, seen_by
from redemption.rewards.standing import Standing


@dataclass(frozen=True, slots=True)
class Limit:
    """Of ``most`` pieces a day, an offer or ever (``which``) a member has had ``had``; ``again`` is when it is counted
    anew, None for never."""

    which: str
    most: int
    had: int
    again: datetime | None

    @property
    def left(self) -> int:
        return max(0, self.most - self.had)


@dataclass(frozen=True, slots=True)
class Considered:
    """A reward, a member's limits, how many pieces he may take now, and what stands against it where that is none."""

    seen: Seen
    limits: list[Limit]
    most: int
    refusal: refusals.RewardRefused | None


def find_seen(reward_id: int, standing: Standing) -> Seen | None:
    """Return what somebody sees of a reward, also of one whose time is over; None when he sees nothing of it."""
    return next(iter(look_at(seen_by(standing).filter(pk=reward_id), every_picture=True)), None)


def consider(seen: Seen, member_id: int, funds: int, at: datetime) -> Considered:
    """Return how much of a reward a member with ``funds`` points (a debt is negative) may take. Two queries at most."""
    limits = limits_of(seen.reward_id, member_id, at) if seen.terms is not None else []
    refusal = _obstacle(seen, at) or _lack(seen, limits, funds)
    most = 0
    if refusal is None and seen.terms is not None:
        bounds = [seen.terms.most_at_once, funds // seen.terms.points, *(limit.left for limit in limits)]
        most = min(bounds if seen.terms.left is None else [*bounds, seen.terms.left])
    return Considered(seen, limits, most, refusal)


def limits_of(reward_id: int, member_id: int, at: datetime) -> list[Limit]:
    """Return a member's limits of a reward, the narrowest time first. Two queries at most.

    Pieces whose points were given back do not count, as in the journal, which decides.
    """
    reward = Reward.objects.filter(pk=reward_id).first()
    if reward is None:
        return []
    midnight = _midnight(at)
    limits = {
        "day": (reward.limit_day, midnight, midnight + timedelta(days=1)),
        "window": (reward.limit_window, reward.starts_at, None),
        "ever": (reward.limit_ever, None, None),
    }
    told = {which: limit for which, limit in limits.items() if limit[0] is not None}
    if not told:
        return []
    pieces = F("quantity") - F("cancelled") - F("returned")
    had = Redemption.objects.filter(reward=reward_id, member=member_id).aggregate(
        **{
            which: Sum(pieces, filter=Q(placed_at__gte=since) if since else None, default=0)
            for which, (_most, since, _again) in told.items()
        }
    )
    return [Limit(which, most or 0, had[which], again) for which, (most, _since, again) in told.items()]


def _obstacle(seen: Seen, at: datetime) -> refusals.RewardRefused | None:
    if seen.ends_at is not None and seen.over(at):
        return refusals.NoLonger(seen.ends_at)
    if not seen.his:
        return refusals.TierTooLow(seen.tier) if seen.tier else refusals.NotForYou()
    if seen.starts_at is not None and seen.still_to_come(at):
        return refusals.NotYet(seen.starts_at)
    return None


def _lack(seen: Seen, limits: list[Limit], funds: int) -> refusals.RewardRefused | None:
    if seen.terms is None:
        return refusals.NotForYou()
    if seen.terms.sold_out:
        return refusals.SoldOut(0)
    for limit in limits:
        if not limit.left:
            return refusals.LimitReached(limit.which, limit.had, limit.most)
    if missing := seen.terms.missing(funds):
        return refusals.NotEnoughPoints(missing)
    return None


def _midnight(at: datetime) -> datetime:
    zone = loyalty.programme_zone()
    return datetime.combine(at.astimezone(zone).date(), time.min, tzinfo=zone)
