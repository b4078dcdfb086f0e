"""The seller's back office: order list, detail list and refund list, as the platform exported them from 2018 on.

Everything that makes those files awkward is here on purpose: GBK, header cells with a blank behind them, numbers
written ``="…"`` and phones written ``'…``, the remark ``'null``, an amount with its unit (``0元``), a cell too many in
every row of the detail list, and a paid amount from which refunds are already taken off.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path

from config.demo.trades import Trade
from config.demo.wares import SHOP_NAME

ENCODING = "gbk"
_CARRIERS = ("圆通速递", "中通快递", "韵达快递", "顺丰速运", "邮政快递包裹")

# Header and cell of every column. ``%(name)s`` is filled in per row, everything else is the same in all rows.
_ORDER_COLUMNS = (
    ("订单编号", '="%(no)s"'),
    ("买家会员名", '"%(nick)s"'),
    ("买家支付宝账号", '"%(account)s"'),
    ("买家应付货款", '"%(goods)s"'),
    ("买家应付邮费", '"%(postage)s"'),
    ("买家支付积分", '"0"'),
    ("总金额", '"%(total)s"'),
    ("返点积分", '"0"'),
    ("买家实际支付金额", '"%(kept)s"'),
    ("买家实际支付积分", '"0"'),
    ("订单状态", '"%(status)s"'),
    ("买家留言", '"%(message)s"'),
    ("收货人姓名", '"%(name)s"'),
    ("收货地址 ", '"%(address)s"'),
    ("运送方式", '"快递"'),
    ("联系电话 ", '""'),
    ("联系手机", '"\'%(phone)s"'),
    ("订单创建时间", '"%(placed)s"'),
    ("订单付款时间 ", '"%(paid)s"'),
    ("宝贝标题 ", '"%(title)s"'),
    ("宝贝种类 ", '"%(kinds)s"'),
    ("物流单号 ", '"%(parcel)s"'),
    ("物流公司", '"%(carrier)s"'),
    ("订单备注", '"%(remark)s"'),
    ("宝贝总数量", '"%(pieces)s"'),
    ("店铺Id", '"0"'),
    ("店铺名称", f'"{SHOP_NAME}"'),
    ("订单关闭原因", '"%(close_reason)s"'),
    ("卖家服务费", '"0"'),
    ("买家服务费", '"0元"'),
    ("发票抬头", '""'),
    ("是否手机订单", '"%(mobile)s"'),
    ("分阶段订单信息", '""'),
    ("特权订金订单id", '=""'),
    ("是否上传合同照片", '"否"'),
    ("是否上传小票", '"否"'),
    ("是否代付", '"否"'),
    ("定金排名", '""'),
    ("修改后的sku", '""'),
    ("修改后的收货地址", '""'),
    ("异常信息", '""'),
    ("天猫卡券抵扣", '""'),
    ("集分宝抵扣", '""'),
    ("是否是O2O交易", '""'),
    ("新零售交易类型", '""'),
    ("新零售导购门店名称", '""'),
    ("新零售导购门店id", '""'),
    ("新零售发货门店名称", '""'),
    ("新零售发货门店id", '""'),
    ("退款金额", '"%(refunded)s"'),
    ("预约门店", '""'),
    ("确认收货时间", '"%(completed)s"'),
    ("打款商家金额", '"%(settled)s元"'),
    ("含应开票给个人的个人红包", '"0"'),
)
_DETAIL_COLUMNS = (
    ("订单编号", '="%(no)s"'),
    ("标题", '"%(title)s"'),
    ("价格", '"%(price)s"'),
    ("购买数量", '"%(quantity)s"'),
    ("外部系统编号", '"%(code)s"'),
    ("商品属性", '"%(options)s"'),
    ("套餐信息", '""'),
    ("备注", '""'),
    ("订单状态", '"%(status)s"'),
    ("商家编码", '"%(code)s"'),
)
_REFUND_COLUMNS = (
    ("订单编号", '="%(no)s"'),
    ("退款编号", '="%(refund_no)s"'),
    ("支付宝交易号", '="%(payment_no)s"'),
    ("订单付款时间", '"%(paid)s"'),
    ("商家编码", '"%(code)s"'),
    ("退款完结时间", '"%(settled)s"'),
    ("买家会员名称", '"%(nick)s"'),
    ("买家实际支付金额", '"%(total)s"'),
    ("宝贝标题", '"%(title)s"'),
    ("买家退款金额", '"%(amount)s"'),
    ("手工退款/系统退款", '"手工退款"'),
    ("是否需要退货", '"%(goods_back)s"'),
    ("退款的申请时间", '"%(asked)s"'),
    ("超时时间", '""'),
    ("退款状态", '"%(status)s"'),
    ("货物状态", '"%(goods_state)s"'),
    ("退货物流信息", '""'),
    ("发货物流信息", '""'),
    ("客服介入状态", '"不需客服介入"'),
    ("卖家真实姓名", '""'),
    ("卖家退货地址", '""'),
    ("卖家邮编", '""'),
    ("卖家电话", '""'),
    ("卖家手机", '""'),
    ("退货物流单号", '""'),
    ("退货物流公司", '""'),
    ("买家退款原因", '"%(reason)s"'),
    ("买家退款说明", '""'),
    ("买家退货时间", '""'),
    ("责任方", '""'),
    ("售中或售后", '"%(when)s"'),
    ("商家备注", '""'),
    ("完结时间", '"%(settled)s"'),
    ("部分退款/全部退款", '"%(extent)s"'),
    ("审核操作人", '""'),
    ("举证超时", '""'),
    ("是否零秒响应", '"否"'),
    ("退款操作人", '""'),
)
_Columns = tuple[tuple[str, str], ...]


def write_order_list(path: Path, trades: Iterable[Trade], at: datetime, *, damaged: int = 0) -> None:
    """Write the order list as it stood at ``at``; trades not placed by then are left out.

    The first ``damaged`` rows carry their number as a spreadsheet shows it (``3.51531E+17``), which loses it.
    """
    _write(path, _ORDER_COLUMNS, (_order_row(trade, at) for trade in trades if trade.placed <= at), damaged=damaged)


def write_detail_list(path: Path, trades: Iterable[Trade], at: datetime) -> None:
    """Write the detail list as it stood at ``at``: one row for every line of an order."""
    rows = (row for trade in trades if trade.placed <= at for row in _detail_rows(trade, at))
    _write(path, _DETAIL_COLUMNS, rows, end=",\r\n")


def write_refund_list(path: Path, trades: Iterable[Trade], at: datetime) -> None:
    """Write the refund list as it stood at ``at``: everything that buyers had asked back by then."""
    rows = (row for trade in trades for row in _refund_rows(trade, at))
    _write(path, _REFUND_COLUMNS, rows)


def _write(
    path: Path, columns: _Columns, rows: Iterable[dict[str, object]], *, end: str = "\r\n", damaged: int = 0
) -> None:
    row_template = ",".join(cell for _, cell in columns) + end
    with path.open("w", encoding=ENCODING, newline="") as file:
        file.write(",".join(f'"{header}"' for header, _ in columns) + "\r\n")
        for number, row in enumerate(rows):
            line = row_template % row
            if number < damaged:
                line = line.replace(f'="{row["no"]}"', f'"{float(str(row["no"])):.5E}"', 1)
            file.write(line)


def _order_row(trade: Trade, at: datetime) -> dict[str, object]:
    paid, shipped, completed, closed = _reached(trade, at)
    back = trade.back if trade.back and trade.back.granted and trade.back.settled <= at else None
    refunded = back.amount if back else 0
    kept = trade.total - refunded if paid else 0
    buyer = trade.buyer
    return {
        "no": trade.no,
        "nick": buyer.nick,
        "account": buyer.account,
        "goods": _yuan(trade.goods),
        "postage": _yuan(trade.postage),
        "total": _yuan(trade.total),
        "kept": _yuan(kept),
        "status": _status(trade, at),
        "message": trade.message.replace('"', '""'),
        "name": buyer.name,
        "address": buyer.address,
        "phone": buyer.phone,
        "placed": trade.placed,
        "paid": paid or "",
        "title": "，".join(line.ware.title for line in trade.lines),
        "kinds": len(trade.lines),
        "parcel": f"No:YT{trade.no % 10**13:013d}" if shipped else "",
        "carrier": _CARRIERS[trade.no // 1_000_000 % len(_CARRIERS)] if shipped else "",
        "remark": f"'{trade.remark}" if trade.remark else "'null",
        "pieces": sum(line.quantity for line in trade.lines),
        "close_reason": trade.close_reason if closed else "订单未关闭",
        "mobile": "手机订单" if trade.mobile else "",
        "refunded": _yuan(refunded),
        "completed": completed or "",
        "settled": _yuan(kept) if completed else "0",
    }


def _detail_rows(trade: Trade, at: datetime) -> Iterator[dict[str, object]]:
    for line in trade.lines:
        yield {
            "no": trade.no,
            "title": line.ware.title,
            "price": _yuan(line.choice.price),
            "quantity": line.quantity,
            "code": line.choice.code,
            "options": line.choice.options,
            "status": _status(trade, at),
        }


def _refund_rows(trade: Trade, at: datetime) -> Iterator[dict[str, object]]:
    back = trade.back
    if back is None or back.asked > at:
        return
    settled = back.settled <= at
    status = "买家已经申请退款，等待卖家同意"
    if settled:
        status = "退款成功" if back.granted else "退款关闭"
    sent = trade.shipped is not None and trade.shipped <= back.asked
    yield {
        "no": trade.no,
        "refund_no": back.no,
        "payment_no": f"{back.asked:%Y%m%d}22001{trade.no % 10**15:015d}",
        "paid": trade.paid or "",
        "code": trade.lines[0].choice.code,
        "settled": back.settled if settled else "",
        "nick": trade.buyer.nick,
        "total": _yuan(trade.total),
        "title": trade.lines[0].ware.title,
        "amount": _yuan(back.amount),
        "goods_back": "是" if back.goods_back else "否",
        "asked": back.asked,
        "status": status,
        "goods_state": "买家已收到货" if sent else "卖家未发货",
        "reason": back.reason,
        "when": "售后" if trade.completed is not None and trade.completed <= back.asked else "售中",
        "extent": "全部退款" if back.whole else "部分退款",
    }


def _reached(trade: Trade, at: datetime) -> tuple[datetime | None, datetime | None, datetime | None, datetime | None]:
    """Return when the trade was paid, shipped, completed and closed, as far as that had happened by ``at``."""
    paid, shipped, completed, closed = trade.paid, trade.shipped, trade.completed, trade.closed
    return (
        paid if paid and paid <= at else None,
        shipped if shipped and shipped <= at else None,
        completed if completed and completed <= at else None,
        closed if closed and closed <= at else None,
    )


def _status(trade: Trade, at: datetime) -> str:
    paid, shipped, completed, closed = _reached(trade, at)
    if closed:
        return "交易关闭"
    if completed:
        return "交易成功"
    if shipped:
        return "卖家已发货，等待买家确认"
    return "买家已付款，等待卖家发货" if paid else "等待买家付款"


def _yuan(fen: int) -> str:
    return f"{fen // 100}.{fen % 100:02d}"
