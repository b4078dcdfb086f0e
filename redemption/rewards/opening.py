"""The wish of somebody who looks at no page: the demo shop's buyers, and those of stories. A page makes its own from
what it shows (``redemption.rewards.agreeing``)."""

from datetime import datetime

from django.db.models import Max

from redemption.models import Redemption, Reward
from redemption.rewards.choices import RewardKind
from redemption.rewards.wishes import Wish


def open_wish(member_id: int, reward: Reward, at: datetime) -> Wish:
    """Return the wish that a page would carry which shows this reward, at its price of now, to this member. Two
    queries."""
    latest = Redemption.objects.filter(reward=reward, member=member_id).aggregate(latest=Max("pk"))["latest"]
    conditional = reward.min_tier_id is not None or reward.tag_rules.exists()
    return Wish(member_id, reward.pk, RewardKind(reward.kind), reward.points, reward.cash, conditional, latest or 0, at)
