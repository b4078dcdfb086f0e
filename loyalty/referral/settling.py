"""Giving promoters their shares, and taking them back: the difference between what is due and what was given.

Runs after the import that changed an order has committed, at night, and when a person decides; how often, in which
sequence, and how many referrals at a time does not matter. It takes the promoters' accounts first, as everybody does
(docs/locking.md).
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from django.db import connection, transaction
from django.db.models import Exists, OuterRef, Q

from crm.api import OrderChanges
from loyalty.acts import Act, reward_acts, rules_about
from loyalty.choices import ReferralState
from loyalty.earning.award import award_from_trace
from loyalty.earning.compiling import CompiledSet
from loyalty.earning.facts import ActFacts, LineFacts
from loyalty.earning.kinds.acts import Referral as ReferralRule
from loyalty.journal import post
from loyalty.models import Entry, Referral, ReferralShare
from loyalty.policies import published_policies
from loyalty.posting import Posting, maturation, reversal
from loyalty.referral.deciding import BuyersOrder, Part, Window, fixed_points, parts_of, points_kept, shared_order
from loyalty.referral.orders import lines_of, orders_of
from loyalty.rule_usage import lock_members
from loyalty.rulebook import published_sets, set_at
from loyalty.validity import Policy, policy_at, valid_until

# How long after a referral's time an order of that time may still be reported.
_LATE_ORDERS = timedelta(days=60)
# So many referrals of an import are settled in one transaction.
_PER_TRANSACTION = 500


def settle(referral_id: int, at: datetime) -> int:
    """Bring a promoter's points to where the buyer's orders and the referral's state say they should be.

    Returns the points that were given less those that were taken back.
    """
    return settle_all([referral_id], at)[referral_id]


def settle_all(referral_ids: Collection[int], at: datetime) -> dict[int, int]:
    """Settle these referrals with a number of statements that does not depend on how many they are.

    Returns for each the points that were given less those that were taken back.
    """
    with transaction.atomic():
        chosen = Referral.objects.filter(pk__in=referral_ids)
        lock_members(chosen.values_list("promoter_id", flat=True))
        locked = chosen.select_for_update(of=("self",), no_key=True).select_related("link").order_by("pk")
        cases = _cases(list(locked), at)
        _give(cases, at)
        _follow(cases, at)
    return {case.referral.pk: case.moved for case in cases}


def note_orders(changes: OrderChanges, at: datetime) -> Mapping[str, int]:
    """Settle, once the import's batch is committed, the referrals of the buyers whose orders changed."""
    buyers = {change.member_id for change in changes.orders if change.member_id is not None}
    # Plain SQL with an array: the ORM would spell out some thousand placeholders, which costs more than the query.
    with connection.cursor() as cursor:
        cursor.execute("SELECT id FROM loyalty_referral WHERE buyer_id = ANY (%s) ORDER BY id", [sorted(buyers)])
        ids = [referral_id for (referral_id,) in cursor.fetchall()]
    for start in range(0, len(ids), _PER_TRANSACTION):
        transaction.on_commit(partial(settle_all, ids[start : start + _PER_TRANSACTION], at), robust=True)
    return {}


def settle_due(at: datetime, after: int, most: int) -> tuple[int, int, int, int | None]:
    """Settle the next ``most`` referrals that may have something to come: the night's part.

    Returns promoters, shares and points, and the last referral looked at; None for that when there are no more.
    """
    waiting = ReferralShare.objects.filter(referral=OuterRef("pk"), available=False, kept__gt=0)
    ids = list(
        Referral.objects.filter(
            Exists(waiting) | Q(shares=None, until__gt=at - _LATE_ORDERS), state=ReferralState.COUNTING, pk__gt=after
        )
        .order_by("pk")
        .values_list("pk", flat=True)[:most]
    )
    if not ids:
        return 0, 0, 0, None
    moved = [points for points in settle_all(ids, at).values() if points]
    return len(moved), len(moved), sum(moved), ids[-1]


@dataclass(slots=True)
class _Case:
    """A locked referral, the orders of its buyer by their ids, and its shares of them, the oldest first. ``moved``:
    points given less those taken back."""

    referral: Referral
    orders: dict[int, BuyersOrder]
    shares: list[ReferralShare]
    moved: int = 0

    def new_order(self) -> BuyersOrder | None:
        """The order that should bring a share and has none."""
        referral = self.referral
        if referral.state != ReferralState.COUNTING or any(self.orders[share.order_id].alive for share in self.shares):
            return None
        window = Window(referral.link.channel_id, referral.visited_at, referral.until)
        return shared_order(self.orders.values(), window)

    def shared(self) -> Iterable[tuple[BuyersOrder, list[ReferralShare]]]:
        """Each order that brought shares, with them."""
        by_order: dict[int, list[ReferralShare]] = defaultdict(list)
        for share in self.shares:
            by_order[share.order_id].append(share)
        return ((self.orders[order_id], shares) for order_id, shares in by_order.items())


def _cases(referrals: Sequence[Referral], at: datetime) -> list[_Case]:
    orders = orders_of({referral.buyer_id for referral in referrals}, at)
    shares: dict[int, list[ReferralShare]] = defaultdict(list)
    for share in ReferralShare.objects.filter(referral__in=referrals).order_by("pk"):
        shares[share.referral_id].append(share)
    cases = []
    for referral in referrals:
        of_buyer = {order.order_id: order for order in orders[referral.buyer_id]}
        own = [share for share in shares[referral.pk] if share.order_id in of_buyer]
        cases.append(_Case(referral, of_buyer, own))
    return cases


