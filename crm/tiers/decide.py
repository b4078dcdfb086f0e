"""Whether a member moves, and where to. Pure: figures and what he holds in, a decision out.

There are three occasions. ``END``: his term ended at this instant. ``DAY``: this is a review day. ``NOW``: somebody
looks, because his orders changed or because it is night. ``crm.tiers.statements`` decides the same for a million
members in SQL; a property test holds the two against each other, so that this page says what happens.
"""

from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum

from crm.choices import Climb, Effect, Fall, GrantSource, KeepCheck, OfferKind, Restart, Taking, TierMove
from crm.tiers.scheme import Figures, Scheme


class Occasion(Enum):
    """Why somebody looks at a member."""

    END = "end"
    DAY = "day"
    NOW = "now"


@dataclass(frozen=True, slots=True)
class Holding:
    """A grant as far as it matters here. ``ends_at`` is None for one without end; ``replaced`` is the grant whose place
    one that was given by hand took."""

    rank: int
    begins_at: datetime
    ends_at: datetime | None = None
    source: GrantSource = GrantSource.SYSTEM
    locked: bool = False
    restart_at: datetime | None = None
    replaced: "Holding | None" = None

    @property
    def by_hand(self) -> bool:
        """Whether a person gave it. Such a tier is never taken away before its end."""
        return self.source == GrantSource.MANUAL


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of a member at an instant.

    ``reach`` and ``keep`` are his figures over the two windows of the scheme. ``offered`` is the rank of the tier that
    he may claim at present, ``missed`` the highest rank that he did not claim in time and has counted nothing towards
    since; 0 for none. ``new_order`` says that he has a successful order under this scheme that no review has seen yet.
    """

    holding: Holding | None = None
    reach: Figures = field(default_factory=dict)
    keep: Figures = field(default_factory=dict)
    offered: int = 0
    missed: int = 0
    new_order: bool = False

    @property
    def rank(self) -> int:
        """The rank that he holds; 0 is the base."""
        return self.holding.rank if self.holding else 0


@dataclass(frozen=True, slots=True)
class Move:
    """The member gets the tier of ``rank``, for the reason ``move``."""

    move: TierMove
    rank: int


@dataclass(frozen=True, slots=True)
class Offer:
    """The member may claim the tier of ``rank``."""

    kind: OfferKind
    rank: int


Decision = Move | Offer | None  # None: he stays as he is.


def decide(
    scheme: Scheme, standing: Standing, occasion: Occasion, at: datetime, *, renewable: bool = False
) -> Decision:
    """Decide on a member at an instant. ``renewable`` says that his term ends so soon that another can be claimed."""
    if occasion is Occasion.END:
        return _at_end(scheme, standing, at)
    holding = standing.holding
    if holding is not None and holding.locked:
        return None
    if occasion is Occasion.DAY:
        if holding is not None and holding.begins_at >= at:
            return None  # He has moved on this very day; nobody moves twice.
        due, checked = scheme.effect == Effect.REVIEW_DAY, scheme.keep_check == KeepCheck.REVIEW_DAY
    else:
        due = scheme.effect == Effect.AT_ONCE or (scheme.effect == Effect.NEXT_ORDER and standing.new_order)
        checked = scheme.keep_check == KeepCheck.NEXT_ORDER and standing.new_order
    return (
        (_rise(scheme, standing) if due else None)
        or (_fall(scheme, standing) if checked else None)
        or (_renewal(scheme, standing) if renewable and occasion is Occasion.NOW else None)
    )


def reached(scheme: Scheme, rank: int, figures: Figures) -> int:
    """The rank that a member of ``rank`` has reached: the highest whose mark he meets, or the next one only. His own
    rank where he has reached none above it."""
    above = [rung for rung in scheme.rungs if rung.rank > rank]
    if scheme.climb == Climb.ONE:
        above = above[:1]
    return max((rung.rank for rung in above if rung.reach.is_met(figures)), default=rank)


def is_kept(scheme: Scheme, rank: int, figures: Figures) -> bool:
    """Whether the figures are enough to keep the tier of a rank; the base and foreign tiers need none."""
    rung = scheme.rung(rank)
    return rung is None or rung.keep.is_met(figures)


def lower_rank(scheme: Scheme, rank: int, figures: Figures) -> int:
    """The rank to which a member falls who does not keep the tier of ``rank``."""
    below = [rung for rung in scheme.rungs if rung.rank < rank]
    if scheme.fall == Fall.ONE_DOWN:
        return max((rung.rank for rung in below), default=0)
    return max((rung.rank for rung in below if rung.keep.is_met(figures)), default=0)


def counters_begin(restart: Restart, move: TierMove, before: datetime | None, at: datetime) -> datetime | None:
    """From when on the counters of a member count who moves at ``at``; None: since ever.

    ``before`` is from when they counted until now; where a tier is resumed, from when they counted for that one.
    """
    if move == TierMove.RESUMED:
        return before
    if restart == Restart.NEVER:
        return None
    if restart == Restart.CHANGE and move == TierMove.RENEWED:
        return before
    return at


def _at_end(scheme: Scheme, standing: Standing, at: datetime) -> Decision:
    """A tier given by hand gives way to the one it replaced. Had that one ended meanwhile, it ends now."""
    holding = standing.holding
    if holding is not None and holding.by_hand:
        before = holding.replaced
        if before is None or before.ends_at is None or before.ends_at > at:
            return Move(TierMove.RESUMED, before.rank if before else 0)
        holding = before
    if holding is None or holding.by_hand:
        return Move(TierMove.RESUMED, 0)
    given = scheme.taking == Taking.SYSTEM
    may_rise = scheme.effect == Effect.AT_ONCE or (scheme.effect == Effect.NEXT_ORDER and standing.new_order)
    if given and may_rise and (rank := reached(scheme, holding.rank, standing.reach)) > holding.rank:
        return Move(TierMove.UP, rank)
    if scheme.fall == Fall.KEEP or (given and is_kept(scheme, holding.rank, standing.keep)):
        return Move(TierMove.RENEWED, holding.rank)
    return Move(TierMove.DOWN, lower_rank(scheme, holding.rank, standing.keep))


def _rise(scheme: Scheme, standing: Standing) -> Decision:
    rank = reached(scheme, standing.rank, standing.reach)
    if rank <= standing.rank:
        return None
    if scheme.taking == Taking.SYSTEM:
        return Move(TierMove.UP, rank)
    return None if max(standing.offered, standing.missed) >= rank else Offer(OfferKind.UP, rank)


def _fall(scheme: Scheme, standing: Standing) -> Decision:
    holding = standing.holding
    if holding is None or holding.by_hand or scheme.fall == Fall.KEEP:
        return None
    if is_kept(scheme, holding.rank, standing.keep):
        return None
    return Move(TierMove.DOWN, lower_rank(scheme, holding.rank, standing.keep))


def _renewal(scheme: Scheme, standing: Standing) -> Decision:
    holding = standing.holding
    if scheme.taking != Taking.CLAIM or scheme.fall == Fall.KEEP or standing.offered:
        return None
    if holding is None or holding.by_hand or scheme.rung(holding.rank) is None:
        return None
    return Offer(OfferKind.RENEWAL, holding.rank) if is_kept(scheme, holding.rank, standing.keep) else None
