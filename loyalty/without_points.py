"""Orders of a member that the journal holds nothing for, and why: worked out again when he asks, under the rules of the
day they were paid (docs/rules.md). Nothing is given and nothing counted here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.apps import apps
from django.db.models import Exists, F, OuterRef, Q

from crm.api import OrderChange, OrderStatus, order_facts
from loyalty.earning.award import Award
from loyalty.earning.compiling import CompiledSet
from loyalty.earning.evaluate import evaluate
from loyalty.earning.usage import UsageKey
from loyalty.known_facts import buyer_as_facts, order_as_facts, to_fetch
from loyalty.models import Entry
from loyalty.order_plan import earns, paid_instant
from loyalty.order_worth import counters
from loyalty.rule_usage import look_at_usage
from loyalty.rulebook import PublishedSets, published_sets, rule_names, set_at


@dataclass(frozen=True, slots=True)
class OrderWithoutPoints:
    """An order that brought nothing, with what a page needs to say why. ``award`` is None where no rule was asked: the
    order is not paid yet, or was closed. ``rule_names`` are what the shop calls its rules, by their codes."""

    order: OrderChange
    title: str
    channel_name: str
    award: Award | None
    rule_names: Mapping[str, str] = field(default_factory=dict)

    @property
    def moment(self) -> datetime | None:
        """When it was placed, as far as anybody has said."""
        return self.order.placed_at or self.order.paid_at


def orders_without_points(
    member_id: int, at: datetime, *, before_id: int | None = None, limit: int = 20
) -> list[OrderWithoutPoints]:
    """The latest orders that brought nothing, newest first; ``before_id`` goes on after an order of the member.

    The number of queries depends on what the rules look at, never on the number of orders. What an order was worth is
    worked out from the goods and the counters of caps as they stand now; nobody has kept those of then.
    """
    rows = _rows(member_id, before_id, limit)
    changes = [_change(row, member_id) for row in rows]
    sets = published_sets() if changes else ()
    awards = _awards([change for change in changes if earns(change)], sets, at)
    names = rule_names({award.version for award in awards.values()})
    return [
        OrderWithoutPoints(
            change, row["title"], row["channel__name"], award := awards.get(change.order_id),
            names.get(award.version, {}) if award else {},
        )
        for change, row in zip(changes, rows, strict=True)
    ]  # fmt: skip


def _rows(member_id: int, before_id: int | None, limit: int) -> list[Mapping[str, Any]]:
    orders = apps.get_model("crm", "Order").objects.filter(member=member_id)
    found = orders.exclude(Exists(Entry.objects.filter(order=OuterRef("pk"), account=member_id)))
    if before_id is not None:
        last = orders.filter(pk=before_id).values("placed_at")[:1]
        found = found.alias(last=last).filter(
            Q(placed_at__lt=F("last"))
            | Q(placed_at=F("last"), pk__lt=before_id)
            | Q(placed_at=None) & (Q(last__isnull=False) | Q(pk__lt=before_id))
        )
    found = found.order_by(F("placed_at").desc(nulls_last=True), "-pk")
    return list(
        found.values(
            "pk", "channel__code", "channel__name", "external_no", "title", "status", "paid", "refunded", "placed_at",
            "paid_at", "shipped_at", "completed_at", "closed_at",
        )[:limit]
    )  # fmt: skip


def _change(row: Mapping[str, Any], member_id: int) -> OrderChange:
    return OrderChange(
        row["pk"], row["channel__code"], row["external_no"], member_id, OrderStatus(row["status"]), row["paid"],
        row["refunded"], row["placed_at"], row["paid_at"], row["shipped_at"], row["completed_at"], row["closed_at"],
    )  # fmt: skip


def _awards(orders: Sequence[OrderChange], sets: PublishedSets, at: datetime) -> dict[int, Award]:
    """What each order would earn, evaluated by itself: what one takes of a cap, it takes of no other's."""
    rules: dict[int, CompiledSet] = {order.order_id: set_at(sets, paid_instant(order, at)) for order in orders}
    needs = to_fetch(need for compiled in rules.values() for need in compiled.needs)
    details = order_facts([order.order_id for order in orders], needs, at) if needs else {}
    keys: dict[int, list[UsageKey]] = {
        order.order_id: counters(rules[order.order_id], order.member_id or 0, paid_instant(order, at))
        for order in orders
    }
    given = look_at_usage(key for of_order in keys.values() for key in of_order)
    awards = {}
    for order in orders:
        known = details.get(order.order_id)
        usage = type(given)({key: given.given(key) for key in keys[order.order_id]})
        buyer = buyer_as_facts(known.buyer if known else None, order.member_id or 0)
        awards[order.order_id] = evaluate(rules[order.order_id], order_as_facts(order, known, at), buyer, usage)
    return awards
