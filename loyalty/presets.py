"""Presets: sets of rules to begin with, the tier scheme that goes with them, and what the shop must have for them to
make sense."""

from dataclasses import dataclass
from datetime import datetime

from django.apps import apps
from django.db import transaction
from django.utils.translation import gettext as _

from crm.api import ProductPolicy, add_missing_tiers, load_scheme_preset, preset_ladder
from loyalty.earning.kinds import TierMultiplier
from loyalty.earning.presets import PRESETS
from loyalty.earning.ruleset import RuleSet as PureRules
from loyalty.models import RuleSet
from loyalty.rulebook import draft_of, save_draft

PRESET_NAMES = tuple(PRESETS)


@dataclass(frozen=True, slots=True)
class LoadedPreset:
    """A draft with the rules of a preset, the draft of the tier scheme that was made with it, and sentences on what was
    made and what is left to the shop."""

    draft: RuleSet
    scheme_draft_id: int | None
    notes: list[str]


def load_preset(
    name: str, *, at: datetime, actor_id: int | None, note: str = "", with_scheme: bool = True
) -> LoadedPreset:
    """Make a draft with the rules of a preset, and one with its tier scheme; tiers that they name and the shop does not
    have are made too.

    ``with_scheme=False`` is for people who may not change tier schemes: only the tiers that the rules name are made.
    Raises KeyError for a preset that there is not.
    """
    rules = PRESETS[name].as_json()["rules"]
    scheme_draft_id = None
    with transaction.atomic():
        if with_scheme:
            scheme = load_scheme_preset(name, at=at, actor_id=actor_id, note=note)
            made, scheme_draft_id = scheme.made, scheme.draft.pk
        else:
            made = add_missing_tiers(preset_ladder(name)) if _name_tiers(PRESETS[name]) else []
        draft = draft_of(0, at=at, actor_id=actor_id, note=note or _("Preset %(name)s") % {"name": name})
        # Names of rules are the shop's own data from now on: they are written in the language of the person who loads.
        save_draft(draft.pk, [rule | {"name": _(rule["name"])} for rule in rules])
    notes = [_("The tier %(name)s was made.") % {"name": tier.name} for tier in made]
    if with_scheme:
        notes.append(_("Its tier scheme is a draft too: look at it under Members, Tier schemes, and publish it there."))
    return LoadedPreset(draft, scheme_draft_id, notes + _left_to_do(PRESETS[name], with_scheme=with_scheme))


def _name_tiers(rules: PureRules) -> bool:
    return any(isinstance(rule.kind, TierMultiplier) for rule in rules.rules)


def _left_to_do(rules: PureRules, *, with_scheme: bool) -> list[str]:
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
    if _name_tiers(rules) and not with_scheme:
        notes.append(_("Members earn more only once they hold a tier. Give tiers on the page of the members."))
    return notes
