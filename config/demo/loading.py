"""Putting the demo shop into an empty database, the way a seller would: by importing the platform's exports."""

import shutil
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from random import Random

from django.db import transaction

from config.demo.cast import CAST, Role
from config.demo.generator import MEMBERS, ORDERS, SEED, WEEK, ShopFiles, write_shop
from config.demo.programme import publish_rules
from config.demo.rewards import stock_store
from config.demo.standing import give_standing, publish_tiers
from config.demo.wares import SHOP_NAME
from crm.choices import Platform
from crm.imports import pipeline
from crm.imports.counts import Counts
from crm.models import Channel, Identity, Member, Order, User
from crm.tiers.defaults import make_usual_tiers
from loyalty import api as loyalty
from redemption import desk
from redemption.checkout import redeem_coupon
from redemption.choices import CodeSource
from redemption.coupons.voiding import void_coupons
from redemption.models import Coupon, CouponPlan, Denomination, PlanWindow, PoolCode
from redemption.tokens import new_token

CHANNEL_CODE = "demo"
_CASHIER = "demo-cashier"
# What the cast turns into coupons, in yuan, and how many of those are used at once.
_TAKEN: dict[Role, tuple[tuple[int, ...], int]] = {
    Role.REGULAR: ((50, 20), 1),
    Role.COLLECTOR: ((20, 10, 5), 1),
    Role.DEBT: ((50,), 1),
}
_OTHER_TAKERS = 40
_USED_SHARE = 0.4
_POOL_CODES = 30
_POOL_TAKERS = 12


