"""From changed orders to the journal, inside the transaction that changed them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.db import connection

from crm.api import OrderChanges
from loyalty.choices import EntryKind, ValidityKind
from loyalty.journal import expire_overdue, lock_accounts, post
from loyalty.order_plan import (
    NOTHING_DUE,
    NOTHING_POSTED,
    PostedOrder,
    PostedRow,
    paid_instant,
    plan_order,
    plan_renewals,
    plan_ripening,
    posted_orders,
)
from loyalty.order_worth import dues
from loyalty.policies import published_policies
from loyalty.posting import Outcome, Posting, Renewal, Ripening, Verb
from loyalty.renewals import renew, renew_by_purchases, schedule
from loyalty.returns import plan_returns
from loyalty.rulebook import PublishedSets, published_sets
from loyalty.validity import BUILT_IN, Policy, policy_at

# A batch becomes one database call a verb. Within one order points are given before they are taken back, and taken back
# before the rest becomes available; between orders the sequence does not matter.
_SEQUENCE = {Verb.ACCRUE: 0, Verb.REVERSE: 1, Verb.MATURE: 2}


# Plain SQL with an array: the ORM would spell out some thousand placeholders, which costs more than the query.
_POSTED = """
SELECT e.order_id, e.id, e.kind, e.key, e.points + e.pending, e.pending > 0, e.about_id,
       coalesce((e.trace ->> 'policy')::integer, 0), CASE WHEN e.trace ? 'award' THEN e.trace END
  FROM loyalty_entry AS e WHERE e.order_id = ANY (%s) ORDER BY e.id
"""


def on_orders(changes: OrderChanges, at: datetime) -> Mapping[str, int]:
    """Bring the journal to where the changed orders say it should be.

    Returns how many points became available (``points_accrued``), wait for their order (``points_pending``) and were
    taken back (``points_reversed``).
    """
    sets, policies = published_sets(), published_policies()
    plan = _plan(changes, sets, policies, at)
    returning = [change.member_id for change in changes.returns]
    if plan.ripenings or returning:
        # The journal locks the accounts of its postings in ascending order; those of others must not come after them.
        lock_accounts(plan.postings, also=[*(ripening.account_id for ripening in plan.ripenings), *returning])
    effects = _write(plan.postings, policies, at)
    schedule(plan.ripenings)
    renew(plan.renewals, at=at)
    if returning:
        expire_overdue(returning, at=at)
        # The cap on returns without an order looks at what the orders of this very batch have earned.
        for name, value in _write(plan_returns(changes.returns, sets, at, policies), policies, at).items():
            effects[name] += value
    return effects


@dataclass
class _Plan:
    """What a batch of orders still has to change."""

    postings: list[Posting] = field(default_factory=list)
    ripenings: list[Ripening] = field(default_factory=list)
    renewals: list[Renewal] = field(default_factory=list)


def _plan(changes: OrderChanges, sets: PublishedSets, policies: Sequence[Policy], at: datetime) -> _Plan:
    journal = _posted([change.order_id for change in changes.orders])
    worth = dues(changes, journal, sets, at)
    versions = {policy.version: policy for policy in (*policies, BUILT_IN)}
    plan = _Plan()
    for change in changes.orders:
        due = worth.get(change.order_id, NOTHING_DUE)
        posted = journal.get(change.order_id, NOTHING_POSTED)
        # What an order was promised when its points were accrued holds, whatever has been published since.
        promised = posted.accruals[0].policy_version if posted.accruals else None
        policy = policy_at(policies, paid_instant(change, at)) if promised is None else versions[promised]
        postings = plan_order(change, posted, due, at, policy)
        plan.postings += postings
        plan.ripenings += plan_ripening(change, posted, policy)
        plan.renewals += plan_renewals(change, posted, postings, due=due, policy=policy, at=at)
    plan.postings.sort(key=lambda posting: _SEQUENCE[posting.verb])
    return plan


def _posted(order_ids: list[int]) -> dict[int, PostedOrder]:
    with connection.cursor() as cursor:
        cursor.execute(_POSTED, [order_ids])
        return posted_orders([PostedRow(*row) for row in cursor.fetchall()])


def _write(postings: list[Posting], policies: Sequence[Policy], at: datetime) -> dict[str, int]:
    outcomes = post(postings, at=at) if postings else []
    renewing = {policy.version for policy in policies if policy.kind is ValidityKind.ACCOUNT_RENEWAL}
    if renewing:
        renew_by_purchases(
            {
                posting.account_id
                for posting, outcome in zip(postings, outcomes, strict=True)
                if outcome.points > 0 and posting.trace.get("policy") in renewing
            },
            at=at,
        )
    return _effects(postings, outcomes)


def _effects(postings: Sequence[Posting], outcomes: Sequence[Outcome]) -> dict[str, int]:
    accrued = pending = reversed_ = 0
    for posting, outcome in zip(postings, outcomes, strict=True):
        if outcome.repeated:
            continue
        if posting.kind is EntryKind.REVERSAL:
            reversed_ -= outcome.points + outcome.pending
        else:
            accrued += outcome.points
            pending += max(outcome.pending, 0)
    return {
        "points_accrued": accrued,
        "points_pending": pending,
        "points_reversed": reversed_,
    }
