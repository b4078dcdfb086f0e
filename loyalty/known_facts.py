"""What the ground floor tells of orders and buyers, in the shape in which the rules and the journal want it. Pure."""

import hashlib
from collections.abc import Collection, Iterable, Mapping
from datetime import date, datetime
from typing import Any

from crm.api import BuyerDetails, LineDetails, OrderChange, OrderDetails
from loyalty.earning.allocate import allocate
from loyalty.earning.facts import NORMAL, LineFacts, MemberFacts, OrderFacts
from loyalty.earning.money import fen

# What the ground floor calls the facts that a set looks at; of the others it need not tell.
_FETCHED = {
    "lines": "lines", "products": "products", "tier": "tier", "tags": "tags", "birthday": "birthday",
    "profile": "birthday", "earlier_orders": "earlier_orders", "payment_kind": "payment_kind",
}  # fmt: skip

# Policy, category and points a piece of goods about which the seller has said nothing.
_PLAIN = (NORMAL, "", 0)


def to_fetch(needs: Iterable[str]) -> frozenset[str]:
    """What the ground floor has to be asked for, for a set that ``needs`` this; empty when nothing."""
    return frozenset(_FETCHED[need] for need in needs if need in _FETCHED)


def order_as_facts(change: OrderChange, details: OrderDetails | None, at: datetime) -> OrderFacts:
    """The order as the rules see it. ``details`` are None where the set looks at nothing that would have to be fetched.

    What was paid is shared out over the lines by what each of them cost. Lines come in the order of their keys, so that
    it does not matter which file told of them first.
    """
    paid = fen(change.paid)
    return OrderFacts(
        change.channel_code, paid, fen(change.refunded), details.payment_kind if details else "", change.placed_at,
        # An order without any instant counts as paid now; of one that was placed it is not known when it was paid.
        change.paid_at if change.paid_at or change.placed_at else at, change.shipped_at, change.completed_at,
        _lines(details.lines, paid) if details else (),
    )  # fmt: skip


def _lines(lines: Collection[LineDetails], paid: int) -> tuple[LineFacts, ...]:
    if not lines:
        return ()
    lines = sorted(lines, key=lambda line: line.key)
    shares = allocate(paid, [max(fen(line.amount), 0) for line in lines])
    return tuple(
        LineFacts(
            line.key, line.product_id, line.code, line.policy, line.category, line.quantity, share, fen(line.refunded),
            bonus_points=line.bonus_points,
        )
        for line, share in zip(lines, shares, strict=True)
    )  # fmt: skip


def goods_as_trace(order: OrderFacts) -> dict[str, Any]:
    """What an entry keeps of the goods: policy, category and points a piece of each line that is not plain."""
    return {
        line.key: [line.policy, line.category, line.bonus_points]
        for line in order.lines
        if (line.policy, line.category, line.bonus_points) != _PLAIN
    }


def with_goods_of_then(order: OrderFacts, kept: Mapping[str, Any], known: Collection[str]) -> OrderFacts:
    """The order with its goods as ``goods_as_trace`` wrote them down. Lines that were not ``known`` by their keys then
    are taken as they are now."""
    if not order.lines:
        return order
    return order._replace(lines=tuple(_as_then(line, kept) if line.key in known else line for line in order.lines))


def _as_then(line: LineFacts, kept: Mapping[str, Any]) -> LineFacts:
    policy, category, bonus_points = kept.get(line.key, _PLAIN)
    return line._replace(policy=policy, category=category, bonus_points=bonus_points)


def mark_of(change: OrderChange, order: OrderFacts, *, completing: bool) -> str:
    """A short hash of all that an award was made from and that a later report may change; behind a colon another one of
    the order's completion, where the set has rules that wait for it (``completing``) and it has come.

    What the seller may change, such as the policy of a product, is left out: that must not reach back.
    """
    instants = [instant and instant.timestamp() for instant in (change.placed_at, change.paid_at)]
    lines = [(line.key, line.product_id, line.quantity, line.paid) for line in order.lines]
    mark = _hash((order.paid, order.payment_kind, instants, lines))
    if not completing or order.completed_at is None:
        return mark
    return f"{mark}:{_hash((order.completed_at.timestamp(), order.shipped_at and order.shipped_at.timestamp()))}"


def completes(before: str, now: str) -> bool:
    """Whether of two marks of an order the second has its completion, and is the same in everything else."""
    return now.startswith(f"{before}:")


def _hash(content: tuple[Any, ...]) -> str:
    return hashlib.blake2b(repr(content).encode(), digest_size=6).hexdigest()


def buyer_as_facts(buyer: BuyerDetails | None, member_id: int) -> MemberFacts:
    """The buyer as the rules see him."""
    if buyer is None:
        return MemberFacts(member_id)
    return MemberFacts(
        member_id, buyer.tier, buyer.tier_rank, buyer.tags, buyer.birthday, buyer.joined_at, buyer.profile_complete,
        buyer.earlier_orders,
    )  # fmt: skip


def buyer_as_trace(buyer: MemberFacts, needs: Collection[str]) -> dict[str, Any]:
    """What an entry keeps of the buyer: as much as the set looks at, so that a later report finds him as he was."""
    kept: dict[str, Any] = {}
    if "tier" in needs:
        kept |= {"tier": buyer.tier, "rank": buyer.tier_rank}
    if "tags" in needs:
        kept["tags"] = sorted(buyer.tags)
    if "earlier_orders" in needs:
        kept["earlier"] = buyer.earlier_orders
    if "birthday" in needs or "profile" in needs:
        kept |= {
            "birthday": buyer.birthday and buyer.birthday.isoformat(),
            "joined": buyer.joined_at and buyer.joined_at.isoformat(),
            "profile": buyer.profile_complete,
        }
    return kept


def buyer_from_trace(kept: Mapping[str, Any], member_id: int) -> MemberFacts:
    """The buyer that ``buyer_as_trace`` wrote down."""
    birthday, joined = kept.get("birthday"), kept.get("joined")
    return MemberFacts(
        member_id,
        kept.get("tier", ""),
        kept.get("rank", 0),
        frozenset(kept.get("tags", ())),
        date.fromisoformat(birthday) if birthday else None,
        datetime.fromisoformat(joined) if joined else None,
        kept.get("profile", False),
        kept.get("earlier", 0),
    )
