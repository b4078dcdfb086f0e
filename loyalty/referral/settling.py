"""Giving the promoter his share, and taking it back: the difference between what is due and what was given.

Runs after the import that changed an order has committed, at night, and when a person decides; how often, and in which
sequence, does not matter. It takes the promoter's account first, as everybody does (docs/locking.md).
"""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from django.db import connection, transaction
from django.db.models import Exists, OuterRef, Q

from crm.api import OrderChanges
from loyalty.acts import reward_act, rules_about
from loyalty.choices import ReferralState
from loyalty.earning.award import award_from_trace
from loyalty.earning.facts import ActFacts
from loyalty.earning.kinds.acts import Referral as ReferralRule
from loyalty.journal import post
from loyalty.models import Entry, Referral, ReferralShare
from loyalty.policies import policy_in_force
from loyalty.posting import Posting, maturation, reversal
from loyalty.referral.deciding import BuyersOrder, Part, Window, fixed_points, parts_of, points_kept, shared_order
from loyalty.referral.orders import lines_of, orders_of
from loyalty.rule_usage import lock_members
from loyalty.rulebook import published_sets, set_at
from loyalty.validity import valid_until

# How long after a referral's time an order of that time may still be reported.
_LATE_ORDERS = timedelta(days=60)


def settle(referral_id: int, at: datetime) -> int:
    """Bring a promoter's points to where the buyer's orders and the referral's state say they should be.

    Returns the points that were given less those that were taken back.
    """
    with transaction.atomic():
        promoter_id = Referral.objects.values_list("promoter_id", flat=True).get(pk=referral_id)
        lock_members([promoter_id])
        locked = Referral.objects.select_for_update(of=("self",), no_key=True).select_related("link")
        referral = locked.get(pk=referral_id)
        orders = {order.order_id: order for order in orders_of(referral.buyer_id, at)}
        shares = [share for share in referral.shares.order_by("pk") if share.order_id in orders]
        moved = 0
        if referral.state == ReferralState.COUNTING and not any(orders[share.order_id].alive for share in shares):
            window = Window(referral.link.channel_id, referral.visited_at, referral.until)
            if order := shared_order(orders.values(), window):
                new = _give(referral, order, at)
                moved += sum(share.given for share in new)
                shares += new
        for order in [orders[order_id] for order_id in dict.fromkeys(share.order_id for share in shares)]:
            of_order = [share for share in shares if share.order_id == order.order_id]
            moved -= _follow(referral, order, of_order, at)
    return moved


def note_orders(changes: OrderChanges, at: datetime) -> Mapping[str, int]:
    """Settle, once the import's batch is committed, the referrals of the buyers whose orders changed."""
    buyers = {change.member_id for change in changes.orders if change.member_id is not None}
    # Plain SQL with an array: the ORM would spell out some thousand placeholders, which costs more than the query.
    with connection.cursor() as cursor:
        cursor.execute("SELECT id FROM loyalty_referral WHERE buyer_id = ANY (%s) ORDER BY id", [sorted(buyers)])
        ids = [referral_id for (referral_id,) in cursor.fetchall()]
    for referral_id in ids:
        transaction.on_commit(lambda pk=referral_id: settle(pk, at), robust=True)  # type: ignore[misc]
    return {}


def settle_due(at: datetime, after: int, most: int) -> tuple[int, int, int, int | None]:
    """Settle the next ``most`` referrals that may have something to come: the night's part.

    The caller holds a transaction.
    Returns promoters, shares and points, and the last referral looked at; None for that when there are no more.
    """
    waiting = ReferralShare.objects.filter(referral=OuterRef("pk"), available=False, kept__gt=0)
    ids = list(
        Referral.objects.filter(
            Exists(waiting) | Q(shares=None, until__gt=at - _LATE_ORDERS), state=ReferralState.COUNTING, pk__gt=after
        )
        .order_by("pk")
        .values_list("pk", "promoter_id")[:most]
    )
    if not ids:
        return 0, 0, 0, None
    lock_members(promoter_id for _pk, promoter_id in ids)
    moved = [points for points in (settle(pk, at) for pk, _promoter_id in ids) if points]
    return len(moved), len(moved), sum(moved), ids[-1][0]


