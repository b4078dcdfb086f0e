"""What is going on now: rewards in their window, how fast they go, and who came last."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from django.db import connection

from redemption.models import Redemption

MOST = 30
LATEST = 15
_MINUTES = timedelta(minutes=5)
_HOUR = timedelta(hours=1)

# Rewards whose window has begun and not ended; those that are always offered are no activity.
_LIVE = """
SELECT w.id, w.name, w.starts_at, w.ends_at, w.points,
       CASE WHEN w.kind = 'digital' THEN (
                SELECT count(*) FROM redemption_rewardcode AS c WHERE c.reward_id = w.id AND c.redemption_id IS NULL
            )
            WHEN w.counted THEN coalesce(s.free, 0) END,
       x.pieces, x.members, x.points, x.minutes, x.hour
  FROM (
      SELECT * FROM redemption_reward AS r
       WHERE r.active AND (r.starts_at IS NOT NULL OR r.ends_at IS NOT NULL)
         AND (r.starts_at IS NULL OR r.starts_at <= %(at)s) AND (r.ends_at IS NULL OR r.ends_at > %(at)s)
       ORDER BY r.ends_at NULLS LAST, r.position, r.id
       LIMIT %(most)s
  ) AS w
  LEFT JOIN redemption_stock AS s ON s.reward_id = w.id
 CROSS JOIN LATERAL (
      SELECT coalesce(sum(r.quantity - r.cancelled - r.returned), 0) AS pieces, count(DISTINCT r.member_id) AS members,
             coalesce(sum(r.points / r.quantity * (r.quantity - r.cancelled - r.returned)), 0) AS points,
             coalesce(sum(r.quantity - r.cancelled - r.returned) FILTER (WHERE r.placed_at > %(minutes)s), 0)
                 AS minutes,
             coalesce(sum(r.quantity - r.cancelled - r.returned) FILTER (WHERE r.placed_at > %(hour)s), 0) AS hour
        FROM redemption_redemption AS r
       WHERE r.reward_id = w.id AND (w.starts_at IS NULL OR r.placed_at >= w.starts_at)
 ) AS x
 ORDER BY w.ends_at NULLS LAST, w.position, w.id
"""


class LiveReward(NamedTuple):
    """A reward in its window: the pieces that are left (None: not counted), and what was taken since it began."""

    reward_id: int
    name: str
    begins_at: datetime | None
    ends_at: datetime | None
    price: int
    left: int | None
    pieces: int
    members: int
    points: int
    in_five_minutes: int
    in_an_hour: int

    @property
    def share(self) -> int | None:
        """How many percent are gone, rounded down; None where pieces are not counted."""
        whole = self.pieces + self.left if self.left is not None else 0
        return self.pieces * 100 // whole if whole else None


@dataclass(frozen=True, slots=True)
class Live:
    """The rewards that are running, and the latest redemptions of them."""

    rewards: list[LiveReward]
    latest: list[Redemption]


def live(at: datetime) -> Live:
    """Look at what is running. Two queries."""
    with connection.cursor() as cursor:
        cursor.execute(_LIVE, {"at": at, "minutes": at - _MINUTES, "hour": at - _HOUR, "most": MOST})
        rewards = [LiveReward(*row) for row in cursor.fetchall()]
    latest = Redemption.objects.filter(reward__in=[row.reward_id for row in rewards]).select_related("reward", "member")
    return Live(rewards, list(latest.order_by("-pk")[:LATEST]))
