"""What a member would see of a reward at a moment, and every condition that he meets or does not.

The checkout stops at the first obstacle and has the last word; staff want to see all of them. ``judge`` is pure.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from django.apps import apps

from loyalty import api as loyalty
from redemption.models import Address, Reward
from redemption.rewards.choices import RewardKind, Sight, Visibility
from redemption.rewards.considering import limits_of
from redemption.rewards.standing import standing_of, tier_name
from redemption.rewards.stocking import free_pieces


class Asks(StrEnum):
    """What a reward asks for, in the order in which the checkout looks."""

    ACTIVE = "active"
    ENDED = "ended"
    BEGUN = "begun"
    TIER = "tier"
    TAGS = "tags"
    ADDRESS = "address"
    STOCK = "stock"
    DAY = "day"
    WINDOW = "window"
    EVER = "ever"
    POINTS = "points"


@dataclass(frozen=True, slots=True)
class Limit:
    """How many pieces the member has ``had`` of the ``most`` that he may have."""

    which: Asks
    had: int
    most: int


@dataclass(frozen=True, slots=True)
class Facts:
    """All that the judgement needs. ``needed`` and ``barred`` are the reward's tags, ``tags`` the member's, as names;
    ``free`` is None where pieces are not counted; points are those of one piece and those he can spend."""

    active: bool
    begins_at: datetime | None
    ends_at: datetime | None
    kind: RewardKind
    visibility: Visibility
    min_rank: int
    min_tier: str
    rank: int
    tier: str
    needed: frozenset[str]
    barred: frozenset[str]
    tags: frozenset[str]
    has_address: bool
    free: int | None
    limits: tuple[Limit, ...]
    points: int
    spendable: int
    cash: Decimal


@dataclass(frozen=True, slots=True)
class Condition:
    """Something that the reward asks for, and whether it is met."""

    asks: Asks
    met: bool
    had: int = 0
    most: int = 0


@dataclass(frozen=True, slots=True)
class Insight:
    """The answer for one member at one moment."""

    facts: Facts
    sight: Sight
    conditions: tuple[Condition, ...]

    @property
    def can_redeem(self) -> bool:
        return all(condition.met for condition in self.conditions)


def judge(facts: Facts, at: datetime) -> Insight:
    """Look at every condition, whether an earlier one is met or not."""
    conditions = [Condition(Asks.ACTIVE, facts.active)]
    if facts.ends_at is not None:
        conditions.append(Condition(Asks.ENDED, facts.ends_at > at))
    if facts.begins_at is not None:
        conditions.append(Condition(Asks.BEGUN, facts.begins_at <= at))
    if facts.min_rank:
        conditions.append(Condition(Asks.TIER, facts.rank >= facts.min_rank))
    if facts.needed or facts.barred:
        let_in = not facts.needed or bool(facts.needed & facts.tags)
        conditions.append(Condition(Asks.TAGS, let_in and not facts.barred & facts.tags))
    if facts.kind is RewardKind.GOODS:
        conditions.append(Condition(Asks.ADDRESS, facts.has_address))
    if facts.free is not None:
        conditions.append(Condition(Asks.STOCK, facts.free > 0, had=facts.free))
    conditions += [Condition(limit.which, limit.had < limit.most, limit.had, limit.most) for limit in facts.limits]
    conditions.append(Condition(Asks.POINTS, facts.spendable >= facts.points, facts.spendable, facts.points))
    return Insight(facts, _sight(facts, conditions), tuple(conditions))


def _sight(facts: Facts, conditions: list[Condition]) -> Sight:
    if not facts.active:
        return Sight.NOTHING
    if all(condition.met for condition in conditions if condition.asks in {Asks.TIER, Asks.TAGS}):
        return Sight.WHOLE
    shown = {Visibility.VISIBLE: Sight.WHOLE, Visibility.TEASER: Sight.TEASER, Visibility.HIDDEN: Sight.NOTHING}
    return shown[facts.visibility]


def insight_of(reward: Reward, member_id: int, at: datetime) -> Insight:
    """Say what a member would see of a reward at ``at``. The tier and the window are those of that moment; tags,
    points, addresses, limits and the stock those of now, as nobody knows others. A dozen queries."""
    standing = standing_of(member_id, at)
    tags = apps.get_model("crm", "Tag").objects
    rules = list(reward.tag_rules.values_list("tag__name", "barred"))
    facts = Facts(
        active=reward.active,
        begins_at=reward.starts_at,
        ends_at=reward.ends_at,
        kind=RewardKind(reward.kind),
        visibility=Visibility(reward.visibility),
        min_rank=reward.min_tier.rank if reward.min_tier else 0,
        min_tier=tier_name(reward.min_tier_id) if reward.min_tier_id else "",
        rank=standing.rank,
        tier=apps.get_model("crm", "Tier").objects.filter(rank=standing.rank).values_list("name", flat=True).first()
        or "",
        needed=frozenset(name for name, barred in rules if not barred),
        barred=frozenset(name for name, barred in rules if barred),
        tags=frozenset(tags.filter(pk__in=standing.tags).values_list("name", flat=True)) if rules else frozenset(),
        has_address=Address.objects.filter(member=member_id, removed_at=None).exists(),
        free=free_pieces(reward),
        limits=_limits(reward, member_id, at),
        points=reward.points,
        spendable=loyalty.summary(member_id, at).spendable,
        cash=reward.cash,
    )
    return judge(facts, at)


def _limits(reward: Reward, member_id: int, at: datetime) -> tuple[Limit, ...]:
    counted = limits_of(reward.pk, member_id, at)
    return tuple(Limit(Asks(limit.which), limit.had, limit.most) for limit in counted if limit.most)
