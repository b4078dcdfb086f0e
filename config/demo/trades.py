"""A trade of the demo shop from its first instant to its last, planned in one go.

An export shows the trade as it stood at some instant, so that two exports of one shop, a week apart, tell one story.
Instants are naive datetimes on the shop's wall clock, as the platform writes them; money is in fen.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from random import Random

from config.demo.people import Buyer
from config.demo.season import price_level
from config.demo.wares import WARES, Choice, Ware

FREE_POSTAGE_FROM = 9900
POSTAGE = 800

_UNPAID = "买家未付款"
_RETURNED = "退款"
_REASONS = (
    "七天无理由退换货",
    "收到商品少件/破损",
    "拍错/多拍/不想要",
    "商品与描述不符",
    "快递一直未送达",
    "协商一致退款",
)
_MESSAGES = (
    "麻烦放菜鸟驿站，谢谢",
    "请发顺丰，可补差价",
    '送人的，请写上"新婚快乐"',
    "周末在家再送",
    "不要放价格单",
    "包装结实一点，上次碎了，谢谢老板",
)
_REMARKS = ("老客户，多放一包试喝", "已电话确认地址", "补发茶漏一个", "12.5 备注：发京东")
_LINE_COUNTS = (1,) * 14 + (2,) * 4 + (3,) * 2
_QUANTITIES = (1,) * 16 + (2,) * 3 + (3,)
# What becomes of a trade, by a number drawn between 0 and 1: each name is where its share ends.
_NEVER_PAID = 0.04
_UNSHIPPED_WHOLE = 0.06
_SHIPPED_WHOLE = 0.085
_EARLY_PART = 0.105
_LATE_PART = 0.115
_WITHDRAWN = 0.125
_AUTO_CONFIRM = timedelta(days=10)


@dataclass(frozen=True, slots=True)
class Line:
    ware: Ware
    choice: Choice
    quantity: int


@dataclass(frozen=True, slots=True)
class Return:
    """A buyer's wish to get money back. ``granted`` is false when he withdrew it or the shop refused."""

    no: int
    amount: int
    whole: bool
    asked: datetime
    settled: datetime
    granted: bool
    goods_back: bool
    reason: str


@dataclass(frozen=True, slots=True)
class Trade:
    """``goods`` and ``postage`` are what the buyer is asked to pay. An instant is ``None`` when it never comes."""

    no: int
    buyer: Buyer
    lines: tuple[Line, ...]
    goods: int
    postage: int
    placed: datetime
    paid: datetime | None = None
    shipped: datetime | None = None
    completed: datetime | None = None
    closed: datetime | None = None
    close_reason: str = ""
    back: Return | None = None
    message: str = ""
    remark: str = ""
    mobile: bool = True

    @property
    def total(self) -> int:
        return self.goods + self.postage

    def moved_between(self, after: datetime, until: datetime) -> bool:
        """Say whether anything happened to the trade after ``after`` and not after ``until``."""
        settled = self.back.settled if self.back else None
        moments = (self.placed, self.paid, self.shipped, self.completed, self.closed, settled)
        return any(moment is not None and after < moment <= until for moment in moments)


class Basket:
    """Picks wares by how often they are bought in the month of the order."""

    def __init__(self) -> None:
        self._by_month: dict[int, list[Ware]] = {
            month: [ware for ware in WARES for _ in range(ware.weight * (3 if month in ware.season else 1))]
            for month in range(1, 13)
        }

    def pick(self, rng: Random, placed: datetime) -> tuple[Line, ...]:
        """Return one to three lines, no variant twice."""
        chosen: dict[str, Line] = {}
        for _ in range(rng.choice(_LINE_COUNTS)):
            ware = rng.choice(self._by_month[placed.month])
            choice = ware.choices[int(len(ware.choices) * rng.random() ** 1.6)]
            chosen.setdefault(choice.code, Line(ware, choice, rng.choice(_QUANTITIES)))
        return tuple(chosen.values())


