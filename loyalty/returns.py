"""Returns that name no order.

Some exports report a return as a document of its own, with a buyer and an amount but no order. Its points are taken
back from what the buyer earned on that channel, and never more than that: a return of goods bought before the programme
began costs nobody points. Like order plans this is a difference between what should be taken and what has been, so the
sequence in which orders and returns arrive does not matter.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Q, Sum, Value
from django.db.models.functions import Coalesce

from crm.api import ReturnsChange
from loyalty.choices import EntryKind
from loyalty.earning.compiling import CompiledSet
from loyalty.earning.money import fen
from loyalty.models import Entry
from loyalty.posting import Posting, accrual, reversal
from loyalty.rulebook import PublishedSets, set_at
from loyalty.validity import BUILT_IN, Policy, policy_at, valid_until


@dataclass(frozen=True, slots=True)
class ReturnsPosted:
    """What the journal holds for a member on a channel: points his orders brought in all and how many of them expired,
    points taken for returns without an order, and how many entries did that."""

    earned: int = 0
    taken: int = 0
    entries: int = 0
    expired: int = 0


def plan_return(
    change: ReturnsChange, posted: ReturnsPosted, rules: CompiledSet, at: datetime, policy: Policy = BUILT_IN
) -> Posting | None:
    """The posting that brings the points taken for a member's returns to where they should be, if one is needed.

    What the goods had earned is not known, so they count for what the ``rules`` give for any such amount: neither a
    festival nor a tier plays a part. Points given back are valid by ``policy``."""
    due = min(rules.base_for(fen(change.refunded)), max(posted.earned, 0))
    # Points that have expired are not taken a second time.
    difference = min(due - posted.taken, max(posted.earned - posted.expired - posted.taken, 0))
    if not difference:
        return None
    key = f"returns:{change.channel_code}:{change.member_id}:{posted.entries + 1}"
    effective_at = change.latest_at or at
    trace = {
        "set": rules.version,
        "returned": str(change.refunded),
        "earned": posted.earned,
        "due": due,
    }
    reference = _reference(change.channel_code)
    if difference > 0:
        return reversal(
            change.member_id,
            difference,
            key=key,
            effective_at=effective_at,
            reference=reference,
            trace=trace,
        )
    return accrual(
        change.member_id, -difference, key=key, effective_at=effective_at, available_at=effective_at,
        expires_at=valid_until(policy, effective_at), reference=reference, trace=trace,
    )  # fmt: skip


def plan_returns(
    changes: Sequence[ReturnsChange], sets: PublishedSets, at: datetime, policies: Sequence[Policy] = ()
) -> list[Posting]:
    """Plan for all members of a batch; two queries a channel."""
    postings = []
    for channel_code in sorted({change.channel_code for change in changes}):
        of_channel = [change for change in changes if change.channel_code == channel_code]
        posted = _posted(channel_code, [change.member_id for change in of_channel])
        for change in of_channel:
            rules = set_at(sets, change.latest_at or at)
            policy = policy_at(policies, change.latest_at or at)
            posting = plan_return(change, posted.get(change.member_id, ReturnsPosted()), rules, at, policy)
            if posting is not None:
                postings.append(posting)
    postings.sort(key=lambda posting: posting.verb)
    return postings


def _posted(channel_code: str, member_ids: list[int]) -> dict[int, ReturnsPosted]:
    of_orders = Q(order__isnull=False, reference=channel_code)
    of_returns = Q(reference=_reference(channel_code))
    expiries = Q(kind=EntryKind.EXPIRY, about__order__isnull=False, about__reference=channel_code)
    rows = (
        Entry.objects.filter(of_orders | of_returns | expiries, account_id__in=member_ids)
        .order_by()
        .values("account_id")
        .annotate(
            earned=Coalesce(Sum("points", filter=of_orders), Value(0)),
            taken=-Coalesce(Sum("points", filter=of_returns), Value(0)),
            entries=Count("id", filter=of_returns),
            expired=-Coalesce(Sum("points", filter=expiries), Value(0)),
        )
    )
    return {
        row["account_id"]: ReturnsPosted(row["earned"], row["taken"], row["entries"], row["expired"]) for row in rows
    }


def _reference(channel_code: str) -> str:
    return f"returns:{channel_code}"
