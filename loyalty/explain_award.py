"""What a rule gave, or why it gave nothing, in sentences for the buyer (law 11)."""

from collections.abc import Callable, Mapping
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from loyalty.earning.award import Award, AwardLine, Miss, award_from_trace
from loyalty.earning.kinds import KINDS
from loyalty.earning.money import DOWN, HALF_UP, yuan
from loyalty.earning.usage import BUDGET, MEMBER, MEMBER_DAY, RULE_DAY

Names = Mapping[str, str]


def explain_award(award: Award, names: Names) -> list[str]:
    """How an award came about, rule by rule. ``names`` are what the shop calls its rules, by their codes."""
    if len(award.lines) == 1 and _is_plain(award.lines[0]):
        return [_plain_rate(award)]
    sentences = [sentence for line in award.lines for sentence in _line(line, names)]
    if len(award.lines) > 1:
        total = {"award": award.points, "version": award.version}
        sentences.append(_("Together %(award)s points (rule version %(version)s).") % total)
    return sentences


def explain_miss(miss: Miss, names: Names, kind: str = "") -> str:
    """Why a rule gave nothing, and what was missing; "" where there is nothing to tell a buyer."""
    sentence = _MISSES.get(miss.code)
    if sentence is None:
        return ""
    return sentence({**miss.params, "rule": name_of(miss.rule, kind, names)})


def tells_names(trace: Mapping[str, Any]) -> bool:
    """Whether the sentences about an entry name the rules that made it."""
    if "award" not in trace:
        return False
    lines = award_from_trace(trace["award"]).lines
    return len(lines) != 1 or not _is_plain(lines[0]) or "misses" in trace


def name_of(rule: str, kind: str, names: Names) -> str:
    """What the shop calls a rule, or else what its kind is called."""
    return names.get(rule) or (str(KINDS[kind].label) if kind in KINDS else rule)


def _is_plain(line: AwardLine) -> bool:
    return line.kind == "spend" and line.rounding == DOWN and not line.cut


def _plain_rate(award: Award) -> str:
    [line] = award.lines
    points, per = line.factor.split("/")
    facts = {
        "paid": yuan(line.base), "per": per, "points": points, "award": award.points, "version": award.version,
    }  # fmt: skip
    return (
        ngettext(
            "%(paid)s yuan paid; every %(per)s yuan earns %(points)s point, whole steps only: %(award)s points "
            "(rule version %(version)s).",
            "%(paid)s yuan paid; every %(per)s yuan earns %(points)s points, whole steps only: %(award)s points "
            "(rule version %(version)s).",
            _count(points),
        )
        % facts
    )


def _line(line: AwardLine, names: Names) -> list[str]:
    facts: dict[str, Any] = {
        "rule": name_of(line.rule, line.kind, names), "points": line.points, "cut": line.cut, "base": line.base,
        "factor": line.factor,
    }  # fmt: skip
    sentences = [_gave(line, facts)]
    if line.cut:
        sentences.append(_CUTS[line.cut_by]() % facts)
    return sentences


def _gave(line: AwardLine, facts: dict[str, Any]) -> str:
    # What the rule came to before a cap cut it.
    facts = facts | {"points": line.points + line.cut}
    if "/" in line.factor:
        rate, per = line.factor.split("/")
        return _rate(line.rounding, _count(rate)) % (facts | {"amount": yuan(line.base), "rate": rate, "per": per})
    if line.factor.endswith("%"):
        return _("%(rule)s: %(factor)s of %(amount)s yuan make %(points)s points.") % (
            facts | {"amount": yuan(line.base)}
        )
    if line.kind == "product_policy" and line.factor == "0":
        return _("%(rule)s: goods for %(amount)s yuan earn no points.") % (facts | {"amount": yuan(line.base)})
    if line.kind == "product_policy" and line.factor:
        return _("%(rule)s: goods for %(amount)s yuan count %(factor)s times their price.") % (
            facts | {"amount": yuan(line.base)}
        )
    if line.kind == "product_policy":
        return _("%(rule)s: %(base)s pieces earn %(points)s points besides.") % facts
    if line.factor:
        return _("%(rule)s: %(base)s points times %(factor)s are %(points)s points more.") % facts
    gave = line.points + line.cut
    if line.kind == "signin":
        words = ngettext(
            "%(rule)s: %(points)s point on day %(base)s in a row.",
            "%(rule)s: %(points)s points on day %(base)s in a row.",
            gave,
        )
        return words % facts
    return ngettext("%(rule)s: %(points)s point.", "%(rule)s: %(points)s points.", gave) % facts


def _count(rate: str) -> int:
    """Which form a noun takes after a rate as it is written in an award: "1", "2", "0.5"."""
    return 1 if rate == "1" else 2


