"""The buyers whom the demo page offers to sign in as: each shows one thing worth seeing, by a script of his orders."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from config.demo.people import Buyer
from config.demo.trades import Line, Trade, give_back, price
from config.demo.wares import BY_CODE

_PER_CENT = 95
_FIRST_NO = 299_000_000_000


class Role(StrEnum):
    """What a buyer of the cast is there to show."""

    REGULAR = "regular"
    COLLECTOR = "collector"
    EXPIRING = "expiring"
    PENDING = "pending"
    NEWCOMER = "newcomer"
    DEBT = "debt"
    EMPTY = "empty"


@dataclass(frozen=True, slots=True)
class Scripted:
    """An order placed ``days`` before the export: shipped after one day, confirmed after six."""

    days: float
    codes: tuple[str, ...]
    paid: bool = True
    returned: bool = False  # All of it goes back just after the order list is exported, so the refund list tells first.


@dataclass(frozen=True, slots=True)
class Persona:
    role: Role
    nick: str
    name: str
    email: str
    orders: tuple[Scripted, ...]


_TEAS = (
    ("TEA-LONGJING-100",),
    ("TEA-XIAOZHONG-250", "BOWL-4"),
    ("TEA-ROUGUI-30",),
    ("TEA-ANJI-125", "CLOTH-3"),
    ("TEA-PUER-357", "WARE-GAIWAN-INK"),
)

CAST: tuple[Persona, ...] = (
    Persona(
        Role.REGULAR,
        "小鹿爱喝茶",
        "林小鹿",
        "linxiaolu@example.com",
        tuple(Scripted(days, _TEAS[days % len(_TEAS)]) for days in range(9, 540, 21)),
    ),
    Persona(
        Role.COLLECTOR,
        "知夏的小厨房",
        "陈知夏",
        "chenzhixia@example.com",
        (Scripted(15, ("POT-CLAY-25",)), Scripted(88, ("PAN-XUEPING-20",)), Scripted(160, ("TEA-SHOUMEI-300",))),
    ),
    Persona(
        Role.EXPIRING,
        "明远不加糖",
        "周明远",
        "zhoumingyuan@example.com",
        (
            Scripted(354, ("TEA-ROUGUI-30", "WARE-TRAVEL")),
            Scripted(322, ("TEA-XIAOZHONG-500",)),
            Scripted(70, ("JAR-S", "TEA-MOLI-50")),
        ),
    ),
    Persona(
        Role.PENDING,
        "予安去旅行",
        "沈予安",
        "shenyuan@example.com",
        (Scripted(1.6, ("WARE-ZISHA-180",)), Scripted(0.4, ("WARE-TRAY-S",))),
    ),
    Persona(
        Role.NEWCOMER,
        "小满慢慢来",
        "苏小满",
        "suxiaoman@example.com",
        (Scripted(7, ("TEA-TASTE-6", "WARE-GONGDAO")),),
    ),
    Persona(
        Role.DEBT,
        "婉清在山里",
        "何婉清",
        "hewanqing@example.com",
        (Scripted(40, ("PAN-IRON-28", "KNIFE-SANDE-17"), returned=True),),
    ),
    Persona(
        Role.EMPTY,
        "一诺囤货中",
        "唐一诺",
        "tangyinuo@example.com",
        (Scripted(20, ("TEA-JUHUA-80",), paid=False),),
    ),
)


def cast_trades(until: datetime) -> list[Trade]:
    """Return every order of the cast; ``until`` is the shop's wall clock at which the orders are exported."""
    trades: list[Trade] = []
    for number, persona in enumerate(CAST, start=1):
        buyer = Buyer(
            number=number,
            nick=persona.nick,
            name=persona.name,
            account=persona.email,
            phone=f"139{number:08d}",
            address=f"浙江省 杭州市 西湖区 示例路{number}号(310000)",
            loyalty=0,
            leaves=until,
        )
        for scripted in persona.orders:
            no = (_FIRST_NO + len(trades)) * 10**6 + number
            trades.append(_trade(no, buyer, scripted, until))
    return trades


def _trade(no: int, buyer: Buyer, scripted: Scripted, until: datetime) -> Trade:
    lines = tuple(Line(*BY_CODE[code], quantity=1) for code in scripted.codes)
    goods, postage = price(lines, _PER_CENT)
    placed = (until - timedelta(days=scripted.days)).replace(microsecond=0)
    if not scripted.paid:
        closed = placed + timedelta(hours=20)
        return Trade(no, buyer, lines, goods, postage, placed, closed=closed, close_reason="买家未付款")
    trade = Trade(
        no,
        buyer,
        lines,
        goods,
        postage,
        placed,
        paid=placed + timedelta(seconds=95),
        shipped=placed + timedelta(days=1),
        completed=placed + timedelta(days=6),
    )
    if not scripted.returned:
        return trade
    asked, settled = until - timedelta(hours=20), until + timedelta(hours=12)
    return give_back(
        trade, trade.total, asked.replace(microsecond=0), settled.replace(microsecond=0), reason="商品与描述不符"
    )
