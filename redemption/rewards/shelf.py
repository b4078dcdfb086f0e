"""The store's shelf: what a member sees of it, chosen, sorted, and a page at a time."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.core.cache import caches
from django.db import connection, models
from django.utils.translation import pgettext_lazy

from loyalty import api as loyalty
from redemption.models import RewardCategory
from redemption.rewards.choices import RewardKind
from redemption.rewards.seeing import SEEN_BY, SEEN_IN_A_LIST, Seen, seen_of
from redemption.rewards.standing import STANDING, Standing

PAGE = 24
_SHARED_SECONDS = 10
_CATEGORIES = "redemption.categories"

_MEMBER = f"""
SELECT {loyalty.POINTS_SUMMARY}::text, standing.*
  FROM (SELECT %(member)s::bigint) AS m (id), {STANDING}
"""
_SHELF = f"""
SELECT {SEEN_IN_A_LIST}
  FROM (SELECT %(rank)s::integer, %(tags)s::bigint[]) AS standing (rank, tags), {SEEN_BY}"""


class Sort(models.TextChoices):
    """What comes first on the shelf."""

    PLACE = "place", pgettext_lazy("what comes first", "Default order")
    CHEAPEST = "cheapest", pgettext_lazy("what comes first", "Fewest points")
    DEAREST = "dearest", pgettext_lazy("what comes first", "Most points")
    NEWEST = "newest", pgettext_lazy("what comes first", "Newest")


_COLUMN = {Sort.PLACE: "position", Sort.CHEAPEST: "points", Sort.DEAREST: "points", Sort.NEWEST: "id"}
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
    """Return what is offered now or will be, ``most`` of it. One query."""
    with connection.cursor() as cursor:
        cursor.execute(_statement(choice, most), _values(standing, choice, at))
        found = [seen_of(row)[0] for row in cursor.fetchall()]
    if len(found) <= most:
        return Shelf(found, None)
    last = found[most - 1]
    value = {"position": last.position, "points": last.terms.points if last.terms else 0, "id": last.reward_id}
    return Shelf(found[:most], (value[_COLUMN[choice.sort]], last.reward_id))


def stand_before(member_id: int, at: datetime) -> tuple[loyalty.AccountSummary, Standing]:
    """Return what a member brings along: the points that he has and where he stands. One query."""
    with connection.cursor() as cursor:
        cursor.execute(_MEMBER, {"member": member_id, "at": at})
        points, rank, tags = cursor.fetchone()
    return loyalty.summary_of(json.loads(points)), Standing(rank, frozenset(tags))


def categories() -> list[tuple[int, str]]:
    """Return the shelves that have anything on them, as (id, name), as it was at most ten seconds ago. One query then,
    none until then."""
    near = caches["near"]
    found: list[tuple[int, str]] | None = near.get(_CATEGORIES)
    if found is None:
        used = RewardCategory.objects.filter(rewards__active=True).distinct()
        found = list(used.order_by("position", "pk").values_list("pk", "name"))
        near.set(_CATEGORIES, found, _SHARED_SECONDS)
    return found


def _statement(choice: Choice, most: int) -> str:
    """The text depends on what is asked for, never on the figures, so that a few texts serve all buyers."""
    column, backwards = _COLUMN[choice.sort], choice.sort in _BACKWARDS
    way, sign = ("DESC", "<") if backwards else ("ASC", ">")
    conditions = {
        "(r.ends_at IS NULL OR r.ends_at > %(at)s)": True,
        # A teaser's place would tell its price where prices choose or sort.
        "(who.his OR r.visibility <> 'teaser')": choice.within is not None or column == "points",
        "who.his AND r.points <= %(within)s": choice.within is not None,
        "r.category_id = %(category)s": choice.category is not None,
        "r.kind = %(kind)s": choice.kind is not None,
        f"(r.{column}, r.id) {sign} (%(value)s, %(after)s)": choice.after is not None,
    }
    wanted = "".join(f"\n   AND {condition}" for condition, asked in conditions.items() if asked)
    return f"{_SHELF}{wanted}\n ORDER BY r.{column} {way}, r.id {way}\n LIMIT {int(most) + 1}"


def _values(standing: Standing, choice: Choice, at: datetime) -> dict[str, Any]:
    value, after = choice.after or (None, None)
    return {
        "rank": standing.rank, "tags": sorted(standing.tags), "at": at, "within": choice.within,
        "category": choice.category, "kind": choice.kind, "value": value, "after": after,
    }  # fmt: skip
