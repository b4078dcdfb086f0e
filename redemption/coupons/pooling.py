"""Codes come into the pool of a coupon plan: the shop platform's own, from a file that is looked over, seen by a person
and then taken; or fresh ones of ours, made for the platform to know."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from django.db import connection, transaction
from django.db.models import Count, Q
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from crm.api import log_action
from redemption.codes import new_codes
from redemption.coupons.moments import read_last_day
from redemption.models import Coupon, CouponPlan, PoolCode
from redemption.models.coupon import LONGEST_CODE
from redemption.rewards.pooling import masked
from redemption.rewards.tables import TableRow, read_columns

MOST_ROWS = 100_000
TITLES = MappingProxyType({"code": ("code", "codes", "券码", "红包码", "优惠码", "兑换码", "coupon code", "coupon")})
OPTIONAL = MappingProxyType(
    {
        "yuan": ("worth", "yuan", "面额", "金额", "面值", "优惠金额", "value", "amount"),
        "until": ("valid through", "有效期至", "到期日", "截止日期", "有效期", "valid until", "expires"),
    }
)
_UNSEEN = re.compile(r"[\x00-\x1f\x7f\s]")
_ROUNDED = re.compile(r"\d(\.\d+)?[eE]\+\d+\Z")
_YUAN = re.compile(r"[¥￥]?(\d{1,6})(\.0{1,2})?元?\Z")

PROBLEMS: Mapping[str, Promise] = MappingProxyType(
    {
        "empty": _("The code is missing. Leave the row out, or fill it in."),
        "too_long": _("The code is longer than 64 characters. Check that the columns are not shifted."),
        "unseen_characters": _("The code holds blanks or characters that cannot be seen. Type it anew."),
        "rounded": _("A spreadsheet program has rounded this number, and digits are lost. Write the code as text."),
        "worth_missing": _("What the coupon is worth is missing. Fill it in, or choose a value below the file."),
        "worth_wrong": _("“%(shown)s” is not a value in whole yuan."),
        "not_offered": _("The plan has no denomination of ¥%(shown)s. Add it to the plan first, or leave the row out."),
        "date_wrong": _("“%(shown)s” is not a date such as 2026-12-31."),
        "over": _("This code is over already: it was valid through %(shown)s."),
        "twice": _("The same code stands in line %(shown)s already. It counts once."),
        "known": _("This code is known already. It cannot be handed out twice."),
    }
)


class PooledCode(NamedTuple):
    """A code that can be taken. ``valid_until`` is the first instant at which it is over; None: no end."""

    code: str
    yuan: int
    valid_until: datetime | None


@dataclass(frozen=True, slots=True)
class CodeProblem:
    """A row that is refused: where, which code (its end only), and why."""

    line_no: int
    code: str
    problem: str
    shown: str = ""

    def message(self) -> str:
        return str(PROBLEMS[self.problem]) % {"shown": self.shown}


@dataclass(frozen=True, slots=True)
class CodeFile:
    """What a file would bring: the codes that can be taken, and the rows that cannot."""

    codes: list[PooledCode]
    problems: list[CodeProblem]

    @property
    def by_value(self) -> list[tuple[int, int]]:
        """How many codes there are of each value, as (yuan, number)."""
        return sorted(Counter(code.yuan for code in self.codes).items())


def look_over_codes(path: Path, plan: CouponPlan, *, usual_yuan: int | None, at: datetime) -> CodeFile:
    """Read a file of codes for a plan and write nothing. ``usual_yuan`` is what a code is worth whose row does not say.
    Raises ``UnreadableFile``. Two queries."""
    offered = frozenset(plan.denominations.values_list("yuan", flat=True))
    rows = read_columns(path, TITLES, most=MOST_ROWS, optional=OPTIONAL)
    found, problems = sift(rows, offered, usual_yuan=usual_yuan, at=at)
    typed = [code.code for code in found.values()]
    known = set(PoolCode.objects.filter(code__in=typed).values_list("code", flat=True))
    known |= set(Coupon.objects.filter(code__in=typed).values_list("code", flat=True))
    codes = []
    for line_no, code in found.items():
        if code.code in known:
            problems.append(CodeProblem(line_no, masked(code.code), "known"))
        else:
            codes.append(code)
    return CodeFile(codes, sorted(problems, key=lambda problem: problem.line_no))


def sift(
    rows: Iterable[TableRow], offered: frozenset[int], *, usual_yuan: int | None, at: datetime
) -> tuple[dict[int, PooledCode], list[CodeProblem]]:
    """Tell the codes, each once, by the line they stand in, from the rows that are refused. Pure."""
    found: dict[int, PooledCode] = {}
    problems: list[CodeProblem] = []
    first: dict[str, int] = {}
    for row in rows:
        read = _read(row, offered, usual_yuan, at)
        if isinstance(read, CodeProblem):
            problems.append(read)
        elif read.code in first:
            problems.append(CodeProblem(row.line_no, masked(read.code), "twice", str(first[read.code])))
        else:
            first[read.code] = row.line_no
            found[row.line_no] = read
    return found, problems


def add_codes(plan_id: int, codes: Sequence[PooledCode], *, file: str, actor_id: int, at: datetime) -> int:
    """Put codes into the pool of a plan, all in one transaction; return how many are new. Those that came in meanwhile
    are left out, so the same again adds nothing."""
    with transaction.atomic():
        added = _insert(plan_id, codes, at)
        if added:
            log_action("coupons.codes", actor_id=actor_id, at=at, plan=plan_id, codes=added, file=file)
    return added


def make_codes(plan_id: int, yuan: int, number: int, *, actor_id: int, at: datetime) -> int:
    """Fill the pool with fresh codes of ours, for the shop to upload to its platform; return how many."""
    codes = [PooledCode(code, yuan, None) for code in new_codes(number)]
    with transaction.atomic():
        added = _insert(plan_id, codes, at)
        log_action("coupons.codes", actor_id=actor_id, at=at, plan=plan_id, codes=added, yuan=yuan, made=True)
    return added


class PoolStock(NamedTuple):
    """Of codes worth ``yuan`` so many are free and can still be used, and so many were given out."""

    yuan: int
    free: int
    given: int


def stock_of(plan_id: int, at: datetime) -> list[PoolStock]:
    """Return what is in a plan's pool, value by value. One query."""
    good = Q(coupon=None) & (Q(valid_until=None) | Q(valid_until__gt=at))
    rows = PoolCode.objects.filter(plan=plan_id).order_by("yuan").values("yuan")
    counted = rows.annotate(free=Count("pk", filter=good), given=Count("coupon"))
    return [PoolStock(*row) for row in counted.values_list("yuan", "free", "given")]


