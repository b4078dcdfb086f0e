"""A shop with a tier scheme, and years that go by: what the stories of tiers are told with."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import Decimal

from crm.choices import OrderStatus, RefundStatus
from crm.feeds.records import BuyerRecord, OrderRecord, RefundRecord
from crm.models import Channel, Member, TierGrant, TierScheme
from crm.orders import record
from crm.tiers.holding import tier_at
from crm.tiers.nightly import review_everybody
from crm.tiers.presets import load_scheme_preset
from crm.tiers.schemebook import publish
from tests.cast import SHANGHAI
from tests.factories import IdentityFactory, MemberFactory


def noon(day: str) -> datetime:
    """Noon of a day such as "2025-03-31" in Shanghai."""
    return datetime.combine(date.fromisoformat(day), time(12), SHANGHAI)


def night_of(day: str) -> datetime:
    """Ten past midnight at the beginning of a day, when the night's work is done."""
    return datetime.combine(date.fromisoformat(day), time(0, 10), SHANGHAI)


@dataclass
class Seller:
    """A shop. Every order is imported at noon of the day on which it succeeded; nights are told one by one."""

    shop: Channel
    numbers: Counter[str] = field(default_factory=Counter)

    def begin(self, preset: str, day: str) -> TierScheme:
        """Publish the scheme of a preset from the first instant of a day on."""
        at = datetime.combine(date.fromisoformat(day), time(0), SHANGHAI)
        draft = load_scheme_preset(preset, at=at, actor_id=None).draft
        return publish(draft.pk, effective_from=at, at=at, actor_id=None, reason=f"Preset {preset}")

    def member(self, name: str) -> Member:
        """A new buyer."""
        member = MemberFactory(name=name)
        IdentityFactory(channel=self.shop, member=member, external_id=name)
        return member

    def buys(self, member: Member, amount: int | str, day: str) -> str:
        """The member buys for so many yuan, and the order succeeds and is imported on this day; its number."""
        self.numbers[member.name] += 1
        number = f"{member.name}-{self.numbers[member.name]}"
        at = noon(day)
        self.record(member, number, amount, at)
        return number

    def record(self, member: Member, number: str, amount: int | str, at: datetime) -> None:
        """Import a completed order as it stands."""
        order = OrderRecord(
            number, 1, buyer=BuyerRecord(member.name), status=OrderStatus.COMPLETED, paid=Decimal(amount),
            placed_at=at - timedelta(days=7), paid_at=at - timedelta(days=7), shipped_at=at - timedelta(days=6),
            completed_at=at,
        )  # fmt: skip
        record(self.shop, [order], at=at)

    def gives_back(self, member: Member, number: str, amount: int | str, day: str) -> None:
        """Money of an order goes back to the buyer."""
        at = noon(day)
        refund = RefundRecord(f"R{number}", RefundStatus.SUCCESS, Decimal(amount), at=at)
        record(self.shop, [OrderRecord(number, 1, buyer=BuyerRecord(member.name), refunds=(refund,))], at=at)

    def night(self, day: str) -> Counter[str]:
        """The night at the beginning of a day; how many moved in which way."""
        return review_everybody(night_of(day), at=night_of(day)).moves


def held(member: Member, day: str) -> str:
    """The code of the tier that a member holds at noon of a day."""
    return tier_at([member.pk], noon(day))[member.pk][0]


def history(member: Member) -> list[tuple[str, str, str]]:
    """All that happened to a member's tier: the day, why, and the tier."""
    grants = TierGrant.objects.filter(member=member).select_related("tier").order_by("begins_at", "pk")
    return [(f"{grant.begins_at.astimezone(SHANGHAI):%Y-%m-%d}", grant.move, grant.tier.code) for grant in grants]
