"""What a member sees of the rewards: all of one, its name and picture only, or nothing. A price that he shall not see
is not in what this returns, so that no page can show it."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from redemption.models import RewardPicture
from redemption.rewards.choices import RewardKind, Visibility

# SQL text: the active rewards ``r`` that whoever stands at ``standing`` sees anything of, each with ``who.his``.
SEEN_BY = """
redemption_reward AS r
  LEFT JOIN crm_tier AS t ON t.id = r.min_tier_id
  CROSS JOIN LATERAL (
    SELECT (t.rank IS NULL OR t.rank <= standing.rank) AND NOT EXISTS (
      SELECT FROM redemption_rewardtag AS w
       WHERE w.reward_id = r.id
      HAVING bool_or(w.barred AND w.tag_id = ANY (standing.tags))
          OR bool_or(NOT w.barred) AND NOT bool_or(NOT w.barred AND w.tag_id = ANY (standing.tags)))
  ) AS who (his)
 WHERE r.active AND (who.his OR r.visibility <> 'hidden')
"""
# SQL text: what ``seen_of`` reads of each; ``{pictures}`` is one of the two below.
_SEEN = """
r.id, r.name, r.kind, r.position,
(SELECT c.name FROM redemption_rewardcategory AS c WHERE c.id = r.category_id),
r.description, who.his, r.visibility, t.name, r.points, r.cash, r.list_price,
CASE WHEN r.kind = 'digital' THEN (
       SELECT count(*) FROM redemption_rewardcode AS k WHERE k.reward_id = r.id AND k.redemption_id IS NULL)
     WHEN r.counted THEN coalesce((SELECT s.free FROM redemption_stock AS s WHERE s.reward_id = r.id), 0)
END,
r.most_at_once, r.pay_hours, r.starts_at, r.ends_at,
{pictures}
"""
_COLUMNS = 18
FIRST_PICTURE = """
(SELECT json_build_array(json_build_array(p.name, p.width, p.height, p.alt))::text
   FROM redemption_rewardpicture AS p
  WHERE p.reward_id = r.id
  ORDER BY p.position, p.id
  LIMIT 1)
"""
_EVERY_PICTURE = """
(SELECT json_agg(json_build_array(p.name, p.width, p.height, p.alt) ORDER BY p.position, p.id)::text
   FROM redemption_rewardpicture AS p
  WHERE p.reward_id = r.id)
"""
SEEN_IN_A_LIST = _SEEN.replace("{pictures}", FIRST_PICTURE)
SEEN_ALONE = _SEEN.replace("{pictures}", _EVERY_PICTURE)


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


def seen_of(row: Sequence[Any]) -> tuple[Seen, Sequence[Any]]:
    """Read what ``SEEN_ALONE`` or ``SEEN_IN_A_LIST`` found at the beginning of a row; with what follows them there."""
    reward_id, name, kind, position, category, description, his, visibility, tier, *terms = row[:_COLUMNS]
    *price, starts_at, ends_at, pictures = terms
    teaser = not his and visibility == Visibility.TEASER
    seen = Seen(
        reward_id=reward_id,
        name=name,
        kind=RewardKind(kind),
        position=position,
        category=category or "",
        description="" if teaser else description,
        his=his,
        tier="" if his else tier or "",
        terms=None if teaser else Terms(*price),
        starts_at=starts_at,
        ends_at=ends_at,
        pictures=tuple(pictures_from(pictures)),
    )
    return seen, row[_COLUMNS:]


def pictures_from(value: str | None) -> list[Picture]:
    """Read what a statement found of pictures."""
    return [Picture(*each) for each in json.loads(value or "[]")]


def pictures_of(reward_ids: list[int]) -> dict[int, Picture]:
    """Return the first picture of each of these rewards that has one. One query."""
    rows = RewardPicture.objects.filter(reward__in=reward_ids).order_by("reward", "position", "pk").distinct("reward")
    found = rows.values_list("reward", "name", "width", "height", "alt")
    return {reward_id: Picture(name, width, height, alt) for reward_id, name, width, height, alt in found}
