"""Coupons that a shop platform says were used: a table is looked over, seen by a person, and then written down.

The same file again changes nothing. Everything happens in one statement under the locks of docs/locking.md.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from django.db import connection, transaction
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from crm.api import log_action, log_actions
from redemption.choices import CouponState
from redemption.codes import read_code
from redemption.coupons.moments import read_moment
from redemption.models import Coupon
from redemption.rewards.pooling import masked
from redemption.rewards.tables import TableRow, read_columns

MOST_ROWS = 100_000
_LONGEST_ORDER = 64
TITLES = MappingProxyType({"code": ("code", "券码", "红包码", "优惠码", "兑换码", "coupon code", "coupon")})
OPTIONAL = MappingProxyType(
    {
        "used_at": ("used at", "使用时间", "核销时间", "使用日期", "used", "time"),
        "order_no": ("order number", "订单号", "订单编号", "订单", "order", "order no"),
    }
)

PROBLEMS: Mapping[str, Promise] = MappingProxyType(
    {
        "empty": _("The code is missing. Leave the row out, or fill it in."),
        "unknown": _("There is no coupon with this code."),
        "time_wrong": _("“%(shown)s” is not a time such as 2026-12-31 18:30."),
        "future": _("The time lies in the future: %(shown)s."),
        "order_too_long": _("The order number is longer than 64 characters. Check that the columns are not shifted."),
        "too_early": _("The coupon was issued later than it is said to have been used."),
        "too_late": _("The coupon had expired by then."),
        "when": _("The coupon has expired, and the row does not say when it was used. Fill in the time."),
        "given_back": _("The coupon had expired and its points have gone back to the member."),
        "void": _("The coupon is void."),
        "other_order": _("The coupon was used already, for the order %(shown)s."),
        "twice": _("The same code stands in line %(shown)s already, with another order. A coupon works once."),
    }
)


class Use(NamedTuple):
    """That a coupon was used: which, when, for which order."""

    coupon_id: int
    used_at: datetime
    order_no: str


@dataclass(frozen=True, slots=True)
class UseProblem:
    """A row that is refused: where, which code (its end only), and why."""

    line_no: int
    code: str
    problem: str
    shown: str = ""

    def message(self) -> str:
        return str(PROBLEMS[self.problem]) % {"shown": self.shown}


@dataclass(slots=True)
class UsedList:
    """What a file does, or would do: the coupons that become used, how many are so already, the refused rows."""

    uses: list[Use] = field(default_factory=list)
    yuan: int = 0
    same: int = 0
    problems: list[UseProblem] = field(default_factory=list)


class _Said(NamedTuple):
    """A row that can be read; ``used_at`` None: it does not say when."""

    line_no: int
    code: str
    used_at: datetime | None
    order_no: str


def look_over_used(path: Path, at: datetime) -> UsedList:
    """Read a file and write nothing. Raises ``UnreadableFile``. One query."""
    said, problems = read_rows(read_columns(path, TITLES, most=MOST_ROWS, optional=OPTIONAL), at)
    coupons = {coupon.code: coupon for coupon in Coupon.objects.filter(code__in=list(said))}
    found = UsedList(problems=problems)
    for code, row in said.items():
        _judge(found, row, coupons.get(code), at)
    found.problems.sort(key=lambda problem: problem.line_no)
    return found


def read_rows(rows: Iterable[TableRow], at: datetime) -> tuple[dict[str, _Said], list[UseProblem]]:
    """Read rows, each code once. Pure."""
    said: dict[str, _Said] = {}
    problems: list[UseProblem] = []
    for row in rows:
        read = _read(row, at)
        if isinstance(read, UseProblem):
            problems.append(read)
        elif (known := said.setdefault(read.code, read)).order_no != read.order_no:
            problems.append(UseProblem(row.line_no, masked(read.code), "twice", str(known.line_no)))
    return said, problems


_MARK = """
WITH said AS (
    SELECT s.* FROM unnest(%(ids)s::bigint[], %(times)s::timestamptz[], %(orders)s::text[]) AS s (id, used_at, order_no)
), due AS (
    SELECT c.id, greatest(s.used_at, c.issued_at) AS used_at, s.order_no
      FROM redemption_coupon AS c
      JOIN said AS s ON s.id = c.id
     WHERE (c.state = 'issued' OR c.state = 'expired' AND c.points_back = 0) AND s.used_at < c.expires_at
     ORDER BY c.id
       FOR NO KEY UPDATE OF c
)
UPDATE redemption_coupon AS c
   SET state = 'used', used_at = due.used_at, used_by_id = %(actor)s, order_no = due.order_no, used_in_id = %(channel)s
  FROM due
 WHERE c.id = due.id
RETURNING c.id, c.member_id, c.yuan, c.order_no
"""


def mark_used(
    uses: Sequence[Use], *, channel_id: int | None, file: str, actor_id: int, at: datetime, reason: str = ""
) -> int:
    """Write down that coupons were used, all in one transaction; return how many became so. Those that were used, made
    void or given back meanwhile are left alone, so the same again changes nothing."""
    columns = [list(column) for column in zip(*uses, strict=True)] or [[], [], []]
    values: dict[str, Any] = {
        "ids": columns[0],
        "times": columns[1],
        "orders": columns[2],
        "actor": actor_id,
        "channel": channel_id,
    }
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(_MARK, values)
            done = cursor.fetchall()
        if done:
            log_action("coupons.used", actor_id=actor_id, at=at, reason=reason, file=file, coupons=len(done))
            log_actions(
                "coupon.use",
                [
                    (member_id, {"coupon": pk, "yuan": yuan, "order": order_no, "file": file})
                    for pk, member_id, yuan, order_no in done
                ],
                actor_id=actor_id,
                at=at,
            )
    return len(done)


def _read(row: TableRow, at: datetime) -> _Said | UseProblem:
    typed, time, order_no = row.cells["code"], row.cells.get("used_at", ""), row.cells.get("order_no", "")

    def refuse(problem: str, shown: str = "") -> UseProblem:
        return UseProblem(row.line_no, masked(typed) if typed else "", problem, shown[:40])

    if not typed:
        return refuse("empty")
    if len(order_no) > _LONGEST_ORDER:
        return refuse("order_too_long")
    used_at = read_moment(time) if time else None
    if time and used_at is None:
        return refuse("time_wrong", time)
    if used_at is not None and used_at > at:
        return refuse("future", time)
    return _Said(row.line_no, read_code(typed) or typed, used_at, order_no)


def _judge(found: UsedList, said: _Said, coupon: Coupon | None, at: datetime) -> None:
    """Say what a row would do to its coupon."""
    used_at = said.used_at or at
    problem = shown = ""
    if coupon is None:
        problem = "unknown"
    elif coupon.state == CouponState.VOID:
        problem = "void"
    elif coupon.state == CouponState.USED:
        if said.order_no and coupon.order_no and said.order_no != coupon.order_no:
            problem, shown = "other_order", coupon.order_no
        else:
            found.same += 1
            return
    elif coupon.points_back:
        problem = "given_back"
    elif coupon.expires_at <= used_at:
        problem = "too_late" if said.used_at else "when"
    elif used_at.date() < coupon.issued_at.astimezone(used_at.tzinfo).date():
        problem = "too_early"
    if problem:
        found.problems.append(UseProblem(said.line_no, masked(said.code), problem, shown))
    elif coupon is not None:
        found.uses.append(Use(coupon.pk, used_at, said.order_no))
        found.yuan += coupon.yuan
