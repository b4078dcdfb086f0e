"""What the demo shop gives for points, with pictures that were drawn for it, and what its cast has taken."""

import hashlib
import shutil
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from config.demo import activity
from config.demo.cast import CAST, Role
from crm.models import Channel, Member, Tier
from redemption.models import Reward, RewardCategory, RewardCode, RewardPicture
from redemption.rewards.addresses import Destination, keep_address
from redemption.rewards.checkout import redeem
from redemption.rewards.choices import RewardKind, Visibility
from redemption.rewards.giving_back import cancel_own
from redemption.rewards.handling import ship
from redemption.rewards.opening import open_wish
from redemption.rewards.pictures import WIDTHS, picture_file
from redemption.rewards.stocking import change_stock

_PICTURES = Path(__file__).parent / "pictures"  # Each in the three sizes of the store.
_LARGEST = 1280  # Pixels, on both sides.
_HOME = Destination("林小鹿", "13900000001", "浙江省 杭州市 西湖区", "示例路 1 号 3 幢 402 室")


@dataclass(frozen=True, slots=True)
class Good:
    """A reward of the demo: its picture's name, its shelf and its columns; ``pieces`` of it are in stock. ``key`` is
    what it is called here where the picture is another one's, too."""

    picture: str
    shelf: str
    columns: dict[str, Any]
    pieces: int = 0
    codes: tuple[str, ...] = field(default=())
    key: str = ""


def _goods(at: datetime) -> tuple[Good, ...]:
    return (_sample(at), *_parcels(), *_without_parcels(at))


def _sample(at: datetime) -> Good:
    """What the running activity is about."""
    starts_at, ends_at = activity.window(at)
    return Good(
        "tin", "茶叶",
        {
            "name": "限时抢兑：明前龙井 10 克试饮装", "points": activity.POINTS, "list_price": Decimal("19.90"),
            "starts_at": starts_at, "ends_at": ends_at, "limit_window": 1, "most_at_once": 1,
            "description": "采茶节限时活动，每人限兑一份，先到先得。",
        },
        pieces=60, key="sample",
    )  # fmt: skip


def _parcels() -> tuple[Good, ...]:
    """What is sent, from the tea room's shelves."""
    return (
        Good(
            "cups", "茶器",
            {
                "name": "青瓷品茗杯一对", "points": 380, "list_price": Decimal(68), "limit_ever": 3,
                "description": "手工拉坯，月白釉与梅子青各一只，附棉麻收纳袋。\n每只约 60 毫升，釉色略有差异属正常。",
            },
            pieces=36,
        ),
        Good(
            "teapot", "茶器",
            {
                "name": "宜兴紫砂壶 西施 180 毫升", "points": 260, "cash": Decimal(39), "list_price": Decimal(388),
                "limit_window": 1, "most_at_once": 1, "pay_hours": 48,
                "description": "清水泥，全手工，附收藏证书。积分加 39 元换购，现金部分照常累积积分。",
            },
            pieces=8,
        ),
        Good(
            "tin", "茶叶",
            {
                "name": "明前龙井 50 克罐装", "points": 1280, "list_price": Decimal(128), "limit_day": 1,
                "description": "当季新茶，手工炒制，密封罐装。",
            },
            pieces=12,
        ),
        Good(
            "cloth", "茶器",
            {
                "name": "蓝染棉麻茶巾", "points": 90, "list_price": Decimal("25.90"), "limit_day": 4,
                "description": "吸水加厚，植物染色，首次使用请单独清洗。",
            },
            pieces=150,
        ),
        Good(
            "box", "茶叶",
            {
                "name": "至尊会员新茶礼盒", "points": 2600, "list_price": Decimal(298), "limit_ever": 1,
                "visibility": Visibility.TEASER, "description": "红茶与白茶双罐，附手写贺卡，仅限至尊VIP会员。",
            },
            pieces=20,
        ),
    )  # fmt: skip


