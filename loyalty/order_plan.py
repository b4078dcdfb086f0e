"""What the ledger must still write for an order, given what it has written. Pure.

The order says what should be there, the journal says what is there, and the plan is the difference. That is why late,
repeated and shuffled imports end with the same points: nothing depends on how many steps led to where the order is.

- What the buyer paid earns points: pending from payment on, available once the order is completed.
- An order has succeeded when its receipt was confirmed, or a number of days after shipping, whichever comes first.
- What went back earns nothing: the points of the part that went back are taken back, under the rule that gave them.
  What stays begins its validity anew.
- A closed order keeps nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from crm.api import OrderChange, OrderStatus
from loyalty.choices import EntryKind, RenewalReason
from loyalty.posting import Posting, Renewal, Ripening, accrual, maturation, reversal
from loyalty.rules import Rate
from loyalty.validity import BUILT_IN, Policy, succeeds_at, valid_until


@dataclass(frozen=True, slots=True)
class PostedAccrual:
    """An accrual of the order as the journal has it: points given, points taken back and by how many entries, and
    whether it still waits."""

    key: str
    points: int
    reversed: int
    waiting: bool
    rate: Rate
    reversals: int = 0
    policy_version: int = 0


@dataclass(frozen=True, slots=True)
class PostedOrder:
    """All that the journal holds for one order."""

    accruals: tuple[PostedAccrual, ...] = ()

    @property
    def earned(self) -> int:
        return sum(a.points for a in self.accruals)

    @property
    def kept(self) -> int:
        return sum(a.points - a.reversed for a in self.accruals)


NOTHING_POSTED = PostedOrder()

_ALIVE = (OrderStatus.PAID, OrderStatus.SHIPPED, OrderStatus.COMPLETED)


def plan_order(
    change: OrderChange, posted: PostedOrder, rate_of_the_day: Rate, at: datetime, policy: Policy = BUILT_IN
) -> list[Posting]:
    """The postings that bring the journal to where the order says it should be; none when it is there already.

    ``policy`` says how long the points are valid: the one that was in force when the order was paid.
    """
    if change.member_id is None:
        return []
    rate = posted.accruals[0].rate if posted.accruals else rate_of_the_day
    alive = change.status in _ALIVE
    due_gross = rate.award(change.paid) if alive else posted.earned
    due_net = rate.award(change.paid - change.refunded) if alive else 0

    writer = _Writer(change, posted, member_id=change.member_id, rate=rate, policy=policy, at=at)
    more = max(due_gross - posted.earned, 0)
    if more:
        writer.accrue(more, award=due_gross, earning=change.paid)
    excess = posted.kept + more - due_net
    if excess > 0:
        writer.take_back(excess, kept=due_net)
    elif excess < 0:
        writer.accrue(-excess, award=due_net, earning=change.paid - change.refunded)
    if change.status is OrderStatus.COMPLETED:
        writer.mature()
    return writer.postings


def plan_ripening(change: OrderChange, posted: PostedOrder, policy: Policy) -> list[Ripening]:
    """When the order's points that wait become available even if nobody confirms the receipt."""
    ripe_at = succeeds_at(policy, change.shipped_at)
    if change.member_id is None or ripe_at is None or change.status not in (OrderStatus.PAID, OrderStatus.SHIPPED):
        return []
    return [
        Ripening(change.member_id, given.key, ripe_at)
        for given in posted.accruals
        if given.waiting and given.points > given.reversed
    ]


def plan_renewals(
    change: OrderChange,
    posted: PostedOrder,
    planned: Sequence[Posting],
    *,
    rate_of_the_day: Rate,
    policy: Policy,
    at: datetime,
) -> list[Renewal]:
    """What a partial return does to the validity of the points that the order keeps: their period begins anew.

    ``planned`` is what ``plan_order`` has for the order; where nothing is to be posted, nothing was returned. A whole
    return leaves nothing to renew, and a corrected amount is no return. Points that still wait have no period yet: the
    journal leaves them alone. The platforms' reports rarely say when money went back, so that the period begins when it
    was reported.
    """
    if not (planned and policy.partial_return_renews and change.status in _ALIVE):
        return []
    rate = posted.accruals[0].rate if posted.accruals else rate_of_the_day
    if not 0 < rate.award(change.paid - change.refunded) < rate.award(change.paid):
        return []
    new = [posting.key for posting in planned if posting.kind is EntryKind.ACCRUAL]
    return [
        Renewal(
            planned[0].account_id, f"{key}:renewal:{change.refunded}", valid_until(policy, at), at,
            RenewalReason.PARTIAL_RETURN, policy.version, about_key=key,
        )
        for key in [*(given.key for given in posted.accruals), *new]
    ]  # fmt: skip


