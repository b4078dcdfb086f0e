"""What counts as a referral and what its share is. Pure decisions; the neighbours fetch and write."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from loyalty.choices import ReferralState
from loyalty.earning.award import Award
from loyalty.earning.facts import LineFacts
from loyalty.earning.taking_back import LineMoney, spread_refunds

# Signs that a promoter brought himself: no share.
CIRCLE, SAME_DEVICE = "circle", "same_device"
SAME_PHONE, SAME_EMAIL, SAME_ADDRESS = "same_phone", "same_email", "same_address"
# Signs that somebody should have a look.
SHARED_DEVICE, MANY_IN_A_DAY, BOUGHT_AT_ONCE = "shared_device", "many_in_a_day", "bought_at_once"

MANY = 10  # Buyers brought within a day; friends come one by one.
AT_ONCE = timedelta(minutes=1)  # From opening the link to paying: nobody looks at goods so briefly.


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of a promoter and the buyer whom he is said to have brought."""

    circle: bool = False
    same_device: bool = False
    same_phone: bool = False
    same_email: bool = False
    same_address: bool = False
    others_on_device: int = 0
    brought_within_a_day: int = 0
    paid_after: timedelta | None = None


def judge(evidence: Evidence) -> tuple[ReferralState, list[str]]:
    """Whether a referral counts, waits for a person, or is refused, and what speaks against it."""
    refused = [
        sign
        for sign, found in (
            (CIRCLE, evidence.circle),
            (SAME_DEVICE, evidence.same_device),
            (SAME_PHONE, evidence.same_phone),
            (SAME_EMAIL, evidence.same_email),
            (SAME_ADDRESS, evidence.same_address),
        )
        if found
    ]
    doubtful = [
        sign
        for sign, found in (
            (SHARED_DEVICE, evidence.others_on_device > 0),
            (MANY_IN_A_DAY, evidence.brought_within_a_day >= MANY),
            (BOUGHT_AT_ONCE, evidence.paid_after is not None and evidence.paid_after < AT_ONCE),
        )
        if found
    ]
    if refused:
        return ReferralState.REFUSED, refused + doubtful
    return (ReferralState.REVIEW if doubtful else ReferralState.COUNTING), doubtful


@dataclass(frozen=True, slots=True)
class BuyersOrder:
    """An order of the buyer. ``alive``: paid and not closed. Amounts are fen; ``succeeded_at`` when it has."""

    order_id: int
    channel_id: int
    alive: bool
    paid_at: datetime
    paid: int
    refunded: int
    succeeded_at: datetime | None


@dataclass(frozen=True, slots=True)
class Window:
    """What an order must meet: the shop, and when it was paid."""

    channel_id: int
    since: datetime
    until: datetime


def first_order(orders: Iterable[BuyersOrder]) -> BuyersOrder | None:
    """The order that was paid first, of those that are not closed."""
    alive = [order for order in orders if order.alive]
    return min(alive, key=lambda order: (order.paid_at, order.order_id), default=None)


def shared_order(orders: Iterable[BuyersOrder], window: Window) -> BuyersOrder | None:
    """The order whose share the promoter gets: the buyer's very first, if it fell into the window. Who had bought
    before was no new buyer."""
    first = first_order(orders)
    if first is None or first.channel_id != window.channel_id or not window.since <= first.paid_at < window.until:
        return None
    return first


@dataclass(frozen=True, slots=True)
class Part:
    """A part of an order with a share of its own: what was paid for it, and what is left after goods came back (fen).
    ``product_id`` is None for all that has the usual share."""

    product_id: int | None
    paid: int
    net: int


def parts_of(order: BuyersOrder, lines: Sequence[LineFacts], own: Collection[int]) -> list[Part]:
    """An order in parts: one for each product of ``own``, which have shares of their own, and one for the rest.

    ``lines`` sum to what was paid. Money that went back and names no line is spread over all of them.
    """
    if not any(line.product_id in own for line in lines):
        return [Part(None, order.paid, max(order.paid - order.refunded, 0))]
    money = [LineMoney(line.key, line.paid, line.refunded) for line in lines]
    sums: dict[int | None, list[int]] = {}
    for line, back in zip(lines, spread_refunds(money, order.refunded), strict=True):
        part = sums.setdefault(line.product_id if line.product_id in own else None, [0, 0])
        part[0] += line.paid
        part[1] += max(line.paid - back.refunded, 0)
    return [Part(product_id, paid, net) for product_id, (paid, net) in sums.items() if paid]


def fixed_points(award: Award) -> int:
    """How many points of an award do not depend on the amount."""
    return sum(line.points for line in award.lines if not line.factor.endswith("%"))


def points_kept(given: int, fixed: int, amount: int, net: int) -> int:
    """What stays of a share when ``net`` of ``amount`` fen are left. Fixed points stay as long as anything does; of a
    percentage the part that went back is taken, rounded down in the promoter's favour as for every order."""
    if net <= 0:
        return 0
    if net >= amount:
        return given
    return given - (given - fixed) * (amount - net) // amount
