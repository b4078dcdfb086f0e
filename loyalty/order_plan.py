"""What the ledger must still write for an order, given what it has written and what the order is worth. Pure.

The order says what should be there, the journal says what is there, and the plan is the difference. That is why late,
repeated and shuffled imports end with the same points: nothing depends on how many steps led to where the order is.

- What the buyer paid earns points: pending from payment on, available once the order is completed.
- An order has succeeded when its receipt was confirmed, or a number of days after shipping, whichever comes first.
- What went back earns nothing: the points of the part that went back are taken back, as the award says that was made
  when the order was first seen. What stays begins its validity anew.
- A closed order keeps nothing.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from crm.api import OrderChange, OrderStatus
from loyalty.choices import EntryKind, RenewalReason
from loyalty.posting import Posting, Renewal, Ripening, accrual, maturation, reversal
from loyalty.validity import BUILT_IN, Policy, succeeds_at, valid_until


@dataclass(frozen=True, slots=True)
class Due:
    """What the rules say of an order as it stands: ``gross`` points for all that was paid, of which ``net`` stay after
    what went back. ``version`` names the set of rules; ``trace`` is the award with what it was made from, as the
    journal keeps it. ``changed`` when the journal has another award for the order, or none."""

    version: int
    gross: int = 0
    net: int = 0
    trace: dict[str, Any] = field(default_factory=dict)
    changed: bool = False


@dataclass(frozen=True, slots=True)
class Frozen:
    """The award that the journal holds for an order: the set's version, the award as its trace has it, what had been
    paid then, and, where the set looks at more than that, a ``mark`` of the order, and the ``buyer`` and the ``goods``
    as they were that day."""

    version: int
    award: Any
    paid: Decimal
    mark: str = ""
    buyer: dict[str, Any] = field(default_factory=dict)
    goods: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PostedAccrual:
    """An accrual of the order as the journal has it: points given, points taken back and by how many entries, and
    whether it still waits."""

    key: str
    points: int
    reversed: int
    waiting: bool
    reversals: int = 0
    policy_version: int = 0


@dataclass(frozen=True, slots=True)
class PostedOrder:
    """All that the journal holds for one order."""

    accruals: tuple[PostedAccrual, ...] = ()
    frozen: Frozen | None = None

    @property
    def earned(self) -> int:
        return sum(a.points for a in self.accruals)

    @property
    def kept(self) -> int:
        return sum(a.points - a.reversed for a in self.accruals)


NOTHING_POSTED = PostedOrder()
NOTHING_DUE = Due(version=0)

_ALIVE = frozenset({OrderStatus.PAID, OrderStatus.SHIPPED, OrderStatus.COMPLETED})


def earns(change: OrderChange) -> bool:
    """Whether the order is in a state in which it is worth points to somebody."""
    return change.member_id is not None and change.status in _ALIVE


def paid_instant(change: OrderChange, at: datetime) -> datetime:
    """When the order was paid, as far as anybody has said; else now."""
    return change.paid_at or change.placed_at or at


def plan_order(
    change: OrderChange, posted: PostedOrder, due: Due, at: datetime, policy: Policy = BUILT_IN
) -> list[Posting]:
    """The postings that bring the journal to where the order says it should be; none when it is there already.

    ``due`` says what the order is worth; of a closed order only its version is looked at. ``policy`` says how long the
    points are valid: the one that was in force when the order was paid.
    """
    if change.member_id is None:
        return []
    alive = change.status in _ALIVE
    gross, net = (due.gross, due.net) if alive else (posted.earned, 0)

    writer = _Writer(change, posted, member_id=change.member_id, due=due, policy=policy, at=at)
    more = max(gross - posted.earned, 0)
    if more:
        writer.accrue(more, worth=gross)
    excess = posted.kept + more - net
    if excess > 0:
        writer.take_back(excess, kept=net)
    elif excess < 0:
        writer.accrue(-excess, worth=net, after_refund=True)
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
    due: Due,
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
    if not 0 < due.net < due.gross:
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
        self, change: OrderChange, posted: PostedOrder, *, member_id: int, due: Due, policy: Policy, at: datetime
    ) -> None:
        self.change = change
        self.member_id = member_id
        self.due = due
        # The version is kept beside the rules. Before the first published policy there is none to name.
        self.policy_trace = {"policy": policy.version} if policy.version else {}
        self.accruals: list[PostedAccrual] = list(posted.accruals)
        self.stem = f"order:{change.channel_code}:{change.external_no}"
        self.completed = change.status is OrderStatus.COMPLETED
        paid_at = paid_instant(change, at)
        self.ripe_at = succeeds_at(policy, change.shipped_at)
        if self.completed:
            confirmed_at = change.completed_at or change.shipped_at or paid_at
            self.earned_at = min(confirmed_at, self.ripe_at or confirmed_at)
            self.expires_at = valid_until(policy, self.earned_at)
        else:
            self.earned_at = paid_at
            self.expires_at = None
        self.returned_at = change.closed_at or at
        self.award_told = not due.changed
        self.postings: list[Posting] = []

    def accrue(self, points: int, *, worth: int, after_refund: bool = False) -> None:
        """Give ``points``: what is missing to what the order is ``worth``, with or without what went back."""
        number = len(self.accruals) + 1
        key = f"{self.stem}:accrual" if number == 1 else f"{self.stem}:accrual:{number}"
        refunded = {"refunded": str(self.change.refunded)} if after_refund else {}
        self._add(
            accrual(
                self.member_id, points, key=key, effective_at=self.earned_at, pending=not self.completed,
                available_at=self.earned_at if self.completed else self.ripe_at, expires_at=self.expires_at,
                trace={
                    "set": self.due.version, **self.due.trace, "paid": str(self.change.paid), **refunded,
                    "worth": worth, "before": worth - points, **self.policy_trace,
                },
                **self._source,
            )
        )  # fmt: skip
        self.accruals.append(PostedAccrual(key, points, 0, waiting=False))
        self.award_told = True

    def take_back(self, points: int, *, kept: int) -> None:
        """Take ``points`` back, those that came last first. An award that has become smaller is told here."""
        trace = {
            "set": self.due.version,
            **({} if self.award_told else self.due.trace),
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
        """Let what waits become available. An award that was made anew for the same points is told here."""
        award = {} if self.award_told else self.due.trace
        for given in self.accruals:
            if given.waiting and given.points > given.reversed:
                self._add(
                    maturation(
                        self.member_id, key=f"{given.key}:maturation", about_key=given.key, effective_at=self.earned_at,
                        available_at=self.earned_at, expires_at=self.expires_at,
                        trace={
                            "set": self.due.version, **award, "paid": str(self.change.paid), **self.policy_trace,
                        },
                        **self._source,
                    )
                )  # fmt: skip

    @property
    def _source(self) -> dict[str, Any]:
        return {"order_id": self.change.order_id, "reference": self.change.channel_code}

    def _add(self, posting: Posting) -> None:
        self.postings.append(posting)


class PostedRow(NamedTuple):
    """A journal entry of an order, as far as planning needs it. ``points`` counts available and pending together,
    ``award`` is the entry's trace as JSON text where that holds an award, else None."""

    order_id: int
    entry_id: int
    kind: str
    key: str
    points: int
    waiting: bool
    about_id: int | None
    policy_version: int = 0
    award: str | None = None


