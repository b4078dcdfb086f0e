"""A month of the store, in one story: a limit over two names of a buyer, cash that nobody pays, a part that is
cancelled, a price that changes under the eyes of the buyer, and a cup that comes back after the points that it cost
have lapsed. The books add up after each step."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from crm.models import Identity, Member
from loyalty import api as loyalty
from loyalty.policies import publish_policy
from loyalty.validity import BUILT_IN
from redemption.coupons.proof import prove_coupons
from redemption.models import Redemption, Reward
from redemption.rewards.checkout import redeem
from redemption.rewards.giving_back import cancel_own, take_back
from redemption.rewards.handling import ship
from redemption.rewards.lapsing import lapse_unpaid
from redemption.rewards.opening import open_wish
from redemption.rewards.proof import prove_store
from redemption.rewards.refusals import LimitReached, PriceChanged
from tests.cast import GivePoints
from tests.factories import AddressFactory, ChannelFactory, IdentityFactory, RewardFactory, StaffFactory

DAY = timedelta(days=1)


class Shop:
    """The store and 小鹿, who buys on Taobao and on the shop's own site."""

    def __init__(self, xiaolu: Member) -> None:
        web = ChannelFactory(code="web", name="官网")
        IdentityFactory(channel=web, member=xiaolu, external_id="xiaolu@web", name="小鹿")
        self.xiaolu = xiaolu
        self.home = AddressFactory(member=xiaolu).pk
        self.keeper = int(StaffFactory().pk)

    def page(self, reward: Reward, at: datetime) -> str:
        return open_wish(self.xiaolu.pk, Reward.objects.get(pk=reward.pk), at).token()

    def take(
        self, reward: Reward, quantity: int, at: datetime, *, known_as: str = "小鹿爱喝茶", page: str = ""
    ) -> Redemption:
        member = Identity.objects.get(external_id=known_as).member_id
        taken = redeem(
            member, reward.pk, quantity, token=page or self.page(reward, at), address_id=self.home, at=at
        )  # fmt: skip
        return Redemption.objects.get(pk=taken.redemption_id)

    def stands(self, at: datetime, *, spendable: int) -> None:
        """She can spend so many points, and the books add up."""
        assert loyalty.summary(self.xiaolu.pk, at).spendable == spendable
        assert loyalty.audit().ok
        assert prove_store().ok
        assert prove_coupons().ok


@pytest.fixture
def shop_with_her(xiaolu: Member, give_points: GivePoints, at: datetime) -> Shop:
    """She has a thousand points that lapse in twenty days; lapsed ones that come back live for a month."""
    publish_policy(replace(BUILT_IN, grace_days=30), effective_from=at, at=at, actor_id=None, reason="Grace")
    give_points(xiaolu, 1000, expires_at=at + 20 * DAY)
    return Shop(xiaolu)


@contextmanager
def refused(why: type[Exception]) -> Iterator[None]:
    """What is refused leaves no redemption."""
    before = Redemption.objects.count()
    with pytest.raises(why):
        yield
    assert Redemption.objects.count() == before


def free(reward: Reward) -> int:
    return Reward.objects.select_related("stock").get(pk=reward.pk).stock.free


def test_a_month_of_the_store(shop_with_her: Shop, at: datetime) -> None:
    shop = shop_with_her
    cup = RewardFactory(points=100, stock=10, limit_ever=3)
    pot = RewardFactory(points=100, cash=Decimal("9.90"), stock=10, limit_ever=2, pay_hours=48)

    # Two pots are set aside for her; more than two she may not have, whatever name she comes under.
    waiting = shop.take(pot, 2, at)
    with refused(LimitReached):
        shop.take(pot, 1, at, known_as="xiaolu@web")
    shop.stands(at, spendable=800)

    # Nobody pays. A second before the deadline everything stands, at the deadline everything goes back, and she may
    # have two pots again.
    lapse_unpaid(at + 2 * DAY - timedelta(seconds=1))
    shop.stands(at + DAY, spendable=800)
    lapse_unpaid(at + 2 * DAY)
    lapse_unpaid(at + 2 * DAY)
    assert Redemption.objects.get(pk=waiting.pk).state == "cancelled"
    assert free(pot) == 10
    shop.stands(at + 2 * DAY, spendable=1000)

    # While she looks at the cup it becomes dearer: she is asked again, and agrees to the new price.
    page = shop.page(cup, at + 3 * DAY)
    Reward.objects.filter(pk=cup.pk).update(points=120)
    with refused(PriceChanged):
        shop.take(cup, 3, at + 3 * DAY, page=page)
    cups = shop.take(cup, 3, at + 3 * DAY)
    shop.stands(at + 3 * DAY, spendable=640)

    # Of the three she gives up one, twice by a double click; it is one.
    for _click in range(2):
        cancel_own(cups.pk, 1, seen=0, member_id=shop.xiaolu.pk, actor_id=None, at=at + 4 * DAY)
    assert free(cup) == 8
    shop.stands(at + 4 * DAY, spendable=760)

    # Two are sent. In the night of the twentieth day what she has not spent lapses, and then a cup comes back: its
    # points live for the month of grace, and no longer.
    ship(cups.pk, carrier="SF", tracking_number="SF1", actor_id=shop.keeper, at=at + 5 * DAY)
    loyalty.run_nightly(at + 21 * DAY, at=at + 21 * DAY)
    shop.stands(at + 21 * DAY, spendable=0)
    take_back(cups.pk, 1, seen=0, restock=True, actor_id=shop.keeper, reason="Broken", at=at + 22 * DAY)
    assert free(cup) == 9
    shop.stands(at + 22 * DAY, spendable=120)
    loyalty.run_nightly(at + 60 * DAY, at=at + 60 * DAY)
    shop.stands(at + 60 * DAY, spendable=0)
