"""Rules in plain sentences: what a rule gives, for whom and when, and how far."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.contrib.humanize.templatetags.humanize import intcomma
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from loyalty.admin.rules.days import next_spans, span_in_words, window_in_words
from loyalty.admin.rules.vocabulary import Vocabulary, listed
from loyalty.earning import kinds
from loyalty.earning.calendar import Window
from loyalty.earning.conditions import Conditions
from loyalty.earning.kinds.base import PointsOrFactor
from loyalty.earning.money import DOWN, HALF_UP, yuan
from loyalty.earning.reading import plain
from loyalty.earning.ruleset import Caps, Rule

NAMES_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Words:
    """A rule in words: its name, what it gives, under which conditions, within which limits."""

    name: str
    kind: str
    gives: str
    conditions: list[str]
    caps: list[str]


def in_words(rule: Rule, vocabulary: Vocabulary, today: date) -> Words:
    """Tell one rule. ``today`` decides which dates of a festival come next."""
    label = str(rule.kind.label)
    conditions = list(_days_of(rule.kind, today)) + list(_conditions(rule.conditions, vocabulary, today))
    return Words(rule.name or label, label, gives(rule, vocabulary), conditions, list(_caps(rule.caps)))


def gives(rule: Rule, vocabulary: Vocabulary) -> str:
    """What a rule gives, in one sentence."""
    return _SENTENCES[rule.kind.code](rule.kind, vocabulary)


def window_lines(window: Window, today: date) -> str:
    """A window with the next dates that it falls on."""
    spans = next_spans(window, today, 2)
    facts = {"days": window_in_words(window), **dict(zip(("next", "second"), map(span_in_words, spans), strict=False))}
    if not spans:
        return _("When: %(days)s; these days are over.") % facts
    if len(spans) == 1:
        return _("When: %(days)s.") % facts
    return _("When: %(days)s; next on %(next)s, then on %(second)s.") % facts


def _days_of(kind: kinds.Kind, today: date) -> Iterator[str]:
    if isinstance(kind, kinds.Festival):
        yield window_lines(kind.window, today)


def _spend(kind: Any, vocabulary: Vocabulary) -> str:
    facts = {"per": plain(yuan(kind.per)), "points": kind.points}
    if kind.rounding == DOWN and kind.per == 100:
        sentence = ngettext("Every yuan earns %(points)s point.", "Every yuan earns %(points)s points.", kind.points)
    elif kind.rounding == DOWN:
        sentence = ngettext(
            "Every %(per)s yuan earns %(points)s point; whole steps only.",
            "Every %(per)s yuan earns %(points)s points; whole steps only.",
            kind.points,
        )
    elif kind.rounding == HALF_UP:
        sentence = ngettext(
            "Every %(per)s yuan earns %(points)s point; from half a step on it counts whole.",
            "Every %(per)s yuan earns %(points)s points; from half a step on it counts whole.",
            kind.points,
        )
    else:
        sentence = ngettext(
            "Every %(per)s yuan earns %(points)s point; a step that was begun counts whole.",
            "Every %(per)s yuan earns %(points)s points; a step that was begun counts whole.",
            kind.points,
        )
    return sentence % facts


def _payment(kind: kinds.PaymentKind, vocabulary: Vocabulary) -> str:
    names = listed(vocabulary.names("kinds", kind.kinds))
    facts = {"names": names, "per": plain(yuan(kind.per)), "points": kind.points}
    return (
        ngettext(
            "Paid by %(names)s: every %(per)s yuan earns %(points)s point.",
            "Paid by %(names)s: every %(per)s yuan earns %(points)s points.",
            kind.points,
        )
        % facts
    )


def _policy(kind: kinds.ProductPolicy, vocabulary: Vocabulary) -> str:
    known = vocabulary.choices("product_policies")
    shares = [
        _("%(policy)s × %(share)s") % {"policy": known.get(policy, policy), "share": plain(share)}
        for policy, share in kind.shares
    ]
    facts = {"shares": listed(shares), "points": kind.bonus_points}
    if kind.bonus_points:
        return (
            _("Goods count by their point policy: %(shares)s. A piece of a bonus product earns %(points)s points.")
            % facts
        )
    return _("Goods count by their point policy: %(shares)s.") % facts


def _multiplier(kind: kinds.TierMultiplier, vocabulary: Vocabulary) -> str:
    rungs = list(vocabulary.tiers)  # From the lowest up; what the shop has no more comes last.
    factors = [
        _("%(tier)s × %(factor)s") % {"tier": vocabulary.tiers.get(tier, tier), "factor": plain(factor)}
        for tier, factor in sorted(
            kind.factors, key=lambda pair: rungs.index(pair[0]) if pair[0] in rungs else len(rungs)
        )
    ]
    return _("Points are multiplied by tier: %(factors)s.") % {"factors": listed(factors)}


def _steps(kind: kinds.Steps, vocabulary: Vocabulary) -> str:
    steps = [
        _("from %(amount)s yuan %(points)s points") % {"amount": plain(yuan(amount)), "points": points}
        for amount, points in kind.steps
    ]
    return _("Large orders earn more: %(steps)s.") % {"steps": listed(steps)}


def _points_or_factor(points: Callable[[int], str], factor: Callable[[], str]) -> Callable[[Any, Vocabulary], str]:
    def sentence(kind: PointsOrFactor, vocabulary: Vocabulary) -> str:
        facts = {
            "points": kind.points, "factor": plain(kind.factor), "minutes": getattr(kind, "minutes", 0),
            "days": getattr(kind, "days", 0),
        }  # fmt: skip
        return (factor() if kind.multiplies else points(kind.points)) % facts

    return sentence


def _birthday_order(kind: kinds.BirthdayOrder, vocabulary: Vocabulary) -> str:
    facts = {"points": kind.points, "factor": plain(kind.factor)}
    sentences = {
        ("day", False): ngettext(
            "An order on the buyer's birthday earns %(points)s point more.",
            "An order on the buyer's birthday earns %(points)s points more.",
            kind.points,
        ),
        ("week", False): ngettext(
            "An order in the week of the buyer's birthday earns %(points)s point more.",
            "An order in the week of the buyer's birthday earns %(points)s points more.",
            kind.points,
        ),
        ("month", False): ngettext(
            "An order in the month of the buyer's birthday earns %(points)s point more.",
            "An order in the month of the buyer's birthday earns %(points)s points more.",
            kind.points,
        ),
        ("day", True): _("An order on the buyer's birthday earns %(factor)s times the points."),
        ("week", True): _("An order in the week of the buyer's birthday earns %(factor)s times the points."),
        ("month", True): _("An order in the month of the buyer's birthday earns %(factor)s times the points."),
    }
    return sentences.get((kind.window, kind.multiplies), "") % facts


def _signin(kind: kinds.SignIn, vocabulary: Vocabulary) -> str:
    steps = [
        ngettext(
            "on day %(day)s in a row %(points)s point besides",
            "on day %(day)s in a row %(points)s points besides",
            points,
        )
        % {"day": day, "points": points}
        for day, points in kind.streak
    ]
    facts = {"points": kind.points, "bonuses": listed(steps), "days": kind.starts_over_after}
    if not steps:
        sentence = ngettext(
            "Signing in earns %(points)s point a day.", "Signing in earns %(points)s points a day.", kind.points
        )
    elif kind.starts_over_after:
        sentence = ngettext(
            "Signing in earns %(points)s point a day, %(bonuses)s. After %(days)s days the count starts over.",
            "Signing in earns %(points)s points a day, %(bonuses)s. After %(days)s days the count starts over.",
            kind.points,
        )
    else:
        sentence = ngettext(
            "Signing in earns %(points)s point a day, %(bonuses)s.",
            "Signing in earns %(points)s points a day, %(bonuses)s.",
            kind.points,
        )
    return sentence % facts


def _referral(kind: kinds.Referral, vocabulary: Vocabulary) -> str:
    facts = {"points": kind.points, "percent": plain(kind.percent), "rate": kind.points_per_yuan}
    if kind.points:
        return (
            ngettext(
                "Bringing a new buyer earns %(points)s point.",
                "Bringing a new buyer earns %(points)s points.",
                kind.points,
            )
            % facts
        )
    if kind.percent:
        return (
            _("Bringing a new buyer earns %(percent)s %% of his order, at %(rate)s points for each yuan of it.") % facts
        )
    return _("Bringing a new buyer earns points for some products.")


_SENTENCES: dict[str, Callable[[Any, Vocabulary], str]] = {
    "spend": _spend,
    "payment_kind": _payment,
    "product_policy": _policy,
    "tier_multiplier": _multiplier,
    "steps": _steps,
    "birthday_order": _birthday_order,
    "signin": _signin,
    "referral": _referral,
    "festival": _points_or_factor(
        lambda points: ngettext(
            "Orders on certain days earn %(points)s point more.",
            "Orders on certain days earn %(points)s points more.",
            points,
        ),
        lambda: _("Orders on certain days earn %(factor)s times the points."),
    ),
    "early_payment": _points_or_factor(
        lambda points: ngettext(
            "Paying within %(minutes)s minutes of placing the order earns %(points)s point more.",
            "Paying within %(minutes)s minutes of placing the order earns %(points)s points more.",
            points,
        ),
        lambda: _("Paying within %(minutes)s minutes of placing the order earns %(factor)s times the points."),
    ),
    "early_confirmation": _points_or_factor(
        lambda points: ngettext(
            "Confirming the receipt within %(days)s days of shipping earns %(points)s point more.",
            "Confirming the receipt within %(days)s days of shipping earns %(points)s points more.",
            points,
        ),
        lambda: _("Confirming the receipt within %(days)s days of shipping earns %(factor)s times the points."),
    ),
    "first_order": _points_or_factor(
        lambda points: ngettext(
            "A buyer's first order earns %(points)s point more.",
            "A buyer's first order earns %(points)s points more.",
            points,
        ),
        lambda: _("A buyer's first order earns %(factor)s times the points."),
    ),
    "birthday": lambda kind, vocabulary: (
        ngettext(
            "At his birthday a member gets %(points)s point.",
            "At his birthday a member gets %(points)s points.",
            kind.points,
        )
        % {"points": kind.points}
    ),
    "profile": lambda kind, vocabulary: (
        ngettext(
            "Completing the profile earns %(points)s point, once.",
            "Completing the profile earns %(points)s points, once.",
            kind.points,
        )
        % {"points": kind.points}
    ),
    "campaign": lambda kind, vocabulary: (
        ngettext(
            "Entering the code “%(code)s” earns %(points)s point.",
            "Entering the code “%(code)s” earns %(points)s points.",
            kind.points,
        )
        % {"code": kind.word, "points": kind.points}
    ),
}


def _conditions(conditions: Conditions, vocabulary: Vocabulary, today: date) -> Iterator[str]:
    for name, sentence in _LISTS.items():
        values = getattr(conditions, name)
        if values:
            yield sentence() % {"names": _some(vocabulary.names(name, values))}
    if conditions.tier_rank_at_least is not None:
        rank = conditions.tier_rank_at_least
        yield _("Only for %(tier)s and above.") % {
            "tier": vocabulary.ranks.get(rank, _("rank %(rank)s") % {"rank": rank})
        }
    if conditions.new_buyer is not None:
        yield _("Only for the first order of a buyer.") if conditions.new_buyer else _("Not for a buyer's first order.")
    if conditions.amount_at_least:
        yield _("Only from %(amount)s yuan on.") % {"amount": plain(yuan(conditions.amount_at_least))}
    if conditions.time_of_day is not None:
        begins, ends = (f"{minutes // 60:02}:{minutes % 60:02}" for minutes in conditions.time_of_day)
        yield _("Only from %(begins)s until %(ends)s.") % {"begins": begins, "ends": ends}
    if conditions.dates is not None:
        yield window_lines(conditions.dates, today)


_LISTS: dict[str, Callable[[], str]] = {
    "channels": lambda: _("Only in these shops: %(names)s."),
    "tiers": lambda: _("Only for these tiers: %(names)s."),
    "tags_any": lambda: _("Only for members with one of these tags: %(names)s."),
    "tags_none": lambda: _("Not for members with one of these tags: %(names)s."),
    "products": lambda: _("Only for these products: %(names)s."),
    "categories": lambda: _("Only for products of these categories: %(names)s."),
    "product_tags": lambda: _("Only for products with one of these tags: %(names)s."),
    "product_policies": lambda: _("Only for products of these point policies: %(names)s."),
    "payment_kinds": lambda: _("Only for orders paid by: %(names)s."),
    "weekdays": lambda: _("Only on %(names)s."),
}


def _some(names: list[str]) -> str:
    if len(names) <= NAMES_SHOWN:
        return listed(names)
    more = len(names) - NAMES_SHOWN
    facts = {"names": listed(names[:NAMES_SHOWN]), "more": more}
    return ngettext("%(names)s and %(more)s more", "%(names)s and %(more)s more", more) % facts


def _caps(caps: Caps) -> Iterator[str]:
    for name, sentence in _CAPS.items():
        limit = getattr(caps, name)
        if limit is not None:
            yield sentence() % {"limit": intcomma(limit)}


_CAPS: dict[str, Callable[[], str]] = {
    "per_order": lambda: _("At most %(limit)s points for an order."),
    "per_member_day": lambda: _("At most %(limit)s points for a member in a day."),
    "per_member": lambda: _("At most %(limit)s points for a member in all."),
    "per_rule_day": lambda: _("At most %(limit)s points for all members together in a day."),
    "budget": lambda: _("It stops when it has given %(limit)s points to all members together."),
}