def posted_orders(rows: Sequence[PostedRow]) -> dict[int, PostedOrder]:
    """Fold journal entries, oldest first, into what each order holds."""
    by_order: dict[int, dict[int | None, PostedAccrual]] = {}
    awards: dict[int, str] = {}
    for row in rows:
        accruals = by_order.setdefault(row.order_id, {})
        if row.award is not None:
            awards[row.order_id] = row.award
        if row.kind == EntryKind.ACCRUAL:
            accruals[row.entry_id] = PostedAccrual(
                row.key, row.points, 0, row.waiting, policy_version=row.policy_version
            )
        elif row.kind == EntryKind.MATURATION:
            accruals[row.about_id] = replace(accruals[row.about_id], waiting=False)
        elif row.kind == EntryKind.REVERSAL:
            given = accruals[row.about_id]
            accruals[row.about_id] = replace(given, reversed=given.reversed - row.points, reversals=given.reversals + 1)
    return {
        order_id: PostedOrder(tuple(accruals.values()), _frozen(awards.get(order_id)))
        for order_id, accruals in by_order.items()
    }


def _frozen(text: str | None) -> Frozen | None:
    if text is None:
        return None
    trace = json.loads(text)
    return Frozen(
        trace["set"], trace["award"], Decimal(trace["paid"]), trace.get("mark", ""), trace.get("buyer", {}),
        trace.get("goods", {}),
    )  # fmt: skip
