"""What the warehouse needs: what to take from which shelf, and where it goes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from django.db.models import Count, F, QuerySet, Sum
from django.utils.translation import gettext_lazy as _

from redemption.models import Address, Redemption
from redemption.models.redemption import redemption_number
from redemption.rewards.choices import RedemptionState, RewardKind

TO_SEND = (RedemptionState.PLACED, RedemptionState.CONFIRMED)
LINES_SHOWN = 1_000
_AT_ONCE = 2_000
LABEL_TITLES = (
    _("Redemption number"), _("Recipient"), _("Phone"), _("Province, city and district"), _("Street and number"),
    _("Postcode"), _("Reward"), _("Pieces"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Shelf:
    """A reward on a picking list: how many pieces for how many redemptions, and the first of them."""

    name: str
    pieces: int
    redemptions: int
    lines: list[tuple[str, int]]


def to_send(states: Sequence[str] = TO_SEND, reward_id: int | None = None) -> "QuerySet[Redemption]":
    """Return the redemptions of goods in these states."""
    goods = Redemption.objects.filter(state__in=states, reward__kind=RewardKind.GOODS)
    return goods if reward_id is None else goods.filter(reward=reward_id)


def picking_list(redemptions: "QuerySet[Redemption]") -> list[Shelf]:
    """Return what to take, by reward; at most a thousand lines in all, while the totals are of everything. Two
    queries."""
    left = F("quantity") - F("cancelled") - F("returned")
    totals = (
        redemptions.order_by()
        .values("reward_id", "reward__name", "reward__position")
        .annotate(pieces=Sum(left), parcels=Count("pk"))
        .order_by("reward__position", "reward_id")
    )
    lines: dict[int, list[tuple[str, int]]] = {}
    shown = redemptions.annotate(left_pieces=left).order_by("reward_id", "pk")
    for pk, reward_id, pieces in shown.values_list("pk", "reward_id", "left_pieces")[:LINES_SHOWN]:
        lines.setdefault(reward_id, []).append((redemption_number(pk), pieces))
    return [
        Shelf(row["reward__name"], row["pieces"], row["parcels"], lines.get(row["reward_id"], [])) for row in totals
    ]


def label_rows(redemptions: "QuerySet[Redemption]") -> Iterator[tuple[str | int, ...]]:
    """Yield a row for each parcel, in the order of placing, some thousand a query."""
    after = 0
    while True:
        found = list(redemptions.filter(pk__gt=after).select_related("reward").order_by("pk")[:_AT_ONCE])
        if not found:
            return
        addresses = Address.objects.in_bulk({row.address_id for row in found if row.address_id is not None})
        for redemption in found:
            yield _label(redemption, addresses.get(redemption.address_id or 0))
        after = found[-1].pk


def _label(redemption: Redemption, address: Address | None) -> tuple[str | int, ...]:
    where = (
        (address.recipient, address.phone, address.region, address.street, address.postcode)
        if address
        else ("", "", "", "", "")
    )
    return (redemption.number, *where, redemption.reward.name, redemption.left)
