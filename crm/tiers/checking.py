"""Whether a tier scheme makes sense, before anybody is moved by it. Pure; the sentences are translated where shown."""

from collections.abc import Iterator
from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from crm.choices import KeepCheck, Restart, Taking, WindowKind
from crm.tiers.metrics import find_metric
from crm.tiers.scheme import Mark, Rung, Scheme
from crm.tiers.windows import PERIODS, Window


@dataclass(frozen=True, slots=True)
class SchemeProblem:
    """Something that keeps a scheme from being published. ``field`` is the setting it is about, or "rungs"; ``tier``
    the code of the tier, "" for the scheme as a whole."""

    field: str
    code: str
    message: str | Promise
    tier: str = ""


def problems(scheme: Scheme, *, has_base: bool = True) -> list[SchemeProblem]:
    """Everything that is wrong with a scheme. A scheme without rungs is allowed: tiers then move by hand only."""
    return [*_of_settings(scheme, has_base), *_of_rungs(scheme)]


def _of_settings(scheme: Scheme, has_base: bool) -> Iterator[SchemeProblem]:
    if not has_base:
        yield SchemeProblem("rungs", "no_base", _("There is no tier of rank 0, which everybody begins with. Make one."))
    for name, window in (("reach_length", scheme.reach_window), ("keep_length", scheme.keep_window)):
        yield from _of_window(name, window)
    if scheme.taking == Taking.CLAIM and scheme.validity_months is None and scheme.keep_check == KeepCheck.AT_END:
        yield SchemeProblem(
            "validity_months",
            "claim_without_term",
            _("Tiers that members claim need a term, or another day on which it is checked whether they are kept."),
        )
    if scheme.taking == Taking.CLAIM and scheme.validity_months is not None:
        days = scheme.validity_months * 28
        if scheme.renew_days >= days:
            yield SchemeProblem("renew_days", "renewal_too_early", _("Another term can be claimed before one begins."))


def _of_window(name: str, window: Window) -> Iterator[SchemeProblem]:
    if window.kind == WindowKind.PERIOD and window.length not in PERIODS:
        yield SchemeProblem(name, "period", _("A period of the calendar has 1, 3, 6 or 12 months."))
    elif window.kind in (WindowKind.DAYS, WindowKind.MONTHS) and window.length < 1:
        yield SchemeProblem(name, "length", _("Say how many days or months are counted, 1 at least."))


def _of_rungs(scheme: Scheme) -> Iterator[SchemeProblem]:
    below: Rung | None = None
    for rung in scheme.rungs:
        if rung.rank == 0:
            yield SchemeProblem("rungs", "base", _("The base tier asks for nothing: everybody has it."), rung.tier)
            continue
        yield from _of_mark(rung.tier, rung.reach, "reach")
        yield from _of_mark(rung.tier, rung.keep, "keep")
        if below is not None and scheme.restart == Restart.NEVER and (easier := _easier(below, rung)):
            yield SchemeProblem(
                "rungs",
                "easier_than_below",
                _("It asks for less (%(metric)s) than a lower tier does. Ask for more, or give it a lower rank.")
                % {"metric": find_metric(easier).label},
                rung.tier,
            )
        below = rung


def _of_mark(tier: str, mark: Mark, field: str) -> Iterator[SchemeProblem]:
    if not mark.thresholds:
        yield SchemeProblem(field, "nothing_asked", _("Nothing is asked for it. Name at least one threshold."), tier)
    seen = set()
    for threshold in mark.thresholds:
        try:
            metric = find_metric(threshold.metric)
        except LookupError:
            yield SchemeProblem(
                field, "unknown_metric", _("Nobody counts “%(metric)s”.") % {"metric": threshold.metric}, tier
            )
            continue
        if threshold.metric in seen:
            yield SchemeProblem(field, "twice", _("%(metric)s is asked for twice.") % {"metric": metric.label}, tier)
        seen.add(threshold.metric)
        if threshold.at_least < 0 or (threshold.at_least == 0 and not threshold.strict):
            yield SchemeProblem(
                field, "asks_nothing", _("%(metric)s: ask for more than zero.") % {"metric": metric.label}, tier
            )


def _easier(below: Rung, rung: Rung) -> str | None:
    """A metric of which the higher rung asks for no more than the lower one does, where both ask for the same ones."""
    lower = {threshold.metric: threshold for threshold in below.reach.thresholds}
    higher = {threshold.metric: threshold for threshold in rung.reach.thresholds}
    if lower.keys() != higher.keys() or below.reach.any_of != rung.reach.any_of:
        return None
    for name, threshold in higher.items():
        if (threshold.at_least, threshold.strict) < (lower[name].at_least, lower[name].strict):
            return name
    return None
