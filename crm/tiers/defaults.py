"""The rungs that a new shop begins with, until its owner makes others."""

from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple

from crm.models import Tier

# Names are the shop's own data and stay as they are whatever language a page is in.
USUAL_TIERS: tuple[tuple[str, str, Decimal], ...] = (
    ("base", "普通会员", Decimal(100)),
    ("senior", "高级会员", Decimal(95)),
    ("vip", "VIP会员", Decimal(90)),
    ("supreme", "至尊VIP会员", Decimal(85)),
)


def make_usual_tiers() -> list[Tier]:
    """Make the four usual rungs where the shop has none at all; return all rungs, lowest first."""
    if not Tier.objects.exists():
        Tier.objects.bulk_create(
            Tier(code=code, name=name, rank=rank, discount_percent=percent)
            for rank, (code, name, percent) in enumerate(USUAL_TIERS)
        )
    return list(Tier.objects.order_by("rank"))


class Rung(NamedTuple):
    """A tier that somebody counts on."""

    code: str
    name: str
    discount_percent: Decimal


def add_missing_tiers(ladder: Sequence[Rung]) -> list[Tier]:
    """Make the tiers of a ladder, lowest first, that the shop has not; return those that were made.

    Only a shop without any tier gets the ladder's lowest rung. The others go to the top, one above the other: the ranks
    of tiers that are there stand in published rules.
    """
    known = {tier.code: tier for tier in Tier.objects.order_by("rank")}
    names = {tier.name for tier in known.values()}
    made = []
    for number, rung in enumerate(ladder):
        if rung.code in known or (number == 0 and known):
            continue
        rank = max((tier.rank for tier in known.values()), default=-1) + 1
        name = rung.name if rung.name not in names else f"{rung.name} {rung.code}"
        tier = Tier.objects.create(code=rung.code, name=name, rank=rank, discount_percent=rung.discount_percent)
        known[rung.code] = tier
        made.append(tier)
    return made
