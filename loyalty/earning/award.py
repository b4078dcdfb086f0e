"""What the rules give for an order or an act, line by line, and why the other rules give nothing."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple


class AwardLine(NamedTuple):
    """What one rule gives.

    ``base``: what it looked at: fen (spend, payment_kind, referral), points that it multiplies (a factor), pieces
    (product_policy), the streak (signin), or 0 where it is a fixed gift. ``factor``: what it was multiplied with, as
    people write it: "2/1" (2 points a yuan), "1.5", "5%", "10" (points a piece), "" for a fixed gift.
    ``points`` is what is left after ``cut`` points fell to the cap ``cut_by`` ("order", "member_day", "member",
    "rule_day", "budget"). ``by_line`` are its points on each line of the order, empty for an order of one line.
    """

    rule: str
    kind: str
    base: int
    factor: str
    points: int
    cut: int = 0
    cut_by: str = ""
    rounding: str = ""
    by_line: tuple[int, ...] = ()


class Miss(NamedTuple):
    """Why a rule gives nothing: a stable code, and the figures for its sentence (docs/rules.md lists them all)."""

    rule: str
    code: str
    params: Mapping[str, Any]


class Award(NamedTuple):
    """The whole. ``version`` is the version of the rule set: a rule has none of its own.

    ``line_keys`` are the keys of the order's lines, in the order of ``AwardLine.by_line``; ("",) where none is known.
    """

    version: int
    points: int
    lines: tuple[AwardLine, ...] = ()
    misses: tuple[Miss, ...] = ()
    line_keys: tuple[str, ...] = ("",)

    @property
    def points_by_line(self) -> dict[str, int]:
        """The points of each line of the order; they sum to ``points``."""
        if len(self.line_keys) == 1:
            return {self.line_keys[0]: self.points}
        sums = [sum(parts) for parts in zip(*(line.by_line for line in self.lines), strict=True)]
        return dict(zip(self.line_keys, sums or [0] * len(self.line_keys), strict=True))


def as_trace(award: Award) -> dict[str, Any]:
    """What an entry keeps of the award; misses are worked out again when somebody asks.

    The shortest form: a set of one rule, on an order of one line, is ``{"set": 3, "rules": [["spend", "spend", 10080,
    "1/1", 100, "down"]]}``. A rule that a cap cut adds how much and by which cap; lines and their points follow only
    where there are several.
    """
    trace: dict[str, Any] = {"set": award.version, "rules": [_packed(line) for line in award.lines]}
    if award.line_keys != ("",):
        trace["lines"] = list(award.line_keys)
        if len(award.line_keys) > 1:
            trace["by_line"] = [list(line.by_line) for line in award.lines]
    return trace


def award_from_trace(trace: Mapping[str, Any]) -> Award:
    """The award that ``as_trace`` wrote down, without its misses."""
    by_line = trace.get("by_line") or [()] * len(trace["rules"])
    lines = tuple(_unpacked(rule, parts) for rule, parts in zip(trace["rules"], by_line, strict=True))
    return Award(trace["set"], sum(line.points for line in lines), lines, (), tuple(trace.get("lines", ("",))))


def _packed(line: AwardLine) -> list[Any]:
    packed = [line.rule, line.kind, line.base, line.factor, line.points, line.rounding]
    return [*packed, line.cut, line.cut_by] if line.cut else packed


def _unpacked(packed: Sequence[Any], by_line: Sequence[int]) -> AwardLine:
    rule, kind, base, factor, points, rounding = packed[:6]
    cut, cut_by = packed[6:] or (0, "")
    return AwardLine(rule, kind, base, factor, points, cut, cut_by, rounding, tuple(by_line))
