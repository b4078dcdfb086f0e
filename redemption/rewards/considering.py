"""A member considers a reward: how much of it he may have now, and if nothing, why.

What is said here is for his eyes, before he clicks. The checkout looks at all of it again, under its locks.
"""

import json
from dataclasses import dataclass
from datetime import datetime, time, timedelta

from django.db import connection

from loyalty import api as loyalty
from redemption.rewards import refusals
from redemption.rewards.seeing import Seen

# SQL text: the limits of the reward ``r``, what the member ``m`` has had of it, and his latest redemption of it, as one
# value, which ``had_from`` reads. Days begin at ``%(today)s``. Pieces whose points were given back do not count, as in
# the journal, which decides.
HAD = """
(SELECT json_build_array(
          json_build_array(r.limit_day, coalesce(sum(x.pieces) FILTER (WHERE x.placed_at >= %(today)s), 0)),
          json_build_array(
            r.limit_window,
            coalesce(sum(x.pieces) FILTER (WHERE r.starts_at IS NULL OR x.placed_at >= r.starts_at), 0)),
          json_build_array(r.limit_ever, coalesce(sum(x.pieces), 0)),
          coalesce(max(x.id), 0))::text
   FROM (SELECT y.id, y.placed_at, y.quantity - y.cancelled - y.returned AS pieces
           FROM redemption_redemption AS y
          WHERE y.reward_id = r.id AND y.member_id = m.id) AS x)
"""
_HAD_OF_ONE = f"""
SELECT {HAD} FROM redemption_reward AS r, (SELECT %(member)s::bigint) AS m (id) WHERE r.id = %(reward)s
"""


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
class Had:
    """What a member has had of a reward: his limits, and the id of his latest redemption of it, 0 for none."""

    limits: list[Limit]
    latest: int


@dataclass(frozen=True, slots=True)
class Considered:
    """A reward, a member's limits, how many pieces he may take now, and what stands against it where that is none."""

    seen: Seen
    limits: list[Limit]
    most: int
    refusal: refusals.RewardRefused | None


def consider(seen: Seen, limits: list[Limit], funds: int, at: datetime) -> Considered:
    """Return how much of a reward a member with ``funds`` points (a debt is negative) may take."""
    limits = limits if seen.terms is not None else []
    refusal = _obstacle(seen, at) or _lack(seen, limits, funds)
    most = 0
    if refusal is None and seen.terms is not None:
        bounds = [seen.terms.most_at_once, funds // seen.terms.points, *(limit.left for limit in limits)]
        most = min(bounds if seen.terms.left is None else [*bounds, seen.terms.left])
    return Considered(seen, limits, most, refusal)


def limits_of(reward_id: int, member_id: int, at: datetime) -> list[Limit]:
    """Return a member's limits of a reward, the narrowest time first. One query."""
    with connection.cursor() as cursor:
        cursor.execute(_HAD_OF_ONE, {"member": member_id, "reward": reward_id, "today": day_began(at)})
        row = cursor.fetchone()
    return had_from(row[0], at).limits if row else []


def had_from(value: str, at: datetime) -> Had:
    """Read what ``HAD`` found."""
    day, window, ever, latest = json.loads(value)
    tomorrow = day_began(at) + timedelta(days=1)
    told = {"day": (*day, tomorrow), "window": (*window, None), "ever": (*ever, None)}
    limits = [Limit(which, most, had, again) for which, (most, had, again) in told.items() if most is not None]
    return Had(limits, latest)


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


def day_began(at: datetime) -> datetime:
    """Return when the programme's day began that limits of a day count from."""
    zone = loyalty.programme_zone()
    return datetime.combine(at.astimezone(zone).date(), time.min, tzinfo=zone)
