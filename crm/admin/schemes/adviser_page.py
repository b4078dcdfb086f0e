"""The threshold adviser as a page: which thresholds would divide the members as the seller wishes.

Everything that is typed stands in the address, so that a view can be passed on and the page works without scripts; with
them the marks can be dragged, and the figures follow at once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from itertools import pairwise
from typing import Any

from django import forms
from django.contrib import messages
from django.core.cache import cache
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy
from unfold.admin import ModelAdmin
from unfold.widgets import UnfoldAdminSelectWidget

from crm.admin.schemes import pages
from crm.adminkit import person
from crm.choices import WindowKind
from crm.models import Tier, TierScheme
from crm.price_words import plain
from crm.tiers.adviser import BOUNDS, Rounding, RungShare, Spread, bars, divide, propose, usual_shares
from crm.tiers.metrics import Metric, all_metrics, find_metric
from crm.tiers.scheme import Scheme
from crm.tiers.schemebook import NotADraft, draft_of, save_draft, scheme_at
from crm.tiers.spreads import Spreads, spreads_of
from crm.tiers.windows import Window

REMEMBERED_SECONDS = 600
_LARGEST = Decimal(10) ** 10

WINDOWS: dict[str, tuple[Promise, Window]] = {
    "days90": (gettext_lazy("The last 90 days"), Window(WindowKind.DAYS, 90)),
    "days180": (gettext_lazy("The last 180 days"), Window(WindowKind.DAYS, 180)),
    "days365": (gettext_lazy("The last 365 days"), Window(WindowKind.DAYS, 365)),
    "always": (gettext_lazy("All time"), Window()),
}
ROUNDINGS = (
    (Rounding.PLAIN.value, gettext_lazy("Very round: 1000, 2000, 5000")),
    (Rounding.USUAL.value, gettext_lazy("Round: 1000, 1200, 1500, 2000 …")),
    (Rounding.FINE.value, gettext_lazy("Two digits: 1100, 1200, 1300 …")),
)
ACTIVE, ALL = "active", "all"
AMONG = (
    (ACTIVE, gettext_lazy("Of those who have anything in that time")),
    (ALL, gettext_lazy("Of all members")),
)


class AskForm(forms.Form):
    """What is counted, over which time, and which part of the members each tier should have."""

    metric = forms.ChoiceField(label=gettext_lazy("Count"), widget=UnfoldAdminSelectWidget)
    window = forms.ChoiceField(
        label=gettext_lazy("Over"),
        choices=[(name, label) for name, (label, _window) in WINDOWS.items()],
        widget=UnfoldAdminSelectWidget,
    )
    among = forms.ChoiceField(label=gettext_lazy("Parts"), choices=AMONG, widget=UnfoldAdminSelectWidget)
    rounding = forms.ChoiceField(
        label=pgettext_lazy("of numbers", "Rounding"), choices=ROUNDINGS, widget=UnfoldAdminSelectWidget
    )

    def __init__(self, data: Any, *, tiers: Sequence[Tier]) -> None:
        super().__init__(data)
        self.fields["metric"].choices = [(each.code, each.label) for each in all_metrics()]  # type: ignore[attr-defined]
        for number, (tier, usual) in enumerate(zip(tiers, usual_shares(len(tiers) - 1), strict=True)):
            self.fields[f"share{number}"] = forms.DecimalField(
                label=tier.name, min_value=0, max_value=100, max_digits=5, decimal_places=1, initial=usual
            )
        self._rungs = len(tiers)

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        shares = [data.get(f"share{number}") for number in range(self._rungs)]
        if None not in shares and sum(share for share in shares if share is not None) != 100:
            total = sum(share for share in shares if share is not None)
            raise ValidationError(
                _("The parts come to %(total)s %%. They have to come to 100 %%.") % {"total": total}, code="total"
            )
        return data

    def shares(self) -> list[Decimal]:
        """The percentages, the base first."""
        return [self.cleaned_data[f"share{number}"] for number in range(self._rungs)]

    def share_fields(self) -> list[forms.BoundField]:
        """The fields of the percentages."""
        return [self[f"share{number}"] for number in range(self._rungs)]


@dataclass(frozen=True, slots=True)
class Asked:
    """What a person asks of the adviser; ``thresholds`` are those he typed, none where he wants them proposed."""

    metric: Metric
    window: str
    among_all: bool
    rounding: Rounding
    shares: list[Decimal]
    thresholds: list[Decimal]


@dataclass(frozen=True, slots=True)
class Compared:
    """What comes out over one stretch of time: the thresholds that would be proposed, and how the ones chosen above
    would divide the members."""

    label: str
    chosen: bool
    proposed: list[RungShare]
    with_chosen: list[RungShare]


def adviser_page(model_admin: ModelAdmin, request: HttpRequest) -> HttpResponse:
    """Propose thresholds, show what typed ones would do, and put them into a draft when told to."""
    pages.demand(request, pages.VIEW, pages.CHANGE)
    tiers = list(Tier.objects.order_by("rank"))
    if len(tiers) < 2:
        return pages.show(model_admin, request, "adviser_no_tiers.html", _("Threshold adviser"))
    now = timezone.now()
    form = AskForm(_given(request, tiers), tiers=tiers)
    if not form.is_valid():
        return pages.show(model_admin, request, "adviser.html", _("Threshold adviser"), form=form, tiers=tiers)
    asked, wrong = _asked(request, form, tiers)
    if request.method == "POST" and not wrong and asked.thresholds:
        pages.demand(request, pages.CHANGE)
        return _use(request, asked, tiers, now)
    spreads, counted_at = _counted(asked.metric, scheme_at(now) or Scheme(0), now, fresh="fresh" in request.GET)
    return pages.show(
        model_admin, request, "adviser.html", _("Threshold adviser"),
        form=form, wrong=wrong, drafts=list(pages.drafts()), counted_at=counted_at, **_shown(asked, spreads, tiers),
    )  # fmt: skip


def _given(request: HttpRequest, tiers: Sequence[Tier]) -> dict[str, str]:
    """What was asked, and for what nobody said the usual."""
    usual = {"metric": all_metrics()[0].code, "window": "days365", "among": ACTIVE, "rounding": Rounding.USUAL.value}
    usual |= {f"share{number}": str(share) for number, share in enumerate(usual_shares(len(tiers) - 1))}
    sent = request.POST if request.method == "POST" else request.GET
    return usual | {name: sent[name] for name in usual if name in sent}


def _asked(request: HttpRequest, form: AskForm, tiers: Sequence[Tier]) -> tuple[Asked, str]:
    """Read what was asked, and what is wrong with the thresholds that were typed; "" for nothing."""
    said = form.cleaned_data
    typed, wrong = _typed(request, tiers)
    asked = Asked(
        find_metric(said["metric"]), said["window"], said["among"] == ALL, Rounding(said["rounding"]), form.shares(),
        [] if wrong else typed,
    )  # fmt: skip
    return asked, wrong


def _typed(request: HttpRequest, tiers: Sequence[Tier]) -> tuple[list[Decimal], str]:
    sent = request.POST if request.method == "POST" else request.GET
    texts = [sent.get(f"threshold{number}", "").strip() for number in range(1, len(tiers))]
    if "propose" in sent or not any(texts):
        return [], ""
    try:
        numbers = [Decimal(text) for text in texts]
    except InvalidOperation:
        return [], _("Write a number into every threshold, or have them proposed.")
    if not all(number.is_finite() and 0 < number <= _LARGEST for number in numbers):
        return [], _("A threshold is a number above zero, with ten digits at most.")
    if any(higher <= lower for lower, higher in pairwise(numbers)):
        return [], _("Each tier has to ask for more than the one below it.")
    return numbers, ""


def _counted(metric: Metric, scheme: Scheme, now: datetime, *, fresh: bool) -> tuple[Spreads, datetime]:
    """Count, or take what was counted a few minutes ago, however many people look."""
    key = f"tier-spreads:{metric.code}:{scheme.success_after_days}:{scheme.currency}"
    known: tuple[Spreads, datetime] | None = None if fresh else cache.get(key)
    if known is None:
        windows = {name: window for name, (_label, window) in WINDOWS.items()}
        known = spreads_of(metric.code, windows, scheme, at=now), now
        cache.set(key, known, timeout=REMEMBERED_SECONDS)
    return known


def _shown(asked: Asked, spreads: Spreads, tiers: Sequence[Tier]) -> dict[str, Any]:
    spread = spreads.spreads[asked.window]
    thresholds = asked.thresholds or _proposed(asked, spread)
    rungs = divide(spread, thresholds, wanted=asked.shares, among_all=asked.among_all)
    return {
        "tiers": tiers,
        "asked": asked,
        "unit": asked.metric.unit,
        "spreads": spreads,
        "active": spreads.of_all_rounded_down(spread.active),
        "rungs": [
            {
                "tier": tier,
                "rung": rung,
                "threshold": plain(rung.threshold) if rung.threshold is not None else "",
                "members": spreads.of_all_rounded_down(rung.members),
                "number": number,
            }
            for number, (tier, rung) in enumerate(zip(tiers, rungs, strict=False))
        ],
        "proposed": not asked.thresholds,
        "compared": [_compared(name, asked, other, thresholds) for name, other in spreads.spreads.items()],
        "picture": _picture(asked, spreads, spread, thresholds, tiers),
        "address": _address(asked),
    }


def _proposed(asked: Asked, spread: Spread) -> list[Decimal]:
    return propose(spread, asked.shares, rounding=asked.rounding, among_all=asked.among_all)


def _compared(name: str, asked: Asked, spread: Spread, thresholds: Sequence[Decimal]) -> Compared:
    proposed = _proposed(asked, spread)
    return Compared(
        label=str(WINDOWS[name][0]),
        chosen=name == asked.window,
        proposed=divide(spread, proposed, among_all=asked.among_all) if proposed else [],
        with_chosen=divide(spread, thresholds, among_all=asked.among_all) if thresholds else [],
    )


def _picture(
    asked: Asked, spreads: Spreads, spread: Spread, thresholds: Sequence[Decimal], tiers: Sequence[Tier]
) -> dict[str, Any]:
    """What the script needs to draw the bars, to set the marks on them and to count anew while they are dragged."""
    shown = bars(spread, beyond=max(thresholds, default=Decimal(0)))
    return {
        "bars": [[bar.low, bar.high, spreads.of_all_rounded_down(bar.members)] for bar in shown],
        "bounds": list(BOUNDS),
        "counts": list(spread.counts),
        "everybody": spread.members if asked.among_all else spread.active,
        "members": spreads.members,
        "looked_at": spreads.looked_at,
        "tiers": [tier.name for tier in tiers],
        "unit": str(asked.metric.unit),
        "series": _("Members"),
        "from": _("from %s"),
    }


def _address(asked: Asked) -> dict[str, str]:
    """What the form for using the thresholds sends along, so that the page can be shown again."""
    return {
        "metric": asked.metric.code,
        "window": asked.window,
        "among": ALL if asked.among_all else ACTIVE,
        "rounding": asked.rounding.value,
        **{f"share{number}": str(share) for number, share in enumerate(asked.shares)},
    }


def _use(request: HttpRequest, asked: Asked, tiers: Sequence[Tier], now: datetime) -> HttpResponse:
    """Put the thresholds into a draft: the one that was chosen, or a new one from the scheme in force."""
    chosen = request.POST.get("draft", "")
    try:
        with transaction.atomic():
            draft = _draft(chosen, request, now)
            _fill(draft, asked, tiers)
    except NotADraft:
        messages.info(request, _("This draft is not there any more: it was published or discarded meanwhile."))
        return HttpResponseRedirect(reverse("admin:crm_tierscheme_adviser"))
    messages.success(request, _("The thresholds stand in the draft. Nothing changes until you publish it."))
    return HttpResponseRedirect(reverse("admin:crm_tierscheme_change", args=[draft.pk]))


def _draft(chosen: str, request: HttpRequest, now: datetime) -> TierScheme:
    if chosen.isdecimal() and len(chosen) <= pages.LONGEST_NUMBER:
        draft = pages.drafts().filter(pk=int(chosen)).first()
        if draft is None:
            raise NotADraft(chosen)
        return draft
    current = pages.in_force(now)
    version = current.version if current and current.version else 0
    return draft_of(version, at=now, actor_id=person(request), note=_("From the threshold adviser"))


def _fill(draft: TierScheme, asked: Asked, tiers: Sequence[Tier]) -> None:
    """Ask for the thresholds in the draft, over the window they were chosen for. What it asks for keeping a tier stays
    where it asks for something of its own."""
    own = {row.tier.code: row for row in draft.rungs.select_related("tier") if row.keep}
    window = WINDOWS[asked.window][1]
    settings: Mapping[str, Any] = {"reach_window": window.kind, "reach_length": window.length}
    if not own:
        settings = {**settings, "keep_window": window.kind, "keep_length": window.length}
    rungs = []
    for tier, threshold in zip(tiers[1:], asked.thresholds, strict=True):
        keeps = own.get(tier.code)
        rungs.append(
            {
                "tier": tier.code,
                "reach": [{"metric": asked.metric.code, "at_least": str(threshold)}],
                "reach_any": False,
                "keep": keeps.keep if keeps else [],
                "keep_any": keeps.keep_any if keeps else False,
            }
        )
    save_draft(draft.pk, settings, rungs)
