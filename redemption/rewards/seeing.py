"""What a member sees of the rewards: all of one, its name and picture only, or nothing. A price that he shall not see
is not in what this returns, so that no page can show it."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db.models import BooleanField, Case, Count, Exists, OuterRef, Q, QuerySet, Value, When

from redemption.models import Reward, RewardCode, RewardPicture, RewardTag
from redemption.rewards.choices import RewardKind, Visibility
from redemption.rewards.standing import Standing

Rewards = QuerySet[Any, Any]  # Of ``Reward``, each with ``his``.


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture by its name, with its size in pixels and a description for those who cannot see it."""

    name: str
    width: int
    height: int
    alt: str


@dataclass(frozen=True, slots=True)
class Terms:
    """What one piece costs and how many there are: ``left`` pieces, None where they are not counted. ``cash`` and
    ``list_price`` are yuan."""

    points: int
    cash: Decimal
    list_price: Decimal | None
    left: int | None
    most_at_once: int
    pay_hours: int

    @property
    def sold_out(self) -> bool:
        return self.left is not None and self.left <= 0

    def missing(self, funds: int) -> int:
        """Return how many points somebody with ``funds`` (a debt is negative) lacks for one piece."""
        return max(0, self.points - funds)


@dataclass(frozen=True, slots=True)
class Seen:
    """A reward as one member sees it. ``terms`` are None for a teaser. ``his`` when tier and tags let him have it;
    otherwise ``tier`` is the name of the tier that it begins with, "" where his tags are what is missing."""

    reward_id: int
    name: str
    kind: RewardKind
    position: int
    category: str
    description: str
    his: bool
    tier: str
    terms: Terms | None
    starts_at: datetime | None
    ends_at: datetime | None
    pictures: tuple[Picture, ...]

    @property
    def picture(self) -> Picture | None:
        """The one that stands for the reward in a list."""
        return self.pictures[0] if self.pictures else None

    def still_to_come(self, at: datetime) -> bool:
        return self.starts_at is not None and self.starts_at > at

    def over(self, at: datetime) -> bool:
        return self.ends_at is not None and self.ends_at <= at


def seen_by(standing: Standing) -> Rewards:
    """Return the active rewards that somebody who stands there sees anything of, each with ``his``."""
    rules = RewardTag.objects.filter(reward=OuterRef("pk"))
    tags = list(standing.tags)
    enough = Q(min_tier=None) | Q(min_tier__rank__lte=standing.rank)
    wanted = ~Exists(rules.filter(barred=False)) | Exists(rules.filter(barred=False, tag__in=tags))
    his = Q(enough & wanted & ~Exists(rules.filter(barred=True, tag__in=tags)))
    rewards = Reward.objects.filter(active=True).annotate(
        his=Case(When(his, then=Value(True)), default=Value(False), output_field=BooleanField())
    )
    return rewards.exclude(Q(his=False, visibility=Visibility.HIDDEN))


def with_price(rewards: Rewards) -> Rewards:
    """Leave out the teasers: where prices choose or sort, their place in the list would tell theirs."""
    return rewards.exclude(Q(his=False, visibility=Visibility.TEASER))


def look_at(rewards: Rewards, *, every_picture: bool = False) -> list[Seen]:
    """Return rewards of ``seen_by`` as they are seen. Three queries at most, however many rewards."""
    rows = list(
        rewards.values(
            "pk", "name", "kind", "position", "category__name", "description", "his", "visibility", "min_tier__name",
            "points", "cash", "list_price", "counted", "stock__free", "most_at_once", "pay_hours", "starts_at",
            "ends_at",
        )
    )  # fmt: skip
    ids = [row["pk"] for row in rows]
    pictures = pictures_of(ids, every_one=every_picture)
    codes = _codes([row["pk"] for row in rows if row["kind"] == RewardKind.DIGITAL])
    return [_seen(row, pictures.get(row["pk"], ()), codes.get(row["pk"], 0)) for row in rows]


def _seen(row: dict[str, Any], pictures: Iterable[Picture], codes: int) -> Seen:
    teaser = not row["his"] and row["visibility"] == Visibility.TEASER
    return Seen(
        reward_id=row["pk"],
        name=row["name"],
        kind=RewardKind(row["kind"]),
        position=row["position"],
        category=row["category__name"] or "",
        description="" if teaser else row["description"],
        his=row["his"],
        tier="" if row["his"] else row["min_tier__name"] or "",
        terms=None if teaser else _terms(row, codes),
        starts_at=row["starts_at"],
        ends_at=row["ends_at"],
        pictures=tuple(pictures),
    )


def _terms(row: dict[str, Any], codes: int) -> Terms:
    if row["kind"] == RewardKind.DIGITAL:
        left: int | None = codes
    else:
        left = (row["stock__free"] or 0) if row["counted"] else None
    return Terms(
        points=row["points"],
        cash=row["cash"],
        list_price=row["list_price"],
        left=left,
        most_at_once=row["most_at_once"],
        pay_hours=row["pay_hours"],
    )


def pictures_of(reward_ids: list[int], *, every_one: bool = False) -> dict[int, list[Picture]]:
    """Return the pictures of rewards, the first of each or every one. One query."""
    rows = RewardPicture.objects.filter(reward__in=reward_ids).order_by("reward", "position", "pk")
    if not every_one:
        rows = rows.distinct("reward")
    found: dict[int, list[Picture]] = {}
    for reward_id, name, width, height, alt in rows.values_list("reward", "name", "width", "height", "alt"):
        found.setdefault(reward_id, []).append(Picture(name, width, height, alt))
    return found


def _codes(reward_ids: list[int]) -> dict[int, int]:
    if not reward_ids:
        return {}
    free = RewardCode.objects.filter(reward__in=reward_ids, redemption=None)
    return dict(free.order_by().values_list("reward").annotate(codes=Count("pk")))