def price(lines: tuple[Line, ...], per_cent: int) -> tuple[int, int]:
    """Return what the goods cost at ``per_cent`` of the list price, rounded down to a fen, and the postage."""
    goods = sum(line.choice.price * line.quantity for line in lines) * per_cent // 100
    return goods, 0 if goods >= FREE_POSTAGE_FROM else POSTAGE


def plan_trade(rng: Random, no: int, buyer: Buyer, lines: tuple[Line, ...], placed: datetime) -> Trade:
    """Plan the whole life of a trade: most are paid at once, shipped next day and confirmed within two weeks."""
    goods, postage = price(lines, rng.randint(*price_level(placed.date())))
    message = rng.choice(_MESSAGES) if rng.random() < 0.05 else ""
    remark = rng.choice(_REMARKS) if rng.random() < 0.04 else ""
    mobile = rng.random() < 0.85
    fate = rng.random()
    if fate < _NEVER_PAID:
        return Trade(
            no, buyer, lines, goods, postage, placed,
            closed=placed + timedelta(seconds=rng.randint(600, 86_400)),
            close_reason=_UNPAID, message=message, remark=remark, mobile=mobile,
        )  # fmt: skip
    paid = placed + timedelta(seconds=round(min(rng.paretovariate(0.9) * 8, 80_000)))
    shipped = paid + timedelta(seconds=rng.randint(3 * 3600, 44 * 3600))
    completed = shipped + min(timedelta(seconds=round(rng.gauss(5.5, 2.2) * 86_400)), _AUTO_CONFIRM)
    completed = max(completed, shipped + timedelta(seconds=rng.randint(86_400, 129_600)))
    trade = Trade(
        no, buyer, lines, goods, postage, placed, paid, shipped, completed,
        message=message, remark=remark, mobile=mobile,
    )  # fmt: skip
    return trade if fate >= _WITHDRAWN else _with_return(rng, trade, fate)


def _with_return(rng: Random, trade: Trade, fate: float) -> Trade:
    """Plan what goes back: all, before or after shipping, or a part, or nothing since the wish was withdrawn."""
    if trade.paid is None or trade.shipped is None or trade.completed is None:
        raise ValueError("only a trade that runs its whole course can be returned")
    whole = fate < _SHIPPED_WHOLE
    if fate < _UNSHIPPED_WHOLE:
        asked = _between(rng, trade.paid, trade.shipped)
        settled = _between(rng, asked, trade.shipped)
    elif fate < _EARLY_PART:
        asked = _between(rng, trade.shipped, trade.completed)
        settled = _between(rng, asked, trade.completed)
    else:
        asked = trade.completed + timedelta(seconds=rng.randint(3600, 12 * 86_400))
        settled = asked + timedelta(seconds=rng.randint(3600, 6 * 86_400))
    amount = trade.total if whole else max(100, trade.goods * rng.randint(10, 60) // 100)
    return give_back(trade, amount, asked, settled, reason=rng.choice(_REASONS), granted=fate < _LATE_PART)


def give_back(
    trade: Trade, amount: int, asked: datetime, settled: datetime, *, reason: str, granted: bool = True
) -> Trade:
    """Return the trade with money going back. All of it closes a trade that was not completed by then."""
    whole = amount == trade.total
    unshipped = trade.shipped is None or asked < trade.shipped
    back = Return(
        no=trade.no // 1000,  # Still unique: what falls away is the end of the buyer's number.
        amount=amount,
        whole=whole,
        asked=asked,
        settled=settled,
        granted=granted,
        goods_back=whole and not unshipped,
        reason=reason,
    )
    if not whole or not granted:
        return replace(trade, back=back)
    return replace(
        trade,
        shipped=None if unshipped else trade.shipped,
        completed=trade.completed if trade.completed is not None and trade.completed < settled else None,
        closed=settled,
        close_reason=_RETURNED,
        back=back,
    )


def _between(rng: Random, first: datetime, last: datetime) -> datetime:
    return first + timedelta(seconds=round((last - first).total_seconds() * rng.uniform(0.1, 0.85)))