class OtherData(Exception):
    """The database holds members or orders that are not the demo's."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """What was loaded. ``week`` are the files to practise an import with."""

    counts: Counts
    coupons: int
    expired_points: int
    week: tuple[Path, ...]


def load_demo(folder: Path, *, at: datetime, orders: int = ORDERS, members: int = MEMBERS) -> Loaded | None:
    """Write the demo shop's exports into ``folder`` and import them; ``None`` when the demo is there already.

    Whatever is in the folder gives way. The exports are those of a week before ``at``, so that the files of the week
    after can be imported at once. All of it is one transaction: the demo is there as a whole or not at all. Raises
    OtherData when the database holds a member or an order that is not the demo's.
    """
    with transaction.atomic():
        channel, _created = Channel.objects.get_or_create(
            code=CHANNEL_CODE, defaults={"name": SHOP_NAME, "platform": Platform.TAOBAO}
        )
        # Of two commands at once the second waits here, and then finds what the first has loaded.
        Channel.objects.select_for_update().get(pk=channel.pk)
        if _is_loaded(channel):
            return None
        if Member.objects.exists() or Order.objects.exists():
            raise OtherData
        shutil.rmtree(folder, ignore_errors=True)  # What is left of a former database.
        make_usual_tiers()
        files = write_shop(folder, until=at - WEEK, orders=orders, members=members)
        return _load(channel, files, at)


def _is_loaded(channel: Channel) -> bool:
    return Identity.objects.filter(channel=channel, external_id=CAST[0].nick).exists()


def _load(channel: Channel, files: ShopFiles, at: datetime) -> Loaded:
    publish_rules(at)
    plan, pooled = _make_plans(at)
    counts = Counts()
    for path in (files.orders, files.details):
        counts.add(_import(channel, path, at))
    expired = loyalty.expire_due(at)
    coupons = _take_coupons(channel, plan, pooled, at)
    stock_store(channel, at, actor_id=_cashier().pk)
    # Last, so that one of the cast has already spent what this list takes back.
    counts.add(_import(channel, files.refunds, at))
    publish_tiers(at)
    give_standing(channel, at)
    return Loaded(counts=counts, coupons=coupons, expired_points=expired.points, week=files.week)


def _import(channel: Channel, path: Path, at: datetime) -> Counts:
    return pipeline.run_file(pipeline.Source(path, channel), at=at)


def _make_plans(at: datetime) -> tuple[CouponPlan, CouponPlan]:
    """Make the shop's coupon plans; return the one that is always offered, and the one whose codes are a platform's."""
    standing = CouponPlan.objects.create(
        name="山野红包",
        description="每单限用一个，可与店铺活动同享。",
        points_per_yuan=10,
        validity_days=90,
        least_yuan=1,
        most_yuan=200,
    )
    festival = CouponPlan.objects.create(
        name="采茶节红包",
        description="采茶节期间兑换更划算，全店通用，领取后 30 天内有效。",
        points_per_yuan=10,
        validity_days=30,
        starts_at=at - timedelta(days=2),
        ends_at=at + timedelta(days=14),
        limit_window=5,
        budget_yuan=20_000,
    )
    PlanWindow.objects.create(
        plan=festival, name="采茶节", points_per_yuan=5, starts_at=at - timedelta(days=2),
        ends_at=at + timedelta(days=5), limit=2,
    )  # fmt: skip
    pooled = CouponPlan.objects.create(
        name="店铺平台券",
        description="兑换后在店铺下单时填写券码。",
        points_per_yuan=10,
        validity_days=60,
        source=CodeSource.POOL,
        low_codes=20,
        limit_day=1,
    )
    offered = [(standing, (5, 10, 20, 50)), (festival, (20, 100)), (pooled, (5, 10))]
    Denomination.objects.bulk_create(Denomination(plan=plan, yuan=yuan) for plan, values in offered for yuan in values)
    # The first of them is over the moment after it is taken, so that the demo has an expired coupon too.
    ends = [at + timedelta(seconds=1), *([None] * (_POOL_CODES - 1))]
    PoolCode.objects.bulk_create(
        PoolCode(plan=pooled, yuan=yuan, code=f"TB{yuan:02}{number:06}", valid_until=end, added_at=at)
        for yuan in (5, 10)
        for number, end in enumerate(ends, start=1)
    )
    return standing, pooled


def _take_coupons(channel: Channel, plan: CouponPlan, pooled: CouponPlan, at: datetime) -> int:
    """Let the cast and some of the richest buyers take coupons, use some of them and make one void. Returns how many
    were taken."""
    cashier = _cashier()
    taken = 0
    for persona in CAST:
        values, used = _TAKEN.get(persona.role, ((), 0))
        if not values:
            continue
        member = Member.objects.get(identities__channel=channel, identities__external_id=persona.nick)
        coupons = [_take(member.pk, plan, yuan, at) for yuan in values]
        for coupon in coupons[:used]:
            desk.use(coupon.code, actor_id=cashier.pk, at=at)
        taken += len(coupons)
    rng = Random(SEED)
    from_pool = [_take(member_id, pooled, 5, at).pk for member_id, _balance in _richest(channel)[:_POOL_TAKERS]]
    void_coupons(from_pool[-1:], reason="买家换了收货账号，重新兑换", actor_id=cashier.pk, at=at)
    taken += len(from_pool)
    for member_id, balance in _richest(channel):
        coupon = _take(member_id, plan, rng.choice([yuan for yuan in (5, 10, 20, 50) if yuan * 10 <= balance]), at)
        if rng.random() < _USED_SHARE:
            desk.use(coupon.code, actor_id=cashier.pk, at=at)
        taken += 1
    return taken


def _cashier() -> User:
    cashier, _created = User.objects.get_or_create(
        username=_CASHIER, defaults={"first_name": "前台", "is_active": False}
    )
    return cashier


def _richest(channel: Channel) -> list[tuple[int, int]]:
    """Return (member, balance) of those outside the cast who have the most points, and enough for a coupon."""
    rows = Member.objects.filter(identities__channel=channel, account__balance__gte=50)
    outsiders = rows.exclude(identities__external_id__in=[persona.nick for persona in CAST])
    return list(outsiders.order_by("-account__balance", "pk").values_list("pk", "account__balance")[:_OTHER_TAKERS])


def _take(member_id: int, plan: CouponPlan, yuan: int, at: datetime) -> Coupon:
    token = new_token(member_id, plan.pk, yuan, yuan * plan.points_per_yuan, at=at)
    return redeem_coupon(member_id, plan.pk, yuan, token=token, at=at)
