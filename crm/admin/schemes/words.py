"""A tier scheme, and the figures of a grant, in words."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.utils.formats import date_format, number_format
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, pgettext

from crm.choices import GrantSource, OfferKind, Review, Taking, WindowKind
from crm.models import Tier, TierGrant, TierOffer, TierStanding
from crm.price_words import percent_in_words, plain
from crm.tier_words import amount_in_words
from crm.tiers.metrics import find_metric
from crm.tiers.scheme import Mark, Scheme, mark_from_json
from crm.tiers.windows import Window


@dataclass(frozen=True, slots=True)
class Said:
    """A setting and what it says."""

    name: str
    label: str
    text: str


@dataclass(frozen=True, slots=True)
class RungSaid:
    """A tier of a scheme: what its members pay, and what is asked to reach and to keep it."""

    tier: str
    name: str
    price: str
    reach: str
    keep: str


def settings_in_words(scheme: Scheme) -> list[Said]:
    """What a scheme says of all its tiers, setting by setting; those that have no bearing are left out."""
    months = scheme.validity_months
    said = [
        ("taking", _("A tier is"), str(scheme.taking.label)),
        ("effect", _("It takes effect"), str(scheme.effect.label)),
        ("climb", _("Members rise"), str(scheme.climb.label)),
        ("reach_window", _("Counted for rising"), window_in_words(scheme.reach_window)),
        ("keep_window", _("Counted for keeping"), window_in_words(scheme.keep_window)),
        ("restart", _("Counters begin anew"), str(scheme.restart.label)),
        (
            "validity_months",
            _("A term lasts"),
            ngettext("%(months)d month", "%(months)d months", months) % {"months": months}
            if months
            else _("Without an end"),
        ),
        ("keep_check", _("Keeping is checked"), str(scheme.keep_check.label)),
        ("fall", _("Who does not keep his tier"), str(scheme.fall.label)),
        ("on_refund", _("After a refund"), str(scheme.on_refund.label)),
        ("success_after_days", _("An order has succeeded"), _success(scheme.success_after_days)),
        ("currency", _("Currency"), scheme.currency),
    ]
    if scheme.has_review_days:
        said.insert(3, ("review_months", _("Review days"), str(Review(scheme.review_months).label)))
    if scheme.taking == Taking.CLAIM:
        said += [
            ("claim_days", _("Can be claimed for"), _days(scheme.claim_days)),
            ("renew_days", _("Can be renewed from"), _("%(days)s before its end") % {"days": _days(scheme.renew_days)}),
        ]
    return [Said(name, label, text) for name, label, text in said]


def rungs_in_words(scheme: Scheme, tiers: Mapping[str, Tier]) -> list[RungSaid]:
    """The tiers of a scheme, the lowest first."""
    return [
        RungSaid(
            rung.tier,
            tiers[rung.tier].name if rung.tier in tiers else rung.tier,
            percent_in_words(tiers[rung.tier].discount_percent) if rung.tier in tiers else "",
            mark_in_words(rung.reach),
            mark_in_words(rung.keep) if rung.keep != rung.reach else _("the same"),
        )
        for rung in scheme.rungs
    ]


def mark_in_words(mark: Mark) -> str:
    """What is asked for: "Spent ≥ 1,000 yuan or Successful orders ≥ 5 orders"."""
    parts = [
        f"{metric_label(each.metric)} {'>' if each.strict else '≥'} {figure_in_words(each.metric, each.at_least)}"
        for each in mark.thresholds
    ]
    joint = pgettext("between two thresholds", "or") if mark.any_of else pgettext("between two thresholds", "and")
    return f" {joint} ".join(parts) or "–"


def metric_label(code: str) -> str:
    """What a metric is called; one that nobody counts any more keeps its code."""
    try:
        return str(find_metric(code).label)
    except LookupError:
        return code


def figure_in_words(code: str, figure: Decimal) -> str:
    """A figure with its unit: "1,000 yuan"."""
    try:
        return amount_in_words(figure, find_metric(code))
    except LookupError:
        return number_format(plain(figure), use_l10n=True, force_grouping=True)


def window_in_words(window: Window) -> str:
    """Over which time is counted."""
    match window.kind:
        case WindowKind.DAYS:
            text = ngettext("the last %(number)d day", "the last %(number)d days", window.length)
        case WindowKind.MONTHS:
            text = ngettext(
                "the present calendar month",
                "the last %(number)d calendar months, the present one included",
                window.length,
            )
        case WindowKind.PERIOD:
            return _PERIODS.get(window.length, lambda: str(WindowKind.PERIOD.label))()
        case _:
            return _("all time")
    return text % {"number": window.length}


_PERIODS = {
    1: lambda: _("the present calendar month"),
    3: lambda: _("the present quarter of the year"),
    6: lambda: _("the present half of the year"),
    12: lambda: _("the present calendar year"),
}


def _days(days: int) -> str:
    return ngettext("%(days)d day", "%(days)d days", days) % {"days": days}


def _success(days: int | None) -> str:
    if days is None:
        return _("when its receipt was confirmed")
    return ngettext(
        "when its receipt was confirmed, or %(days)d day after shipping",
        "when its receipt was confirmed, or %(days)d days after shipping",
        days,
    ) % {"days": days}


@dataclass(frozen=True, slots=True)
class Row:
    """A line of two schemes side by side."""

    label: str
    before: str
    after: str

    @property
    def differs(self) -> bool:
        """Whether the two say different things."""
        return self.before != self.after


def side_by_side(before: Scheme, after: Scheme, tiers: Mapping[str, Tier]) -> list[Row]:
    """Two schemes line by line: what each tier asks for, then settings. What one does not have is a dash."""
    old, new = _lines(before, tiers), _lines(after, tiers)
    nothing = ("", "–")
    return [
        Row((new.get(name) or old[name])[0], old.get(name, nothing)[1], new.get(name, nothing)[1])
        for name in dict.fromkeys([*new, *old])
    ]


def _lines(scheme: Scheme, tiers: Mapping[str, Tier]) -> dict[str, tuple[str, str]]:
    """A scheme as labels and texts, each under a name that is the same in every scheme."""
    lines = {}
    for rung in rungs_in_words(scheme, tiers):
        lines[f"reach:{rung.tier}"] = _("%(tier)s: to reach it") % {"tier": rung.name}, rung.reach
        lines[f"keep:{rung.tier}"] = _("%(tier)s: to keep it") % {"tier": rung.name}, rung.keep
    return lines | {said.name: (said.label, said.text) for said in settings_in_words(scheme)}


def how_in_words(grant: TierGrant) -> str:
    """How a member came by a tier: "By the rules: reached"."""
    if grant.source == GrantSource.MANUAL or not grant.move:
        return str(grant.get_source_display())
    return _("%(source)s: %(move)s") % {"source": grant.get_source_display(), "move": grant.get_move_display()}


def standing_in_words(standing: TierStanding, tiers: Mapping[str, Tier], held: int) -> list[str]:
    """How far a member is from the next tier, and from losing the one he holds, as the last review saw it; nothing of a
    tier up to the rank that he holds since."""
    names = {tier.rank: tier.name for tier in tiers.values()}
    said = []
    ahead = standing.next_rank if (standing.next_rank or 0) > held else None
    if ahead is not None and standing.next_share is not None and ahead in names:
        facts = {"percent": percent_rounded_down(standing.next_share), "tier": names[ahead]}
        said.append(_("%(percent)s %% of what “%(tier)s” asks for is there") % facts)
    if standing.keep_share is not None:
        percent = percent_rounded_down(standing.keep_share)
        if standing.keep_due_at is not None:
            facts = {"percent": percent, "day": _day(standing.keep_due_at)}
            said.append(_("%(percent)s %% of what keeping the tier takes; it is checked on %(day)s") % facts)
        else:
            said.append(_("%(percent)s %% of what keeping the tier takes") % {"percent": percent})
    return said


def percent_rounded_down(share: Decimal) -> int:
    """A share between 0 and 1 in whole percent, so that 100 means all of it."""
    return int(share * 100)


def offer_in_words(offer: TierOffer) -> str:
    """What a member may take himself, and until when."""
    facts = {"tier": offer.tier.name, "until": _moment(offer.until)}
    if offer.kind == OfferKind.RENEWAL:
        return _("May take another term of “%(tier)s” before %(until)s") % facts
    return _("May take “%(tier)s” before %(until)s") % facts


def grant_in_words(grant: TierGrant) -> list[str]:
    """Why a member holds a tier, sentence by sentence: what was counted, over which time, and what was asked for."""
    figures: Mapping[str, Any] = grant.figures or {}
    sentences = []
    if counted := figures.get("figures"):
        said = pgettext("between two figures", ", ").join(
            f"{metric_label(code)} {figure_in_words(code, Decimal(str(figure)))}" for code, figure in counted.items()
        )
        sentences.append(f"{_stretch(grant)}: {said}")
    if mark := figures.get("asked"):
        asked = mark_in_words(mark_from_json(mark["thresholds"], mark["any"]))
        sentences.append(_("asked for: %(mark)s") % {"mark": asked})
    return sentences


def _stretch(grant: TierGrant) -> str:
    until = _day(grant.qualified_until)
    if grant.qualified_from is None:
        return _("counted until %(until)s") % {"until": until}
    return _("counted from %(since)s to %(until)s") % {"since": _day(grant.qualified_from), "until": until}


def _day(at: Any) -> str:
    return date_format(localtime(at), "SHORT_DATE_FORMAT") if at else "–"


def _moment(at: datetime) -> str:
    return date_format(localtime(at), "SHORT_DATETIME_FORMAT")


def tiers_by_code() -> dict[str, Tier]:
    """The shop's tiers, the lowest first. One query."""
    return {tier.code: tier for tier in Tier.objects.order_by("rank")}
