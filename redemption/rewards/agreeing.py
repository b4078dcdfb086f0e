"""What a member is asked to agree to before he takes a reward: on the page of the store, or in an embed."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from loyalty import api as loyalty
from redemption.models import Address, Reward
from redemption.rewards.addresses import addresses_of
from redemption.rewards.choices import RewardKind
from redemption.rewards.considering import Considered, consider, find_seen
from redemption.rewards.opening import open_wish
from redemption.rewards.seeing import Seen
from redemption.rewards.standing import standing_of

MOST_AT_ONCE = 100  # As the model has it.


@dataclass(frozen=True, slots=True)
class Interest:
    """A member looks at a reward: what he sees and may have of it, and the points that he has."""

    member_id: int
    considered: Considered
    summary: loyalty.AccountSummary

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
    """Return what a member sees of a reward; None when he sees nothing of it."""
    seen = find_seen(reward_id, standing_of(member_id, at))
    if seen is None:
        return None
    summary = loyalty.summary(member_id, at)
    return Interest(member_id, consider(seen, member_id, summary.spendable - summary.debt, at), summary)


def agreement(shown: Interest, quantity: int, address_id: int | None, at: datetime) -> Agreement | None:
    """Return what he would agree to; None where the reward cannot be had."""
    terms = shown.seen.terms
    if shown.considered.refusal is not None or terms is None:
        return None
    sent = shown.seen.kind is RewardKind.GOODS
    addresses = addresses_of(shown.member_id) if sent else []
    own = [address.pk for address in addresses]
    return Agreement(
        quantity,
        price=terms.points * quantity,
        cash=terms.cash * quantity,
        left=shown.funds - terms.points * quantity,
        sent=sent,
        addresses=addresses,
        chosen=address_id if address_id in own else next(iter(own), None),
        token=open_wish(shown.member_id, Reward.objects.get(pk=shown.seen.reward_id), at).token(),
    )
