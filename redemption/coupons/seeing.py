"""What a member sees of a coupon plan: all of it, its name and for whom it is, or nothing. What he shall not see is not
in what this returns, so that no page can show it. Pure."""

from collections.abc import Iterable
from dataclasses import replace

from redemption.offers import Limits, Terms
from redemption.rewards.choices import Sight, Visibility


def sight_of(terms: Terms, rank: int) -> Sight:
    """Say how much of a plan somebody sees who stands on the rung ``rank``."""
    if terms.tier is None or terms.tier.rank <= rank or terms.visibility is Visibility.VISIBLE:
        return Sight.WHOLE
    return Sight.TEASER if terms.visibility is Visibility.TEASER else Sight.NOTHING


def as_seen(terms: Terms, rank: int) -> Terms | None:
    """Return the plan as he sees it, a teaser without values and prices; None when he sees nothing."""
    match sight_of(terms, rank):
        case Sight.WHOLE:
            return terms
        case Sight.NOTHING:
            return None
    return replace(
        terms, description="", points_per_yuan=0, values=(), span=None, special=None, limits=Limits(), yuan_left=None,
        coupons_left=None, offered=(), whole_span=None,
    )  # fmt: skip


def all_as_seen(plans: Iterable[Terms], rank: int) -> list[Terms]:
    """Return those of the plans that he sees anything of."""
    return [seen for seen in (as_seen(terms, rank) for terms in plans) if seen is not None]
