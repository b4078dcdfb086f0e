"""Codes come into the pool of a digital reward: a file is looked over, seen by a person, and then taken."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import MappingProxyType

from django.db import transaction
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from crm.api import log_action
from redemption.models import RewardCode
from redemption.rewards.tables import TableRow, read_columns

MOST_ROWS = 100_000
FEW_CODES = 20  # A pool with fewer is said to be running out.
_LONGEST = 200
_AT_ONCE = 5_000
TITLES = MappingProxyType(
    {"code": ("code", "codes", "兑换码", "卡密", "券码", "激活码", "卡号", "序列号", "redeem code", "key")}
)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")

PROBLEMS: Mapping[str, Promise] = MappingProxyType(
    {
        "empty": _("The code is missing. Leave the row out, or fill it in."),
        "too_long": _("The code is longer than 200 characters. Check that the columns are not shifted."),
        "control_characters": _("The code holds characters that cannot be seen. Type it anew, or paste it as text."),
        "rounded": _("A spreadsheet program has rounded this number, and digits are lost. Write the code as text."),
        "twice": _("The same code stands in line %(line)s already. It counts once."),
        "known": _("This code is in the pool of a reward already. It cannot be handed out twice."),
    }
)
_ROUNDED = re.compile(r"\d(\.\d+)?[eE]\+\d+\Z")


@dataclass(frozen=True, slots=True)
class CodeProblem:
    """A row that is refused: where, which code, and why. ``line`` is the other row of one that comes twice."""

    line_no: int
    code: str
    problem: str
    line: int = 0

    def message(self) -> str:
        return str(PROBLEMS[self.problem]) % {"line": self.line}


@dataclass(frozen=True, slots=True)
class CodeFile:
    """What a file would bring: the codes that can be taken, and the rows that cannot."""

    codes: list[str]
    problems: list[CodeProblem]


def look_over_codes(path: Path) -> CodeFile:
    """Read a file of codes and write nothing. Raises ``UnreadableFile``."""
    found, problems = sift(read_columns(path, TITLES, most=MOST_ROWS))
    known = set(RewardCode.objects.filter(code__in=list(found.values())).values_list("code", flat=True))
    codes = []
    for line_no, code in found.items():
        if code in known:
            problems.append(CodeProblem(line_no, masked(code), "known"))
        else:
            codes.append(code)
    return CodeFile(codes, sorted(problems, key=lambda problem: problem.line_no))


def sift(rows: Iterable[TableRow]) -> tuple[dict[int, str], list[CodeProblem]]:
    """Tell the codes, each once, by the line they stand in, from the rows that are refused. Pure."""
    found: dict[int, str] = {}
    problems: list[CodeProblem] = []
    first: dict[str, int] = {}
    for row in rows:
        code = row.cells["code"]
        if problem := _problem(code):
            problems.append(CodeProblem(row.line_no, code[:20] if problem == "too_long" else code, problem))
        elif code in first:
            problems.append(CodeProblem(row.line_no, masked(code), "twice", first[code]))
        else:
            first[code] = row.line_no
            found[row.line_no] = code
    return found, problems


def add_codes(reward_id: int, codes: Sequence[str], *, file: str, actor_id: int, at: datetime) -> int:
    """Put codes into the pool of a reward; return how many are new. Those that came in meanwhile are left out, so the
    same again adds nothing."""
    with transaction.atomic():
        before = RewardCode.objects.filter(reward=reward_id).count()
        for start in range(0, len(codes), _AT_ONCE):
            RewardCode.objects.bulk_create(
                [RewardCode(reward_id=reward_id, code=code, added_at=at) for code in codes[start : start + _AT_ONCE]],
                ignore_conflicts=True,
            )
        added = RewardCode.objects.filter(reward=reward_id).count() - before
        if added:
            log_action("rewards.codes", actor_id=actor_id, at=at, reward=reward_id, codes=added, file=file)
    return added


def masked(code: str) -> str:
    """Return a code that can be recognised but not used."""
    return f"…{code[-4:]}" if len(code) > 6 else "…"


def _problem(code: str) -> str:
    if not code:
        return "empty"
    if len(code) > _LONGEST:
        return "too_long"
    if _CONTROL.search(code):
        return "control_characters"
    return "rounded" if _ROUNDED.match(code) else ""
