"""Presets: sets of rules to begin with, and what the shop must have for them to make sense."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.apps import apps
from django.db import transaction
from django.utils.translation import gettext as _

from crm.api import ProductPolicy, Rung, add_missing_tiers
from loyalty.earning.kinds import TierMultiplier
from loyalty.earning.presets import PRESETS
from loyalty.earning.ruleset import RuleSet as PureRules
from loyalty.models import RuleSet
from loyalty.rulebook import draft_of, save_draft

PRESET_NAMES = tuple(PRESETS)
# The ladder of the presets whose rules name tiers; the names are the shop's own data and stay as they are.
LADDERS: dict[str, tuple[Rung, ...]] = {
    "vancl": (
        Rung("base", "普通会员", Decimal(100)), Rung("vip", "VIP会员", Decimal(98)),
        Rung("svip", "SVIP会员", Decimal(95)),
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class LoadedPreset:
    """A draft with the rules of a preset, and sentences on what was made for it and what is left to the shop."""

    draft: RuleSet
    notes: list[str]


def load_preset(name: str, *, at: datetime, actor_id: int | None, note: str = "") -> LoadedPreset:
    """Make a draft with the rules of a preset; tiers that they name and the shop does not have are made too.

    Raises KeyError for a preset that there is not.
    """
    rules = PRESETS[name].as_json()["rules"]
    with transaction.atomic():
        made = add_missing_tiers(LADDERS.get(name, ()))
        draft = draft_of(0, at=at, actor_id=actor_id, note=note or _("Preset %(name)s") % {"name": name})
        # Names of rules are the shop's own data from now on: they are written in the language of the person who loads.
        save_draft(draft.pk, [rule | {"name": _(rule["name"])} for rule in rules])
    notes = [_("The tier %(name)s was made.") % {"name": tier.name} for tier in made]
    return LoadedPreset(draft, notes + _left_to_do(PRESETS[name]))


def _left_to_do(rules: PureRules) -> list[str]:
    """What the rules look at and the shop has not said of anything yet."""
    notes = []
    if any(rule.kind.code == "product_policy" for rule in rules.rules):
        products = apps.get_model("crm", "Product").objects.exclude(policy=ProductPolicy.NORMAL)
        if not products.exists():
            notes.append(
                _(
                    "No product is at special price or without points yet. Say so on the page of the products, or all "
                    "of them count whole."
                )
            )
    if any(isinstance(rule.kind, TierMultiplier) for rule in rules.rules):
        notes.append(_("Members earn more only once they hold a tier. Give tiers on the page of the members."))
    return notes
