"""What a member pays for a product: the lowest price that he may have, and why it is the lowest. Pure.

Every price that could apply becomes a candidate, and every candidate gets a verdict: the lowest wins, and each other
one says why it does not. docs/prices.md has the rules with worked tables.

The price is that of one piece, rounded to the cent before it is multiplied: a line is quantity times price and a sum is
the sum of its lines, both exact.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple

from crm.choices import PricePolicy, ProductPolicy
from crm.money import share_half_up


class Source(StrEnum):
    """Where a candidate comes from. Of two that are equally low the one named first here wins."""

    LIST = "list"  # The product's list price.
    PRODUCT = "product"  # What the product itself says for a tier.
    TIER = "tier"  # The discount of the member's tier.
    PLATFORM = "platform"  # The discount that goes with his grade on another tool.


class Verdict(StrEnum):
    """What became of a candidate."""

    LOWEST = "lowest"
    HIGHER = "higher"
    EQUAL = "equal"  # As low as the one that wins, which is named first.
    NO_LIST_PRICE = "no_list_price"
    NO_DISCOUNT_MEMBER = "no_discount_member"
    SPECIAL_PRICE = "special_price"
    GROUP_BUY = "group_buy"
    BELOW_TIER = "below_tier"  # The product shows its discount from a higher tier up.
    OWN_PRICE = "own_price"  # The product has a price of its own for this tier.
    OTHER_TIER = "other_tier"  # A price for members of a tier that he does not hold.
    OTHER_CHANNEL = "other_channel"  # The grade counts for the goods of its own channel.
    NO_PERCENT = "no_percent"  # Nobody has said what the grade takes off.
    GRADE_LATER = "grade_later"  # The grade was seen after the moment that is asked about.


@dataclass(frozen=True, slots=True)
class TierTerms:
    """A tier and what its members pay of the list price, in percent."""

    code: str
    name: str
    rank: int
    percent: Decimal


@dataclass(frozen=True, slots=True)
class GradeTerms:
    """A member's grade on another tool. ``percent`` is None until the seller has said it. ``channel_id`` is set where
    the grade counts for the goods of one channel only."""

    tool: str
    grade: str
    percent: Decimal | None
    seen_at: datetime
    channel_id: int | None = None
    channel_name: str = ""

    @property
    def name(self) -> str:
        """The grade with its tool: one grade's name stands on several tools."""
        return f"{self.tool} · {self.grade}"


@dataclass(frozen=True, slots=True)
class OwnTerms:
    """What one product says for the members of one tier: a percentage of its list price, or a price."""

    tier: TierTerms
    percent: Decimal | None = None
    price: Decimal | None = None


@dataclass(frozen=True, slots=True)
class NoDiscountTerms:
    """That a member always pays the list price."""

    since: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class MemberTerms:
    """What is known of a member for his prices. ``tier`` is None where the shop has no tiers."""

    member_id: int
    tier: TierTerms | None = None
    grades: tuple[GradeTerms, ...] = ()
    no_discount: NoDiscountTerms | None = None


@dataclass(frozen=True, slots=True)
class ProductTerms:
    """What is known of a product for its prices. ``visible_from`` is the tier from which on its discounts count."""

    product_id: int
    title: str
    channel_id: int
    currency: str = "CNY"
    list_price: Decimal | None = None
    price_policy: PricePolicy = PricePolicy.NORMAL
    visible_from: TierTerms | None = None
    own: tuple[OwnTerms, ...] = ()


@dataclass(frozen=True, slots=True)
class Candidate:
    """A price that could apply. ``unit_price`` is what one piece would cost, None where that cannot be said; ``facts``
    fill the words of the verdict (``crm.price_words``)."""

    source: Source
    name: str
    percent: Decimal | None
    unit_price: Decimal | None
    verdict: Verdict
    facts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PricedLine:
    """A product in some quantity with its price, which is None where no list price is known."""

    product: ProductTerms
    quantity: int
    unit_price: Decimal | None
    candidates: tuple[Candidate, ...]

    @property
    def amount(self) -> Decimal | None:
        """Quantity times the price of a piece: exact, as that is rounded already."""
        return None if self.unit_price is None else self.quantity * self.unit_price

    @property
    def list_amount(self) -> Decimal | None:
        """What it would cost without any discount."""
        return None if self.product.list_price is None else self.quantity * self.product.list_price

    @property
    def winner(self) -> Candidate | None:
        """The candidate that the price is taken from."""
        return next((candidate for candidate in self.candidates if candidate.verdict is Verdict.LOWEST), None)