def _without_parcels(at: datetime) -> tuple[Good, ...]:
    """Codes, a ticket that begins in three days, and a donation."""
    return (
        Good(
            "card", "卡券",
            {
                "name": "视频会员月卡", "kind": RewardKind.DIGITAL, "points": 150, "counted": False,
                "list_price": Decimal(25), "limit_day": 1,
                "description": "兑换后立即显示兑换码，30 天内在视频平台激活。",
            },
            codes=tuple(f"SPYK-{number:04}-{number * 7919 % 9000 + 1000}" for number in range(1, 41)),
        ),
        Good(
            "ticket", "卡券",
            {
                "name": "茶园一日体验券", "kind": RewardKind.TICKET, "points": 800, "list_price": Decimal(168),
                "starts_at": at + timedelta(days=3), "ends_at": at + timedelta(days=10), "limit_window": 2,
                "description": "采茶、炒茶、品茶，含午餐。请提前一天与客服预约。",
            },
            pieces=30,
        ),
        Good(
            "tree", "公益",
            {
                "name": "为茶山种一棵树", "kind": RewardKind.DONATION, "points": 50, "counted": False,
                "most_at_once": 20, "description": "每 50 积分，店铺向合作林场捐种一棵树苗。",
            },
        ),
    )  # fmt: skip


def stock_store(channel: Channel, at: datetime, *, actor_id: int) -> int:
    """Put rewards into the store and let the cast take some of them; return how many redemptions there are."""
    shelves = {
        name: RewardCategory.objects.create(name=name, position=place)
        for place, name in enumerate(("茶器", "茶叶", "卡券", "公益"))
    }
    rewards = {}
    for place, good in enumerate(_goods(at)):
        reward = Reward.objects.create(**good.columns, category=shelves[good.shelf], position=place)
        if good.pieces:
            came_at = min(good.columns.get("starts_at", at), at)
            change_stock(reward.pk, good.pieces, reason="首批入库", actor_id=actor_id, at=came_at)
        RewardCode.objects.bulk_create(RewardCode(reward=reward, code=code, added_at=at) for code in good.codes)
        _hang(reward, good.picture)
        rewards[good.key or good.picture] = reward
    Reward.objects.filter(pk=rewards["box"].pk).update(min_tier=Tier.objects.order_by("-rank").first())
    return activity.let_take_part(channel, rewards["sample"], at) + _take(channel, rewards, at, actor_id)


def _hang(reward: Reward, picture: str) -> None:
    """Copy a picture in its sizes to where the store serves it from."""
    name = hashlib.sha256((_PICTURES / f"{picture}-{_LARGEST}.webp").read_bytes()).hexdigest()
    for width in WIDTHS:
        path = picture_file(name, width)
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(_PICTURES / f"{picture}-{width}.webp", path)
    RewardPicture.objects.create(reward=reward, name=name, width=_LARGEST, height=_LARGEST, alt=reward.name)


def _take(channel: Channel, rewards: dict[str, Reward], at: datetime, actor_id: int) -> int:
    """The regular has one redemption in each of several states."""
    [nick] = [persona.nick for persona in CAST if persona.role is Role.REGULAR]
    member = Member.objects.get(identities__channel=channel, identities__external_id=nick)
    home = keep_address(member.pk, _HOME, preferred=True, at=at)

    def take(name: str, quantity: int = 1) -> int:
        token = open_wish(member.pk, Reward.objects.get(pk=rewards[name].pk), at).token()
        return redeem(member.pk, rewards[name].pk, quantity, token=token, address_id=home.pk, at=at).redemption_id

    ship(take("cups"), carrier="顺丰速运", tracking_number="SF1390000000001", actor_id=actor_id, at=at)
    take("card")
    cancel_own(take("cloth", 2), 1, seen=0, member_id=member.pk, actor_id=None, at=at)
    take("teapot")
    return 4
