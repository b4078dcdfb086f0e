"""The people the stories are about, and the moment they happen at."""

from collections.abc import Callable
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from crm.models import Channel, Member
from tests.factories import ChannelFactory, IdentityFactory, MemberFactory

SHANGHAI = ZoneInfo("Asia/Shanghai")
NOON = datetime(2026, 3, 10, 12, 0, tzinfo=SHANGHAI)  # A Tuesday.

GivePoints = Callable[..., None]


@pytest.fixture
def at() -> datetime:
    """The moment a story happens at: Tuesday, 10 March 2026, noon in Shanghai."""
    return NOON


@pytest.fixture
def shop(db: None) -> Channel:
    """The Taobao shop that the cast buys from."""
    return ChannelFactory(code="tea", name="山间茶铺")


@pytest.fixture
def xiaolu(shop: Channel) -> Member:
    """林小鹿, who has bought often and whose address the seller knows."""
    member = MemberFactory(name="林小鹿", email="xiaolu@example.com")
    IdentityFactory(channel=shop, member=member, external_id="小鹿爱喝茶", name="林小鹿", phone="13800000001")
    return member


@pytest.fixture
def dayong(shop: Channel) -> Member:
    """王大勇, whose address only the platform told us."""
    member = MemberFactory(name="王大勇")
    IdentityFactory(channel=shop, member=member, external_id="dayong_w", name="王大勇", email="dayong@example.com")
    return member


@pytest.fixture
def give_points(at: datetime) -> GivePoints:
    """``give_points(member, 300)``: the shop gives a member points that he can spend at once."""
    from loyalty import api as loyalty

    gifts = 0

    def give(member: Member, points: int, *, expires_at: datetime | None = None) -> None:
        nonlocal gifts
        gifts += 1
        loyalty.adjust(
            member.pk, points, key=f"gift:{gifts}", at=at, reason="A gift", actor_id=None, expires_at=expires_at
        )

    return give
