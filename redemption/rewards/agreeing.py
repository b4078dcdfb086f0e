"""What a member is asked to agree to before he takes a reward: on the page of the store, or in an embed."""

import json
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db import connection

from loyalty import api as loyalty
from redemption.models import Address
from redemption.rewards.addresses import ADDRESS_BOOK, book_from
from redemption.rewards.choices import RewardKind
from redemption.rewards.considering import HAD, Considered, consider, day_began, had_from
from redemption.rewards.seeing import SEEN_ALONE, SEEN_BY, Seen, seen_of
from redemption.rewards.standing import STANDING
from redemption.rewards.wishes import Wish

MOST_AT_ONCE = 100  # As the model has it.

# Only what is sent asks for an address.
_INTEREST = f"""
SELECT {SEEN_ALONE},
       r.min_tier_id IS NOT NULL OR EXISTS (SELECT FROM redemption_rewardtag AS rule WHERE rule.reward_id = r.id),
       {HAD}, {loyalty.POINTS_SUMMARY}::text, CASE WHEN r.kind = 'goods' THEN {ADDRESS_BOOK} END
  FROM (SELECT %(member)s::bigint) AS m (id), {STANDING}, {SEEN_BY} AND r.id = %(reward)s
"""


@dataclass(frozen=True, slots=True)
class Interest:
    """A member looks at a reward: what he sees and may have of it, the points that he has, and the ``addresses`` that
    it could be sent to. ``conditional`` says that it asks for a tier or tags; ``after`` is the redemption that he had
    last of it, 0 for none."""

    member_id: int
    considered: Considered
    summary: loyalty.AccountSummary
    addresses: list[Address]
    conditional: bool
    after: int

    @property
    def seen(self) -> Seen:
        return self.considered.seen

    @property
    def funds(self) -> int:
        """The points that he can spend; a debt is negative."""
        return self.summary.spendable - self.summary.debt

    @property
    def numbers(self) -> range:
        """The numbers of pieces that he may choose from."""
        return range(1, self.considered.most + 1)

    def pieces(self, wanted: int | None) -> int:
        """Return how many pieces he is shown the price of: as many as he wants and may have, at least one."""
        return min(wanted or 1, self.considered.most)


@dataclass(frozen=True, slots=True)
class Agreement:
    """So many pieces for ``price`` points and ``cash`` yuan; ``left`` points stay. ``addresses`` are what he may choose
    from where it is ``sent``, ``chosen`` the one that is ticked. ``token`` is the name of this very wish."""

    quantity: int
    price: int
    cash: Decimal
    left: int
    sent: bool
    addresses: list[Address]
    chosen: int | None
    token: str

    @property
    def homeless(self) -> bool:
        """Whether it is sent and no address is known: one has to be written first."""
        return self.sent and not self.addresses


def interest(member_id: int, reward_id: int, at: datetime) -> Interest | None:
    """Return what a member sees of a reward, also of one whose time is over; None when he sees nothing of it. One
    query, so that what is shown, what is counted and what the token will say are of one moment."""
    with connection.cursor() as cursor:
        cursor.execute(_INTEREST, {"member": member_id, "reward": reward_id, "at": at, "today": day_began(at)})
        row = cursor.fetchone()
    if row is None:
        return None
    seen, (conditional, had_of_it, points, addresses) = seen_of(row)
    summary = loyalty.summary_of(json.loads(points))
    had = had_from(had_of_it, at)
    return Interest(
        member_id,
        consider(seen, had.limits, summary.spendable - summary.debt, at),
        summary,
        book_from(addresses),
        conditional=conditional,
        after=had.latest,
    )


def agreement(shown: Interest, quantity: int, address_id: int | None, at: datetime) -> Agreement | None:
    """Return what he would agree to; None where the reward cannot be had."""
    seen, terms = shown.seen, shown.seen.terms
    if shown.considered.refusal is not None or terms is None:
        return None
    own = [address.pk for address in shown.addresses]
    wish = Wish(
        shown.member_id, seen.reward_id, seen.kind, terms.points, terms.cash, shown.conditional, shown.after, at
    )  # fmt: skip
    return Agreement(
        quantity,
        price=terms.points * quantity,
        cash=terms.cash * quantity,
        left=shown.funds - terms.points * quantity,
        sent=seen.kind is RewardKind.GOODS,
        addresses=shown.addresses,
        chosen=address_id if address_id in own else next(iter(own), None),
        token=wish.token(),
    )