# One statement however many there are. A code that is a coupon's already is none of a pool's.
_INSERT = """
INSERT INTO redemption_poolcode (plan_id, code, yuan, valid_until, added_at)
SELECT %s, s.code, s.yuan, s.valid_until, %s
  FROM unnest(%s::text[], %s::integer[], %s::timestamptz[]) AS s (code, yuan, valid_until)
 WHERE NOT EXISTS (SELECT FROM redemption_coupon AS c WHERE c.code = s.code)
    ON CONFLICT (code) DO NOTHING
"""


def _insert(plan_id: int, codes: Sequence[PooledCode], at: datetime) -> int:
    columns = [list(column) for column in zip(*codes, strict=True)] or [[], [], []]
    with connection.cursor() as cursor:
        cursor.execute(_INSERT, [plan_id, at, *columns])
        added: int = cursor.rowcount
        return added


def _read(row: TableRow, offered: frozenset[int], usual_yuan: int | None, at: datetime) -> PooledCode | CodeProblem:
    code, worth, until = row.cells["code"], row.cells.get("yuan", ""), row.cells.get("until", "")

    def refuse(problem: str, shown: str = "") -> CodeProblem:
        return CodeProblem(row.line_no, masked(code) if code else "", problem, shown[:40])

    if problem := _problem(code):
        return refuse(problem)
    said = _YUAN.match(worth.replace(",", ""))
    if worth and said is None:
        return refuse("worth_wrong", worth)
    yuan = int(said.group(1)) if said else usual_yuan
    if yuan is None:
        return refuse("worth_missing")
    if yuan not in offered:
        return refuse("not_offered", str(yuan))
    valid_until = read_last_day(until) if until else None
    if until and valid_until is None:
        return refuse("date_wrong", until)
    if valid_until is not None and valid_until <= at:
        return refuse("over", until)
    return PooledCode(code, yuan, valid_until)


def _problem(code: str) -> str:
    if not code:
        return "empty"
    if len(code) > LONGEST_CODE:
        return "too_long"
    if _UNSEEN.search(code):
        return "unseen_characters"
    return "rounded" if _ROUNDED.match(code) else ""
