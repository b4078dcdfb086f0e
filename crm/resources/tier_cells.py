"""Cells of the product table that name tiers: from which one up a discount shows, and prices for single ones."""

import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _
from import_export.widgets import Widget

from crm.imports.cells import bare, guarded
from crm.models import ProductTierPrice, Tier
from crm.price_words import plain
from crm.resources.cells import as_text, read_price_cell

Terms = tuple[Decimal | None, Decimal | None]  # A percentage of the list price, or a price.
_PERCENT = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,2})?)\s*[%％]\Z")
_LINE = re.compile(r"(.+)[:：]([^:：]*)\Z")


class TierWidget(Widget):
    """A tier by its name or code; an empty cell is none. ``tiers`` is filled when a file is read."""

    def __init__(self) -> None:
        super().__init__(coerce_to_string=True)
        self.tiers: Mapping[str, Tier] = {}

    def clean(self, value: Any, row: Any = None, **kwargs: Any) -> Tier | None:
        text = bare(as_text(value)).strip()
        return find_tier(self.tiers, text) if text else None

    def render(self, value: Any, obj: Any = None, **kwargs: Any) -> str:
        return guarded(value.name) if value else ""


def known_tiers() -> dict[str, Tier]:
    """All tiers by their names and codes; a name goes before another tier's code."""
    tiers = list(Tier.objects.all())
    return {tier.code: tier for tier in tiers} | {tier.name: tier for tier in tiers}


def find_tier(tiers: Mapping[str, Tier], text: str) -> Tier:
    """Return the tier of this name or code. Raises ``ValueError``."""
    tier = tiers.get(text)
    if tier is None:
        raise ValueError(_("There is no tier “%(name)s”.") % {"name": text[:40]})
    return tier


def tier_prices_text(prices: Iterable[ProductTierPrice]) -> str:
    """Write a product's prices for tiers, one a line: "VIP会员: 90%" or "VIP会员: 85.00"."""
    ordered = sorted(prices, key=lambda row: row.tier.rank)
    return guarded("\n".join(f"{row.tier.name}: {_terms(row)}" for row in ordered))


def _terms(row: ProductTierPrice) -> str:
    return str(row.price) if row.percent is None else f"{plain(row.percent)}%"


def read_tier_prices(cell: Any, tiers: Mapping[str, Tier]) -> dict[int, Terms]:
    """Read what ``tier_prices_text`` writes: the terms by the tiers' ids. Raises ``ValueError``."""
    found: dict[int, Terms] = {}
    for line in re.split(r"[\n;；]", bare(as_text(cell))):
        if not line.strip():
            continue
        match = _LINE.match(line.strip())
        if match is None:
            raise ValueError(
                _("“%(text)s” is no price for a tier. Write tier: 90%% or tier: 85.00.") % {"text": line.strip()[:40]}
            )
        tier = find_tier(tiers, match.group(1).strip())
        if tier.pk in found:
            raise ValueError(_("The tier “%(name)s” stands there twice.") % {"name": tier.name})
        found[tier.pk] = _read_terms(match.group(2).strip())
    return found


def _read_terms(text: str) -> Terms:
    if (match := _PERCENT.match(text)) is None:
        price = read_price_cell(text)
        if price is None:
            raise ValueError(_("Write a percentage or a price behind each tier."))
        return None, price
    percent = Decimal(match.group(1))
    if not 0 < percent <= 100:
        raise ValueError(_("“%(text)s” is not a percentage. Write it like 90%% or 87.5%%.") % {"text": text[:40]})
    return percent, None
