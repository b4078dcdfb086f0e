"""The rungs that a new shop begins with, until its owner makes others."""

from decimal import Decimal

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
