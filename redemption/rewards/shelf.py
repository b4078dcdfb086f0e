"""The store's shelf: what a member sees of it, chosen, sorted, and a page at a time."""

from dataclasses import dataclass
from datetime import datetime

from django.db import models
from django.db.models import Q
from django.utils.translation import pgettext_lazy

from redemption.models import RewardCategory
from redemption.rewards.choices import RewardKind
from redemption.rewards.seeing import Rewards, Seen, look_at, seen_by, with_price
from redemption.rewards.standing import Standing

PAGE = 24


class Sort(models.TextChoices):
    """What comes first on the shelf."""

    PLACE = "place", pgettext_lazy("what comes first", "Default order")
    CHEAPEST = "cheapest", pgettext_lazy("what comes first", "Fewest points")
    DEAREST = "dearest", pgettext_lazy("what comes first", "Most points")
    NEWEST = "newest", pgettext_lazy("what comes first", "Newest")


_COLUMN = {Sort.PLACE: "position", Sort.CHEAPEST: "points", Sort.DEAREST: "points", Sort.NEWEST: "pk"}
_BACKWARDS = frozenset({Sort.DEAREST, Sort.NEWEST})


@dataclass(frozen=True, slots=True)
class Choice:
    """What a member asks for. ``within`` is how many points he has, None for everything. ``after`` is the last reward
    of the page before: what it is sorted by, and its id."""

    category: int | None = None
    kind: RewardKind | None = None
    within: int | None = None
    sort: Sort = Sort.PLACE
    after: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Shelf:
    """A page of rewards; ``more`` is where the next one begins, None at the end."""

    rewards: list[Seen]
    more: tuple[int, int] | None


def shelf(standing: Standing, choice: Choice, at: datetime, *, most: int = PAGE) -> Shelf:
    """Return what is offered now or will be, ``most`` of it. Three queries at most."""
    rewards = _chosen(seen_by(standing).filter(Q(ends_at=None) | Q(ends_at__gt=at)), choice)
    found = look_at(_from(rewards, choice)[: most + 1])
    if len(found) <= most:
        return Shelf(found, None)
    last = found[most - 1]
    key = {"position": last.position, "points": last.terms.points if last.terms else 0, "pk": last.reward_id}
    return Shelf(found[:most], (key[_COLUMN[choice.sort]], last.reward_id))


def categories() -> list[tuple[int, str]]:
    """Return the shelves that have anything on them, as (id, name). One query."""
    used = RewardCategory.objects.filter(rewards__active=True).distinct()
    return list(used.order_by("position", "pk").values_list("pk", "name"))


def _chosen(rewards: Rewards, choice: Choice) -> Rewards:
    if choice.within is not None or _COLUMN[choice.sort] == "points":
        rewards = with_price(rewards)
    if choice.within is not None:
        rewards = rewards.filter(his=True, points__lte=choice.within)
    if choice.category is not None:
        rewards = rewards.filter(category=choice.category)
    if choice.kind is not None:
        rewards = rewards.filter(kind=choice.kind)
    return rewards


def _from(rewards: Rewards, choice: Choice) -> Rewards:
    column, backwards = _COLUMN[choice.sort], choice.sort in _BACKWARDS
    if choice.after is not None:
        value, pk = choice.after
        way = "lt" if backwards else "gt"
        # The first condition is what the index can begin at.
        rewards = rewards.filter(**{f"{column}__{way}e": value})
        rewards = rewards.filter(Q(**{f"{column}__{way}": value}) | Q(**{f"pk__{way}": pk}))
    return rewards.order_by(f"-{column}", "-pk") if backwards else rewards.order_by(column, "pk")