@dataclass(frozen=True, slots=True)
class Total:
    """The sum of the lines in one currency; exact."""

    currency: str
    amount: Decimal
    list_amount: Decimal

    @property
    def saved(self) -> Decimal:
        """What the discounts take off."""
        return self.list_amount - self.amount


@dataclass(frozen=True, slots=True)
class Quote:
    """The prices of one member at one time. It names discounts that a member must not see: for staff only."""

    lines: tuple[PricedLine, ...]

    @property
    def totals(self) -> tuple[Total, ...]:
        """The sums of the lines that have a price, one for each currency."""
        sums: dict[str, tuple[Decimal, Decimal]] = {}
        for line in self.lines:
            if line.amount is not None and line.list_amount is not None:
                amount, whole = sums.get(line.product.currency, (Decimal(0), Decimal(0)))
                sums[line.product.currency] = (amount + line.amount, whole + line.list_amount)
        return tuple(Total(currency, *figures) for currency, figures in sums.items())

    @property
    def unpriced(self) -> tuple[PricedLine, ...]:
        """The lines that no price is known for; no sum has them in it."""
        return tuple(line for line in self.lines if line.amount is None)


def price_policy_of(price_policy: PricePolicy, point_policy: ProductPolicy) -> PricePolicy:
    """Return what a product's price policy comes to. One that follows the point policy takes special-price goods out of
    all discounts, and no others."""
    if price_policy is not PricePolicy.FOLLOW:
        return price_policy
    return PricePolicy.SPECIAL if point_policy is ProductPolicy.SPECIAL else PricePolicy.NORMAL


def quote(member: MemberTerms, lines: Iterable[tuple[ProductTerms, int]], at: datetime) -> Quote:
    """Price every line for a member at a moment. Raises ``ValueError`` for a quantity below one."""
    return Quote(tuple(price_line(member, product, quantity, at) for product, quantity in lines))


def price_line(member: MemberTerms, product: ProductTerms, quantity: int, at: datetime) -> PricedLine:
    """Price one product for a member. Raises ``ValueError`` for a quantity below one."""
    if quantity < 1:
        raise ValueError(f"{quantity} pieces cannot be bought")
    candidates = _judged(_candidates(member, product, at))
    winner = next((candidate for candidate in candidates if candidate.verdict is Verdict.LOWEST), None)
    return PricedLine(product, quantity, winner.unit_price if winner else None, candidates)


def next_step(
    member: MemberTerms, product: ProductTerms, ladder: Sequence[TierTerms], at: datetime
) -> tuple[TierTerms, Decimal] | None:
    """Return the nearest higher tier that would make the product cheaper for a member, and its price for one piece.

    ``ladder`` are all tiers. None where there is no such tier, or where the member must not know of it: the product
    hides its discounts from him, or he always pays the list price.
    """
    now = price_line(member, product, 1, at).unit_price
    if now is None or member.no_discount is not None or not _sees_discounts(member, product):
        return None
    rank = member.tier.rank if member.tier else -1
    higher = (tier for tier in ladder if tier.rank > rank)
    for tier in sorted(higher, key=lambda tier: tier.rank):
        then = price_line(replace(member, tier=tier), product, 1, at).unit_price
        if then is not None and then < now:
            return tier, then
    return None


# --- candidates ---------------------------------------------------------------------------------------------------


