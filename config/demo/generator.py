"""Eighteen months of the demo shop, the same for the same seed and instant, written as the platform exports them."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from itertools import accumulate
from pathlib import Path
from random import Random
from zoneinfo import ZoneInfo

from config.demo import taobao
from config.demo.cast import CAST, cast_trades
from config.demo.people import Buyer, make_buyer
from config.demo.season import HOURS, day_weight
from config.demo.trades import Basket, Trade, plan_trade

SHOP_ZONE = ZoneInfo("Asia/Shanghai")
PERIOD = timedelta(days=548)
WEEK = timedelta(days=7)
SEED = 20_180_618
ORDERS = 12_000
MEMBERS = 2_000

_GROWTH = 0.6  # By so much the shop is busier at the end of the period than at its beginning.
_FIRST_NUMBER = 101  # Lower ones belong to the cast.
_FIRST_NO = 300_000_000_000
_FEWEST_REGULARS = 5
_HOUR_LIMITS = list(accumulate(HOURS))
_ALL_HOURS = range(24)


@dataclass(frozen=True, slots=True)
class ShopFiles:
    """Where the exports are. The refund list was exported a day after the others; ``week`` a week later."""

    orders: Path
    details: Path
    refunds: Path
    week: tuple[Path, ...]

    @property
    def all(self) -> tuple[Path, ...]:
        return (self.orders, self.details, self.refunds)


def write_orders(path: Path, *, orders: int, members: int, seed: int, until: datetime) -> None:
    """Write an order list of exactly ``orders`` rows by ``members`` buyers, newest first, as of ``until``."""
    wall = _wall_clock(until)
    trades = [trade for trade in plan(orders=orders, members=members, seed=seed, wall=wall) if trade.placed <= wall]
    taobao.write_order_list(path, reversed(trades), wall)


def write_shop(
    folder: Path, *, until: datetime, seed: int = SEED, orders: int = ORDERS, members: int = MEMBERS
) -> ShopFiles:
    """Write the three lists as of ``until`` into ``folder``, and into ``folder/next-week`` what a week more brings.

    The files of the next week have the new orders, the older ones to which something happened, and one row whose order
    number a spreadsheet has destroyed, to be refused. Nothing in them lies after ``until`` plus seven days.
    """
    wall = _wall_clock(until)
    later = wall + WEEK
    trades = plan(orders=orders, members=members, seed=seed, wall=wall)
    trades.reverse()
    known = [trade for trade in trades if trade.placed <= wall]
    moved = [trade for trade in trades if trade.moved_between(wall, later)]
    week = folder / "next-week"
    week.mkdir(parents=True, exist_ok=True)
    day, next_day = f"{wall:%Y%m%d%H%M}", f"{later:%Y%m%d%H%M}"
    files = ShopFiles(
        orders=folder / f"ExportOrderList{day}.csv",
        details=folder / f"ExportOrderDetailList{day}.csv",
        refunds=folder / f"ExportRefundList{day}.csv",
        week=tuple(week / f"Export{name}List{next_day}.csv" for name in ("Order", "OrderDetail", "Refund")),
    )
    taobao.write_order_list(files.orders, known, wall)
    taobao.write_detail_list(files.details, known, wall)
    taobao.write_refund_list(files.refunds, known, wall + timedelta(days=1))
    taobao.write_order_list(files.week[0], moved, later, damaged=1)
    taobao.write_detail_list(files.week[1], moved[1:], later)
    taobao.write_refund_list(files.week[2], moved, later)
    return files


def plan(*, orders: int, members: int, seed: int, wall: datetime) -> list[Trade]:
    """Return ``orders`` trades by ``members`` buyers placed by ``wall``, and those of the week after, oldest first.

    The cast is among them where there is room for it.
    """
    rng = Random(seed)
    cast = cast_trades(wall) if orders > 1000 else []
    strangers = members - len(CAST) if cast else members
    moments = _moments(rng, orders - len(cast), wall - PERIOD, wall)
    crowd = _Crowd(rng, orders=len(moments), members=strangers)
    share = _busyness(wall, wall + WEEK) / _busyness(wall - PERIOD, wall)
    moments += _moments(rng, round(orders * share), wall, wall + WEEK)
    basket = Basket()
    trades = cast
    for buyer, placed, number in zip(crowd.buyers(moments), moments, _numbers(rng), strict=False):
        no = number * 10**6 + buyer.number % 10**6
        trades.append(plan_trade(rng, no, buyer, basket.pick(rng, placed), placed))
    trades.sort(key=lambda trade: trade.placed)
    return trades


class _Crowd:
    """Says who places an order. Nearly half buy once, the others come back the oftener the more loyal they are."""

    def __init__(self, rng: Random, *, orders: int, members: int) -> None:
        self._rng = rng
        self._first_orders = {0, *rng.sample(range(1, max(orders, 1)), min(members, orders) - 1)}
        self._newcomer_share = members / max(orders, 1)
        self._orders = orders
        self._regulars: list[Buyer] = []

    def buyers(self, moments: list[datetime]) -> Iterator[Buyer]:
        """Yield the buyer of each order; the moments rise."""
        number = _FIRST_NUMBER
        latest: Buyer | None = None
        for position, placed in enumerate(moments):
            buyer = None if self._is_first(position) else self._returning(placed) or latest
            if buyer is None:
                buyer = latest = make_buyer(self._rng, number, placed, family=latest)
                number += 1
                self._regulars += [buyer] * buyer.loyalty
            yield buyer

    def _is_first(self, position: int) -> bool:
        if position < self._orders:
            return position in self._first_orders
        return self._rng.random() < self._newcomer_share

    def _returning(self, placed: datetime) -> Buyer | None:
        regulars = self._regulars
        while regulars:
            index = int(self._rng.random() * len(regulars))
            if regulars[index].leaves > placed or len(regulars) <= _FEWEST_REGULARS:
                return regulars[index]
            # Whoever has lost interest leaves the list, so that it does not fill up with them.
            regulars[index] = regulars[-1]
            regulars.pop()
        return None


def _moments(rng: Random, count: int, after: datetime, until: datetime) -> list[datetime]:
    """Return ``count`` rising instants in (after, until], denser on busy days and at busy hours."""
    days = [after.date() + timedelta(days=offset) for offset in range((until.date() - after.date()).days + 1)]
    limits = list(accumulate(day_weight(day) * (1 + _GROWTH * index / len(days)) for index, day in enumerate(days)))
    midnights = [datetime.combine(day, time.min) for day in days]
    moments: list[datetime] = []
    while len(moments) < count:
        missing = count - len(moments)
        hours = rng.choices(_ALL_HOURS, cum_weights=_HOUR_LIMITS, k=missing)
        for midnight, hour in zip(rng.choices(midnights, cum_weights=limits, k=missing), hours, strict=True):
            moment = midnight + timedelta(seconds=hour * 3600 + int(rng.random() * 3600))
            if after < moment <= until:
                moments.append(moment)
    moments.sort()
    return moments


def _busyness(after: datetime, until: datetime) -> float:
    days = (until - after).days
    return sum(day_weight((after + timedelta(days=offset)).date()) for offset in range(1, days + 1))


def _numbers(rng: Random) -> Iterator[int]:
    number = _FIRST_NO
    while True:
        number += 1 + int(rng.random() * 40_000)
        yield number


def _wall_clock(instant: datetime) -> datetime:
    return instant.astimezone(SHOP_ZONE).replace(tzinfo=None, microsecond=0)
