"""Rewards as everybody may see them, or one member: on a shelf, and one on a badge."""

from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db.models import Count, Exists, OuterRef, Q, QuerySet

from redemption.models import Reward, RewardTag
from redemption.rewards.choices import RewardKind, Visibility
from redemption.rewards.seeing import Picture, Seen, pictures_of
from redemption.rewards.shelf import Choice, shelf
from redemption.rewards.standing import standing_of

SHELF = 8
REACH = 3


@dataclass(frozen=True, slots=True)
class PublicReward:
    """A reward for everybody's eyes. ``left`` pieces can be taken, None where they are not counted; ``limit`` pieces
    are the most that one member may have, None without a limit."""

    reward_id: int
    name: str
    points: int
    cash: Decimal
    list_price: Decimal | None
    left: int | None
    limit: int | None
    picture: Picture | None = None

    @property
    def sold_out(self) -> bool:
        return self.left is not None and self.left <= 0

    @property
    def his(self) -> bool:
        """As of ``Seen``: it is for everybody, as far as is known of somebody who is nobody yet."""
        return True

    @property
    def terms(self) -> "PublicReward":
        """As of ``Seen``: a template shows either."""
        return self


def public_shelf(at: datetime, *, most: int = SHELF) -> list[PublicReward]:
    """Return what the shelf begins with. Two queries."""
    found = [_public(row) for row in _rows(_offered(at)).order_by("position", "pk")[:most]]
    pictures = pictures_of([one.reward_id for one in found])
    return [replace(one, picture=pictures.get(one.reward_id)) for one in found]


def member_shelf(member_id: int, at: datetime) -> list[Seen]:
    """Return what the shelf begins with for a member: by his own conditions, also what is yet to come. Two queries."""
    return shelf(standing_of(member_id, at), Choice(), at, most=SHELF).rewards


def within_reach(member_id: int, funds: int, at: datetime) -> list[Seen]:
    """Return a few rewards that a member can take for the points he has. Two queries."""
    found = shelf(standing_of(member_id, at), Choice(within=funds), at, most=SHELF).rewards
    ready = [seen for seen in found if seen.terms and not seen.terms.sold_out and _begun(seen, at)]
    return ready[:REACH]


def _begun(seen: Seen, at: datetime) -> bool:
    return seen.starts_at is None or seen.starts_at <= at


def public_reward(reward_id: int | None, at: datetime) -> PublicReward | None:
    """Return one reward if it is offered to everybody at this moment. One query."""
    row = _rows(_offered(at).filter(pk=reward_id)).first() if reward_id is not None else None
    return _public(row) if row else None


def _offered(at: datetime) -> QuerySet[Reward]:
    begun = Q(starts_at=None) | Q(starts_at__lte=at)
    not_over = Q(ends_at=None) | Q(ends_at__gt=at)
    rewards = Reward.objects.filter(begun, not_over, active=True)
    # What is hidden from some, or teases them without a price, is not shown to strangers.
    conditional = ~Q(min_tier=None) | Q(Exists(RewardTag.objects.filter(reward=OuterRef("pk"))))
    return rewards.exclude(conditional & ~Q(visibility=Visibility.VISIBLE))


def _rows(rewards: QuerySet[Reward]) -> QuerySet[Any, Any]:
    codes = Count("codes", filter=Q(codes__redemption=None), distinct=True)
    return rewards.annotate(codes_left=codes).values(
        "pk", "name", "points", "cash", "list_price", "kind", "counted", "stock__free", "codes_left",
        "limit_day", "limit_window", "limit_ever",
    )  # fmt: skip


def _public(row: dict[str, Any]) -> PublicReward:
    if row["kind"] == RewardKind.DIGITAL:
        left = row["codes_left"]
    else:
        left = (row["stock__free"] or 0) if row["counted"] else None
    limits = [row[name] for name in ("limit_ever", "limit_window", "limit_day") if row[name] is not None]
    return PublicReward(
        row["pk"], row["name"], row["points"], row["cash"], row["list_price"], left, min(limits, default=None)
    )
