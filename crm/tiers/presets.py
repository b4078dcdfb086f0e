"""Tier schemes to begin with, and the tiers that they name. The names of tiers are the shop's own data and stay as they
are whatever language a page is in."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from crm.choices import Climb, Effect, Fall, KeepCheck, Restart, Review, Taking, WindowKind
from crm.models import Tier, TierScheme
from crm.tiers.defaults import USUAL_TIERS, Rung, add_missing_tiers
from crm.tiers.schemebook import draft_of, save_draft


@dataclass(frozen=True, slots=True)
class SchemePreset:
    """A scheme to begin with: the ladder of tiers, the settings, and what is asked for each tier above the base."""

    ladder: tuple[Rung, ...]
    settings: Mapping[str, Any]
    rungs: Sequence[Mapping[str, Any]]


def _asks(
    tier: str, *, any_of: bool = False, keep: Sequence[Mapping[str, Any]] = (), **at_least: int
) -> dict[str, Any]:
    """``_asks("vip", spend=2000)``: what must be counted of each metric."""
    reach = [{"metric": metric, "at_least": str(figure)} for metric, figure in at_least.items()]
    return {"tier": tier, "reach": reach, "reach_any": any_of, "keep": list(keep), "keep_any": any_of}


def _four(*percents: int) -> tuple[Rung, ...]:
    """The four usual tiers at these prices."""
    return tuple(
        Rung(code, name, Decimal(percent)) for (code, name, _usual), percent in zip(USUAL_TIERS, percents, strict=True)
    )


def _three(vip: int, svip: int) -> tuple[Rung, ...]:
    """The base, VIP and SVIP at these prices."""
    return (
        Rung("base", "普通会员", Decimal(100)),
        Rung("vip", "VIP会员", Decimal(vip)),
        Rung("svip", "SVIP会员", Decimal(svip)),
    )


# The member takes his discount in the points page. Points earned within a year count; a claim lasts a year, and what is
# not met or not claimed again in time falls by one tier.
LINGGOU = SchemePreset(
    _four(100, 95, 90, 85),
    {
        "taking": Taking.CLAIM, "effect": Effect.AT_ONCE, "reach_window": WindowKind.DAYS, "reach_length": 365,
        "keep_window": WindowKind.DAYS, "keep_length": 365, "validity_months": 12, "fall": Fall.ONE_DOWN,
        "claim_days": 30, "renew_days": 30,
    },
    (
        _asks("senior", points_earned=500),
        _asks("vip", points_earned=2000),
        _asks("supreme", points_earned=5000),
    ),
)  # fmt: skip

# All that was ever spent, or the number of orders. A tier changes only when an order of the member succeeds, by the
# thresholds of that day.
TAOBAO = SchemePreset(
    _four(100, 90, 85, 80),
    {"effect": Effect.NEXT_ORDER, "keep_check": KeepCheck.NEXT_ORDER, "fall": Fall.EARNED},
    (
        _asks("senior", any_of=True, spend=1000, order_count=5),
        _asks("vip", any_of=True, spend=5000, order_count=20),
        _asks("supreme", any_of=True, spend=20000, order_count=50),
    ),
)

# 2000 yuan in all make a VIP. Within its year less than 1000 → base, up to 2500 → kept, more → SVIP; an SVIP needs 2500
# to stay one and 1000 to stay a VIP. The counters begin anew with every change and with every year.
VANCL = SchemePreset(
    (
        Rung("base", "普通会员", Decimal(100)),
        Rung("vip", "VIP会员", Decimal(98)),
        Rung("svip", "SVIP会员", Decimal(95)),
    ),
    {"climb": Climb.ONE, "restart": Restart.TERM, "validity_months": 12, "fall": Fall.EARNED},
    (
        _asks("vip", spend=2000) | {"keep": [{"metric": "spend", "at_least": "1000"}]},
        {
            "tier": "svip",
            "reach": [{"metric": "spend", "at_least": "2500", "strict": True}],
            "keep": [{"metric": "spend", "at_least": "2500"}],
        },
    ),
)

# 800 yuan in a quarter of the calendar make a VIP, 1500 an SVIP. On the first of each month the last three months are
# looked at; a month that finds a member below the mark of his tier takes him one tier down.
QUARTERLY = SchemePreset(
    _three(95, 90),
    {
        "reach_window": WindowKind.PERIOD, "reach_length": 3, "keep_window": WindowKind.MONTHS, "keep_length": 3,
        "keep_check": KeepCheck.REVIEW_DAY, "review_months": Review.MONTHLY, "fall": Fall.ONE_DOWN,
    },
    (_asks("vip", spend=800), _asks("svip", spend=1500)),
)  # fmt: skip

SCHEME_PRESETS: dict[str, SchemePreset] = {
    "linggou": LINGGOU, "taobao": TAOBAO, "vancl": VANCL, "quarterly": QUARTERLY,
}  # fmt: skip


def preset_ladder(name: str) -> tuple[Rung, ...]:
    """The tiers that the scheme of a preset names, lowest first. Raises KeyError for a preset that there is not."""
    return SCHEME_PRESETS[name].ladder


@dataclass(frozen=True, slots=True)
class LoadedScheme:
    """A draft with the scheme of a preset, and the tiers that were made for it."""

    draft: TierScheme
    made: list[Tier]


def load_scheme_preset(name: str, *, at: datetime, actor_id: int | None, note: str = "") -> LoadedScheme:
    """Make a draft with the scheme of a preset, and the tiers that it names and the shop does not have.

    Tiers that are there keep their ranks and discounts. Raises KeyError for a preset that there is not.
    """
    preset = SCHEME_PRESETS[name]
    with transaction.atomic():
        made = add_missing_tiers(preset.ladder)
        draft = draft_of(0, at=at, actor_id=actor_id, note=note or _("Preset %(name)s") % {"name": name})
        save_draft(draft.pk, preset.settings, preset.rungs)
    draft.refresh_from_db()
    return LoadedScheme(draft, made)
