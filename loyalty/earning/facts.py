"""What the rules may know. Amounts are whole fen; instants are aware.

Named tuples and not dataclasses, because an import makes some thousand of them a second.
"""

from datetime import date, datetime
from typing import NamedTuple

# What a product may say about its points (crm.Product).
NORMAL, SPECIAL, ZERO, BONUS = "normal", "special", "zero", "bonus"
POLICIES = (NORMAL, SPECIAL, ZERO, BONUS)

NO_TAGS: frozenset[str] = frozenset()


class LineFacts(NamedTuple):
    """One line of an order. ``paid`` is its share of what the buyer paid: the lines of an order sum to the order's
    ``paid`` to the fen (``loyalty.earning.allocate.allocate`` sees to it). ``key`` tells the lines of an order apart.
    ``bonus_points`` is what the product itself says that a piece of it earns, where its policy is "bonus".
    """

    key: str = ""
    product_id: int | None = None
    code: str = ""
    policy: str = NORMAL
    category: str = ""
    quantity: int = 1
    paid: int = 0
    refunded: int = 0
    tags: frozenset[str] = NO_TAGS
    bonus_points: int = 0


class MemberFacts(NamedTuple):
    """Who buys. ``earlier_orders`` counts the orders that he had paid before this one."""

    member_id: int = 0
    tier: str = ""
    tier_rank: int = 0
    tags: frozenset[str] = NO_TAGS
    birthday: date | None = None
    joined_at: datetime | None = None
    profile_complete: bool = False
    earlier_orders: int = 0


class OrderFacts(NamedTuple):
    """An order as it is known. ``paid`` is what the buyer paid in all, before anything went back.

    No ``lines``: nothing is known about what was bought, and the order counts as one normal line with the key "".
    """

    channel: str = ""
    paid: int = 0
    refunded: int = 0
    payment_kind: str = ""
    placed_at: datetime | None = None
    paid_at: datetime | None = None
    shipped_at: datetime | None = None
    completed_at: datetime | None = None
    lines: tuple[LineFacts, ...] = ()

    @property
    def at(self) -> datetime | None:
        """The instant whose rules count: when it was paid, or else placed."""
        return self.paid_at or self.placed_at


class ActFacts(NamedTuple):
    """Something else that earns points.

    ``kind`` is one of "signin", "birthday", "profile", "referral", "campaign". ``streak``: which day in a row this
    sign-in is, beginning with 1. ``amount`` (fen) and ``product_id``: what the referred buyer bought. ``code``: of the
    campaign.
    """

    kind: str
    at: datetime
    streak: int = 0
    amount: int = 0
    code: str = ""
    product_id: int | None = None


NOBODY = MemberFacts()