def _rate(rounding: str, count: int) -> str:
    if rounding == DOWN:
        return ngettext(
            "%(rule)s: %(amount)s yuan count, and every %(per)s yuan earns %(rate)s point, whole steps only: "
            "%(points)s points.",
            "%(rule)s: %(amount)s yuan count, and every %(per)s yuan earns %(rate)s points, whole steps only: "
            "%(points)s points.",
            count,
        )
    if rounding == HALF_UP:
        return ngettext(
            "%(rule)s: %(amount)s yuan count, and every %(per)s yuan earns %(rate)s point, from half a step on "
            "counted whole: %(points)s points.",
            "%(rule)s: %(amount)s yuan count, and every %(per)s yuan earns %(rate)s points, from half a step on "
            "counted whole: %(points)s points.",
            count,
        )
    return ngettext(
        "%(rule)s: %(amount)s yuan count, and every %(per)s yuan earns %(rate)s point, steps that were begun counted "
        "whole: %(points)s points.",
        "%(rule)s: %(amount)s yuan count, and every %(per)s yuan earns %(rate)s points, steps that were begun counted "
        "whole: %(points)s points.",
        count,
    )


_CUTS: dict[str, Callable[[], str]] = {
    "order": lambda: _("The rule has a limit for one order, so %(cut)s points less: %(points)s points."),
    MEMBER_DAY: lambda: _("The rule has a limit for each member and day, so %(cut)s points less: %(points)s points."),
    MEMBER: lambda: _("The rule has a limit for each member, so %(cut)s points less: %(points)s points."),
    RULE_DAY: lambda: _("The rule has a limit for each day, so %(cut)s points less: %(points)s points."),
    BUDGET: lambda: _("The budget of the rule is used up, so %(cut)s points less: %(points)s points."),
}

_Facts = dict[str, Any]


def _short(facts: _Facts) -> str:
    return _("%(rule)s: %(short)s yuan short of it.") % (facts | {"short": yuan(facts["short"])})


def _not_yet(facts: _Facts) -> str:
    return (
        ngettext(
            "%(rule)s: confirm the receipt within %(days)s day of shipping.",
            "%(rule)s: confirm the receipt within %(days)s days of shipping.",
            facts["days"],
        )
        % facts
    )


def _confirmed_late(facts: _Facts) -> str:
    return (
        ngettext(
            "%(rule)s: the receipt was confirmed %(late)s day too late.",
            "%(rule)s: the receipt was confirmed %(late)s days too late.",
            facts["late"],
        )
        % facts
    )


def _paid_late(facts: _Facts) -> str:
    return (
        ngettext(
            "%(rule)s: paid %(late)s minute too late.",
            "%(rule)s: paid %(late)s minutes too late.",
            facts["late"],
        )
        % facts
    )


_MISSES: dict[str, Callable[[_Facts], str]] = {
    "amount_short": _short,
    "not_yet": _not_yet,
    "confirmed_late": _confirmed_late,
    "paid_late": _paid_late,
    "tier": lambda facts: _("%(rule)s: not for your tier.") % facts,
    "tier_rank": lambda facts: _("%(rule)s: from a higher tier on.") % facts,
    "tag_missing": lambda facts: _("%(rule)s: only for some members.") % facts,
    "tag_excluded": lambda facts: _("%(rule)s: only for some members.") % facts,
    "not_new": lambda facts: _("%(rule)s: only for the first order.") % facts,
    "new": lambda facts: _("%(rule)s: only from the second order on.") % facts,
    "channel": lambda facts: _("%(rule)s: not in this shop.") % facts,
    "payment_kind": lambda facts: _("%(rule)s: not for this way of payment.") % facts,
    "day": lambda facts: _("%(rule)s: not on this day.") % facts,
    "weekday": lambda facts: _("%(rule)s: not on this day of the week.") % facts,
    "time_of_day": lambda facts: _("%(rule)s: only from %(from)s to %(to)s.") % facts,
    "no_birthday": lambda facts: _("%(rule)s: your birthday is not known.") % facts,
    "no_birthday_now": lambda facts: _("%(rule)s: only around your birthday.") % facts,
    "profile_incomplete": lambda facts: _("%(rule)s: your profile is not complete yet.") % facts,
    "other_code": lambda facts: _("%(rule)s: this is not the code.") % facts,
    "no_line": lambda facts: _("%(rule)s: none of these goods.") % facts,
    "displaced": lambda facts: _("%(rule)s: another rule counts for these goods.") % facts,
    "outdone": lambda facts: _("%(rule)s: another rule gives more.") % facts,
    "nothing_to_multiply": lambda facts: _("%(rule)s: there are no points that it could multiply.") % facts,
    "cap_reached": lambda facts: _("%(rule)s: the limit of %(limit)s points has been reached.") % facts,
}
