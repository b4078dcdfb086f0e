"""What the stories of rewards share."""

from collections.abc import Callable
from datetime import datetime

import pytest

from crm.models import Member
from loyalty import api as loyalty
from redemption.models import Address, Redemption, Reward
from redemption.rewards.checkout import Redeemed, redeem
from redemption.rewards.opening import open_wish
from tests.factories import AddressFactory, StaffFactory

Page = Callable[..., str]
Take = Callable[..., Redeemed]


@pytest.fixture
def keeper(db: None) -> int:
    """The person who minds the store."""
    return int(StaffFactory().pk)


@pytest.fixture
def home_of() -> Callable[[Member], Address]:
    """``home_of(member)``: where his parcels go; made when it is first asked for."""

    def home_of(member: Member) -> Address:
        return Address.objects.filter(member=member).first() or AddressFactory(member=member)

    return home_of


@pytest.fixture
def shown(at: datetime) -> Page:
    """``shown(member, reward)``: the token of a page that shows the reward to him."""

    def shown(member: Member, reward: Reward, *, opened: datetime = at) -> str:
        return open_wish(member.pk, Reward.objects.get(pk=reward.pk), opened).token()

    return shown


@pytest.fixture
def take(at: datetime, shown: Page, home_of: Callable[[Member], Address]) -> Take:
    """``take(member, reward, 2)``: he opens the page and agrees to it."""

    def take(member: Member, reward: Reward, quantity: int = 1, *, token: str = "", at: datetime = at) -> Redeemed:
        return redeem(
            member.pk, reward.pk, quantity, token=token or shown(member, reward, opened=at),
            address_id=home_of(member).pk, at=at,
        )  # fmt: skip

    return take


def redemption_of(taken: Redeemed) -> Redemption:
    return Redemption.objects.get(pk=taken.redemption_id)


def free(reward: Reward) -> int:
    """How many pieces can be redeemed."""
    return Reward.objects.select_related("stock").get(pk=reward.pk).stock.free


def spendable(member: Member, at: datetime) -> int:
    """How many points he can spend."""
    return loyalty.summary(member.pk, at).spendable
