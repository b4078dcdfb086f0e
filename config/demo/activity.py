"""The activity that is on while the demo shop opens: a sample for few points, which buyers have been taking today."""

from datetime import datetime, time, timedelta

from config.demo.cast import CAST
from crm.models import Channel, Member
from loyalty import api as loyalty
from redemption.models import Reward
from redemption.rewards.addresses import Destination, keep_address
from redemption.rewards.checkout import redeem
from redemption.rewards.opening import open_wish

POINTS = 30
_LASTS = timedelta(days=5)
_BEGAN_BEFORE = timedelta(hours=3)
_BUYERS = 24


def window(at: datetime) -> tuple[datetime, datetime]:
    """Since when it is on, and until when: since today, so that all that was taken of it was taken today."""
    zone = loyalty.programme_zone()
    midnight = datetime.combine(at.astimezone(zone).date(), time.min, tzinfo=zone)
    return max(at - _BEGAN_BEFORE, midnight), at + _LASTS


def let_take_part(channel: Channel, reward: Reward, at: datetime) -> int:
    """Let buyers outside of the cast who have the points take a piece each, the later the denser; return how many."""
    rows = Member.objects.filter(identities__channel=channel, account__balance__gte=POINTS)
    outsiders = rows.exclude(identities__external_id__in=[persona.nick for persona in CAST])
    begun, _ends = window(at)
    buyers = list(outsiders.order_by("-account__balance", "pk")[:_BUYERS])
    for number, member in enumerate(buyers, start=1):
        home = keep_address(member.pk, _home(member, number), preferred=True, at=at)
        # Of the time until now, what is left halves with every three of them.
        moment = at - (at - begun) * (6 - number % 3) / 6 / 2 ** (number // 3)
        token = open_wish(member.pk, reward, moment).token()
        redeem(member.pk, reward.pk, 1, token=token, address_id=home.pk, at=moment)
    return len(buyers)


def _home(member: Member, number: int) -> Destination:
    return Destination(
        member.name or f"买家{number}", f"139{number:08}", "浙江省 杭州市 西湖区", f"示例路 {number + 1} 号"
    )
