"""A limit is a member's, over all the names that he has on platforms."""

from datetime import datetime

import pytest

from crm.models import Identity, Member
from redemption.models import Redemption, Reward
from redemption.rewards.checkout import redeem
from redemption.rewards.opening import open_wish
from redemption.rewards.refusals import LimitReached
from tests.cast import GivePoints
from tests.factories import AddressFactory, ChannelFactory, IdentityFactory, RewardFactory

pytestmark = pytest.mark.django_db


def test_a_limit_of_one_holds_for_both_shops_that_know_her(
    xiaolu: Member, give_points: GivePoints, at: datetime
) -> None:
    web = ChannelFactory(code="web", name="官网")
    IdentityFactory(channel=web, member=xiaolu, external_id="xiaolu@web", name="小鹿")
    give_points(xiaolu, 1000)
    home = AddressFactory(member=xiaolu)
    cup: Reward = RewardFactory(limit_ever=1)

    def take_as(external_id: str) -> None:
        member = Identity.objects.get(external_id=external_id).member_id
        token = open_wish(member, Reward.objects.get(pk=cup.pk), at).token()
        redeem(member, cup.pk, 1, token=token, address_id=home.pk, at=at)

    take_as("小鹿爱喝茶")
    with pytest.raises(LimitReached):
        take_as("xiaolu@web")

    assert Redemption.objects.count() == 1
