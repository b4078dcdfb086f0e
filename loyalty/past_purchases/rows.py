"""One row of a table of past purchases: whom it names, what he spent, and what that is worth. Pure."""

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from crm.filekit import IDENTITY_TITLES, CellError, Row, Titles, clean, read_money
from loyalty.earning.money import ROUNDINGS, fen
from loyalty.grants.rows import MOST, GrantRecord
from loyalty.validity import Policy, programme_zone, valid_until

AMOUNT, BOUGHT_ON = "amount", "bought_on"

TITLES: Titles = MappingProxyType(
    {
        **IDENTITY_TITLES,
        AMOUNT: (
            "total", "消费总额", "amount", "totalspent", "spent", "totalinyuan", "amountinyuan", "累计消费",
            "累计消费金额", "累计金额", "消费金额", "总金额", "金额", "交易总额", "成交总额", "交易额",
        ),
        BOUGHT_ON: (
            "lastpurchase", "最后购买日期", "dateoflastpurchase", "lastpurchaseon", "lastpurchasedate", "lastorder",
            "date", "最后购买", "最后购买时间", "最近购买", "最近购买日期", "最近购买时间", "最后交易时间",
            "最近交易时间", "上次交易时间", "购买日期", "日期",
        ),
    }
)  # fmt: skip

EARLIEST = date(2000, 1, 1)  # No shop of these platforms is older.
_DAY = re.compile(r"([0-9]{4})[-/.年]([0-9]{1,2})[-/.月]([0-9]{1,2})日?(?:[ T]+[0-9]{1,2}:[0-9]{2}(?::[0-9]{2})?)?\Z")


@dataclass(frozen=True, slots=True)
class Terms:
    """What the rows of an upload are worth: ``worth`` gives points for fen. With a ``policy`` the validity counts from
    the day of the last purchase by that policy, without one from the day of the grant. ``basis`` says so in the trace
    of every entry. ``today`` is the programme's day."""

    worth: Callable[[int], int]
    policy: Policy | None
    basis: Mapping[str, Any]
    today: date


def rate(per: Decimal, points: int, rounding: str) -> Callable[[int], int]:
    """``points`` for every ``per`` yuan; begun steps are rounded as the name of the rounding says."""
    step, rounded = fen(per), ROUNDINGS[rounding]
    return lambda amount: rounded(amount, step) * points


def read_row(row: Row, terms: Terms) -> GrantRecord:
    """Read one row. Raises ``CellError``."""
    whom = row.whom()
    amount = row.read(AMOUNT, read_total)
    bought_on = row.read(BOUGHT_ON, lambda cell: read_past_day(cell, terms.today))
    points = terms.worth(fen(amount))
    where = row.columns.titles
    if points <= 0:
        raise CellError("past_worth_nothing", str(amount), where[AMOUNT])
    if points > MOST:
        raise CellError("points_too_many", str(points), where[AMOUNT])
    valid_through = None
    if terms.policy is not None:
        if bought_on is None:
            raise CellError("past_day_missing", "", where.get(BOUGHT_ON, ""))
        valid_through = _last_day(terms.policy, bought_on)
        if valid_through is not None and valid_through < terms.today:
            raise CellError("past_lapsed", valid_through.isoformat(), where[BOUGHT_ON])
    detail = {**terms.basis, "paid": str(amount)}
    if bought_on is not None:
        detail["bought_on"] = bought_on.isoformat()
    return GrantRecord(row.line_no, *whom, points=points, reason="", valid_through=valid_through, detail=detail)


def read_total(cell: str) -> Decimal:
    """Read an amount of yuan that was spent in all; full-width digits, currency and thousands marks are understood.

    Raises ``CellError``: ``past_amount_missing``, ``formula``, ``past_amount_zero``, and those of ``read_money``.
    """
    text = unicodedata.normalize("NFKC", clean(cell)).strip()
    if text.startswith("="):
        raise CellError("formula", text)
    amount = read_money(text)
    if amount is None:
        raise CellError("past_amount_missing")
    if not amount:
        raise CellError("past_amount_zero", text)
    return amount


def read_past_day(cell: str, today: date) -> date | None:
    """Read a day such as 2026-03-31 or 2026年3月31日, with or without a time; None when the cell is empty.

    Raises ``CellError``: ``day_unreadable``, ``past_day_future``, ``past_day_too_old``.
    """
    text = unicodedata.normalize("NFKC", clean(cell)).strip()
    if not text:
        return None
    match = _DAY.match(text)
    try:
        day = date(*map(int, match.groups())) if match else None
    except ValueError:
        day = None
    if day is None:
        raise CellError("day_unreadable", text)
    if day > today:
        raise CellError("past_day_future", text)
    if day < EARLIEST:
        raise CellError("past_day_too_old", text)
    return day


def _last_day(policy: Policy, bought_on: date) -> date | None:
    """The last day on which points of a purchase on a day can be spent; None when they have no end."""
    zone = programme_zone()
    end = valid_until(policy, datetime.combine(bought_on, time.min, tzinfo=zone))
    return None if end is None else end.astimezone(zone).date() - timedelta(days=1)