class _Writer:
    """Builds the postings of one order with their keys, traces and times."""

    def __init__(
        self, change: OrderChange, posted: PostedOrder, *, member_id: int, rate: Rate, policy: Policy, at: datetime
    ) -> None:
        self.change = change
        self.member_id = member_id
        self.rate = rate
        # The version is kept beside the rule. Before the first published policy there is none to name.
        self.policy_trace = {"policy": policy.version} if policy.version else {}
        self.accruals: list[PostedAccrual] = list(posted.accruals)
        self.stem = f"order:{change.channel_code}:{change.external_no}"
        self.completed = change.status is OrderStatus.COMPLETED
        paid_at = change.paid_at or change.placed_at or at
        self.ripe_at = succeeds_at(policy, change.shipped_at)
        if self.completed:
            confirmed_at = change.completed_at or change.shipped_at or paid_at
            self.earned_at = min(confirmed_at, self.ripe_at or confirmed_at)
            self.expires_at = valid_until(policy, self.earned_at)
        else:
            self.earned_at = paid_at
            self.expires_at = None
        self.returned_at = change.closed_at or at
        self.postings: list[Posting] = []

    def accrue(self, points: int, *, award: int, earning: Decimal) -> None:
        """Give ``points``: what is missing to the ``award`` that the amount ``earning`` is worth in all."""
        number = len(self.accruals) + 1
        key = f"{self.stem}:accrual" if number == 1 else f"{self.stem}:accrual:{number}"
        self._add(
            accrual(
                self.member_id, points, key=key, effective_at=self.earned_at, pending=not self.completed,
                available_at=self.earned_at if self.completed else self.ripe_at, expires_at=self.expires_at,
                trace={
                    "rule": self.rate.as_trace(), "paid": str(earning), "award": award, "before": award - points,
                    **self.policy_trace,
                },
                **self._source,
            )
        )  # fmt: skip
        self.accruals.append(PostedAccrual(key, points, 0, waiting=False, rate=self.rate))

    def take_back(self, points: int, *, kept: int) -> None:
        trace = {
            "rule": self.rate.as_trace(),
            "paid": str(self.change.paid),
            "refunded": str(self.change.refunded),
            "kept": kept,
            "closed": self.change.status is OrderStatus.CLOSED,
        }
        for index in reversed(range(len(self.accruals))):
            given = self.accruals[index]
            part = min(points, given.points - given.reversed)
            if part <= 0:
                continue
            # Numbered within the accrual: where nothing is left to take (it has expired) the journal writes nothing,
            # and no number of another accrual may depend on that.
            number = given.reversals + 1
            self._add(
                reversal(
                    self.member_id, part, key=f"{given.key}:reversal:{number}", about_key=given.key,
                    effective_at=self.returned_at, trace=trace, **self._source,
                )
            )  # fmt: skip
            self.accruals[index] = replace(given, reversed=given.reversed + part, reversals=number)
            points -= part

    def mature(self) -> None:
        for given in self.accruals:
            if given.waiting and given.points > given.reversed:
                self._add(
                    maturation(
                        self.member_id, key=f"{given.key}:maturation", about_key=given.key, effective_at=self.earned_at,
                        available_at=self.earned_at, expires_at=self.expires_at,
                        trace={"rule": given.rate.as_trace(), "paid": str(self.change.paid), **self.policy_trace},
                        **self._source,
                    )
                )  # fmt: skip

    @property
    def _source(self) -> dict[str, Any]:
        return {"order_id": self.change.order_id, "reference": self.change.channel_code}

    def _add(self, posting: Posting) -> None:
        self.postings.append(posting)


class PostedRow(NamedTuple):
    """A journal entry of an order, as far as planning needs it. ``points`` counts available and pending together."""

    order_id: int
    entry_id: int
    kind: str
    key: str
    points: int
    waiting: bool
    about_id: int | None
    rule_version: str
    rule_per: str
    rule_points: str
    policy_version: int = 0

    @property
    def rate(self) -> Rate:
        return Rate(
            version=int(self.rule_version),
            per=Decimal(self.rule_per),
            points=int(self.rule_points),
        )


def posted_orders(rows: Sequence[PostedRow]) -> dict[int, PostedOrder]:
    """Fold journal entries, oldest first, into what each order holds."""
    by_order: dict[int, dict[int | None, PostedAccrual]] = {}
    for row in rows:
        accruals = by_order.setdefault(row.order_id, {})
        if row.kind == EntryKind.ACCRUAL:
            accruals[row.entry_id] = PostedAccrual(
                row.key, row.points, 0, row.waiting, row.rate, policy_version=row.policy_version
            )
        elif row.kind == EntryKind.MATURATION:
            accruals[row.about_id] = replace(accruals[row.about_id], waiting=False)
        elif row.kind == EntryKind.REVERSAL:
            given = accruals[row.about_id]
            accruals[row.about_id] = replace(given, reversed=given.reversed - row.points, reversals=given.reversals + 1)
    return {order_id: PostedOrder(tuple(accruals.values())) for order_id, accruals in by_order.items()}