def _candidates(member: MemberTerms, product: ProductTerms, at: datetime) -> list[Candidate]:
    """All prices that could apply, in the order of their sources. What may compete has the verdict LOWEST for now."""
    price = product.list_price
    known = Verdict.LOWEST if price is not None else Verdict.NO_LIST_PRICE
    found = [Candidate(Source.LIST, "", None, price, known)]
    barred = _bar(member, product)
    tier = member.tier
    for own in sorted(product.own, key=lambda own: own.tier.rank):
        held = tier is not None and own.tier.code == tier.code
        ruling = barred or (None if held else _Ruling(Verdict.OTHER_TIER, {"tier": own.tier.name}))
        found.append(_discount(Source.PRODUCT, own.tier.name, price, ruling, percent=own.percent, own=own.price))
    if tier is not None:
        replaced = any(own.tier.code == tier.code for own in product.own)
        ruling = barred or (_Ruling(Verdict.OWN_PRICE, {"tier": tier.name}) if replaced else None)
        found.append(_discount(Source.TIER, tier.name, price, ruling, percent=tier.percent))
    for grade in sorted(member.grades, key=lambda grade: (grade.tool, grade.grade)):
        ruling = barred or _grade_bar(grade, product, at)
        found.append(_discount(Source.PLATFORM, grade.name, price, ruling, percent=grade.percent))
    return found


class _Ruling(NamedTuple):
    """Why a candidate does not compete."""

    verdict: Verdict
    facts: Mapping[str, str] = MappingProxyType({})


def _discount(
    source: Source,
    name: str,
    list_price: Decimal | None,
    ruling: _Ruling | None,
    *,
    percent: Decimal | None,
    own: Decimal | None = None,
) -> Candidate:
    """Make the candidate of a discount: a percentage of the list price, or a price of its own. Without a list price
    nothing can be said to be lower, so it does not compete."""
    price = own
    if price is None and percent is not None and list_price is not None:
        price = share_half_up(list_price, percent)
    if ruling is None:
        ruling = _Ruling(Verdict.NO_LIST_PRICE if list_price is None else Verdict.LOWEST)
    return Candidate(source, name, percent, price, ruling.verdict, ruling.facts)


def _bar(member: MemberTerms, product: ProductTerms) -> _Ruling | None:
    """Why no discount at all counts for this member and product; None when discounts do."""
    if member.no_discount is not None:
        return _Ruling(Verdict.NO_DISCOUNT_MEMBER, {"reason": member.no_discount.reason})
    if product.price_policy is PricePolicy.SPECIAL:
        return _Ruling(Verdict.SPECIAL_PRICE)
    if product.price_policy is PricePolicy.GROUP_BUY:
        return _Ruling(Verdict.GROUP_BUY)
    if product.visible_from is not None and not _sees_discounts(member, product):
        return _Ruling(Verdict.BELOW_TIER, {"tier": product.visible_from.name})
    return None


def _sees_discounts(member: MemberTerms, product: ProductTerms) -> bool:
    rank = member.tier.rank if member.tier else 0
    return product.visible_from is None or rank >= product.visible_from.rank


def _grade_bar(grade: GradeTerms, product: ProductTerms, at: datetime) -> _Ruling | None:
    if grade.channel_id is not None and grade.channel_id != product.channel_id:
        return _Ruling(Verdict.OTHER_CHANNEL, {"channel": grade.channel_name})
    if grade.percent is None:
        return _Ruling(Verdict.NO_PERCENT)
    if grade.seen_at > at:
        return _Ruling(Verdict.GRADE_LATER, {"seen_at": grade.seen_at.isoformat()})
    return None


def _judged(candidates: Sequence[Candidate]) -> tuple[Candidate, ...]:
    """Let the lowest of those that compete win, the first of equals, and tell the others how they lost to it."""
    prices = [c.unit_price for c in candidates if c.verdict is Verdict.LOWEST and c.unit_price is not None]
    lowest = min(prices, default=None)
    judged: list[Candidate] = []
    won = False
    for candidate in candidates:
        if candidate.verdict is not Verdict.LOWEST:
            judged.append(candidate)
        elif candidate.unit_price == lowest:
            judged.append(replace(candidate, verdict=Verdict.EQUAL) if won else candidate)
            won = True
        else:
            judged.append(replace(candidate, verdict=Verdict.HIGHER))
    return tuple(judged)