def _give(referral: Referral, order: BuyersOrder, at: datetime) -> list[ReferralShare]:
    """Accrue the share of an order, pending, one for each part that has a share of its own."""
    rules = rules_about(set_at(published_sets(), order.paid_at), ReferralRule.act)
    if not rules:
        return []
    own = {share.product_id for rule in rules if isinstance(rule.kind, ReferralRule) for share in rule.kind.products}
    parts = parts_of(order, lines_of(order, at) if own else [], own)
    return [_give_part(referral, order, part, at) for part in parts]


def _give_part(referral: Referral, order: BuyersOrder, part: Part, at: datetime) -> ReferralShare:
    key = f"referral:{order.order_id}" + (f":{part.product_id}" if part.product_id else "")
    act = ActFacts(ReferralRule.act, order.paid_at, amount=part.paid, product_id=part.product_id)
    given = reward_act(act, referral.promoter_id, key=key, at=at, pending=True)
    award = award_from_trace(Entry.objects.values_list("trace", flat=True).get(key=key)["award"]) if given else None
    points = award.points if award else 0
    return ReferralShare.objects.create(
        referral=referral, order_id=order.order_id, product_id=part.product_id, key=key, amount=part.paid, given=points,
        kept=points, fixed=fixed_points(award) if award else 0,
    )  # fmt: skip


def _follow(referral: Referral, order: BuyersOrder, shares: list[ReferralShare], at: datetime) -> int:
    """Take back what went back, and let the rest become available when the order has succeeded. Returns the points
    taken."""
    nets = _nets(order, shares, at)
    counts = referral.state == ReferralState.COUNTING and order.alive
    back: list[Posting] = []
    ripe: list[Posting] = []
    for share in shares:
        kept = points_kept(share.given, share.fixed, share.amount, nets[share.product_id]) if counts else 0
        if kept < share.kept:
            share.reversals += 1
            back.append(_taking(referral, share, share.kept - kept, at))
            share.kept = kept
        if not share.available and share.kept and order.succeeded_at is not None:
            share.available = True
            ripe.append(_ripe(referral, share, order.succeeded_at))
        share.save(update_fields=["kept", "reversals", "available"])
    # Taken back first: what is left becomes available.
    for postings in filter(None, (back, ripe)):
        post(postings, at=at)
    return sum(posting.points for posting in back)


def _nets(order: BuyersOrder, shares: Iterable[ReferralShare], at: datetime) -> dict[int | None, int]:
    own = {share.product_id for share in shares if share.product_id is not None}
    parts = parts_of(order, lines_of(order, at) if own else [], own)
    nets: dict[int | None, int] = {share.product_id: 0 for share in shares}
    return nets | {part.product_id: part.net for part in parts}


def _taking(referral: Referral, share: ReferralShare, points: int, at: datetime) -> Posting:
    return reversal(
        referral.promoter_id, points, key=f"{share.key}:reversal:{share.reversals}", about_key=share.key,
        effective_at=at, reference=f"act:{ReferralRule.act}",
        trace={"act": ReferralRule.act, "kept": share.kept - points},
    )  # fmt: skip


def _ripe(referral: Referral, share: ReferralShare, succeeded_at: datetime) -> Posting:
    policy = policy_in_force(succeeded_at)
    return maturation(
        referral.promoter_id, key=f"{share.key}:maturation", about_key=share.key, effective_at=succeeded_at,
        available_at=succeeded_at, expires_at=valid_until(policy, succeeded_at), reference=f"act:{ReferralRule.act}",
        trace={"act": ReferralRule.act, **({"policy": policy.version} if policy.version else {})},
    )  # fmt: skip