def _give(cases: Iterable[_Case], at: datetime) -> None:
    """Accrue the shares of orders that have none, pending, one for each part of an order with a share of its own."""
    new = [(case, order) for case in cases if (order := case.new_order()) is not None]
    sets = published_sets()
    own = {order.order_id: _own_products(set_at(sets, order.paid_at)) for _case, order in new}
    lines = lines_of([order for _case, order in new if own[order.order_id]], at)
    parts = [
        (case, order, part)
        for case, order in new
        if (products := own[order.order_id]) is not None
        for part in parts_of(order, lines.get(order.order_id, []), products)
    ]
    acts = [_act(case, order, part) for case, order, part in parts]
    outcomes = reward_acts(acts, at=at, pending=True)
    keys = [act.key for act, outcome in zip(acts, outcomes, strict=True) if outcome is not None]
    traces = dict(Entry.objects.filter(key__in=keys).values_list("key", "trace"))
    for (case, order, part), act in zip(parts, acts, strict=True):
        award = award_from_trace(traces[act.key]["award"]) if act.key in traces else None
        points = award.points if award else 0
        share = ReferralShare(
            referral=case.referral, order_id=order.order_id, product_id=part.product_id, key=act.key, amount=part.paid,
            given=points, kept=points, fixed=fixed_points(award) if award else 0,
        )  # fmt: skip
        case.shares.append(share)
        case.moved += points
    ReferralShare.objects.bulk_create(share for case, _order in new for share in case.shares if share.pk is None)


def _own_products(rules: CompiledSet) -> set[int] | None:
    """The products that have a share of their own; None when referrals bring nothing at all."""
    about_referrals = [rule.kind for rule in rules_about(rules, ReferralRule.act)]
    if not about_referrals:
        return None
    return {share.product_id for kind in about_referrals if isinstance(kind, ReferralRule) for share in kind.products}


def _act(case: _Case, order: BuyersOrder, part: Part) -> Act:
    key = f"referral:{order.order_id}" + (f":{part.product_id}" if part.product_id else "")
    facts = ActFacts(ReferralRule.act, order.paid_at, amount=part.paid, product_id=part.product_id)
    return Act(case.referral.promoter_id, key, facts)


_UPDATE_SHARES = """
UPDATE loyalty_referralshare AS s
   SET kept = n.kept, reversals = n.reversals, available = n.available
  FROM unnest(%s::bigint[], %s::bigint[], %s::smallint[], %s::boolean[]) AS n (id, kept, reversals, available)
 WHERE s.id = n.id
"""


def _follow(cases: Iterable[_Case], at: datetime) -> None:
    """Take back what went back, and let the rest become available where the order has succeeded."""
    shared = [(case, order, shares) for case in cases for order, shares in case.shared()]
    in_parts = [order for _case, order, shares in shared if any(share.product_id for share in shares)]
    lines = lines_of(in_parts, at)
    policies = published_policies()
    back: list[Posting] = []
    ripe: list[Posting] = []
    changed: list[ReferralShare] = []
    for case, order, shares in shared:
        nets = _nets(order, shares, lines.get(order.order_id, []))
        counts = case.referral.state == ReferralState.COUNTING and order.alive
        for share in shares:
            before = (share.kept, share.available)
            kept = points_kept(share.given, share.fixed, share.amount, nets[share.product_id]) if counts else 0
            if kept < share.kept:
                share.reversals += 1
                back.append(_taking(case.referral, share, share.kept - kept, at))
                case.moved -= share.kept - kept
                share.kept = kept
            if not share.available and share.kept and order.succeeded_at is not None:
                share.available = True
                ripe.append(_ripe(case.referral, share, order.succeeded_at, policies))
            if (share.kept, share.available) != before:
                changed.append(share)
    _update(changed)
    # Taken back first: what is left becomes available.
    for postings in filter(None, (back, ripe)):
        post(postings, at=at)


def _update(shares: Sequence[ReferralShare]) -> None:
    if shares:
        columns = zip(*((share.pk, share.kept, share.reversals, share.available) for share in shares), strict=True)
        with connection.cursor() as cursor:
            cursor.execute(_UPDATE_SHARES, [list(column) for column in columns])


def _nets(order: BuyersOrder, shares: Iterable[ReferralShare], lines: Sequence[LineFacts]) -> dict[int | None, int]:
    own = {share.product_id for share in shares if share.product_id is not None}
    nets: dict[int | None, int] = {share.product_id: 0 for share in shares}
    return nets | {part.product_id: part.net for part in parts_of(order, lines, own)}


def _taking(referral: Referral, share: ReferralShare, points: int, at: datetime) -> Posting:
    return reversal(
        referral.promoter_id, points, key=f"{share.key}:reversal:{share.reversals}", about_key=share.key,
        effective_at=at, reference=f"act:{ReferralRule.act}",
        trace={"act": ReferralRule.act, "kept": share.kept - points},
    )  # fmt: skip


def _ripe(referral: Referral, share: ReferralShare, succeeded_at: datetime, policies: Sequence[Policy]) -> Posting:
    policy = policy_at(policies, succeeded_at)
    return maturation(
        referral.promoter_id, key=f"{share.key}:maturation", about_key=share.key, effective_at=succeeded_at,
        available_at=succeeded_at, expires_at=valid_until(policy, succeeded_at), reference=f"act:{ReferralRule.act}",
        trace={"act": ReferralRule.act, **({"policy": policy.version} if policy.version else {})},
    )  # fmt: skip
