"""Pieces come into the stock and go out of it."""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime

from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils.translation import gettext_lazy as _

from crm.api import log_action
from redemption.models import Reward, RewardCode, Stock, StockChange
from redemption.rewards.moving import MovedMeanwhile, MoveRefused, NoReason


class NotThatMany(MoveRefused):
    code = "not_that_many"
    text = _("There are not that many pieces left to take out: buyers were quicker. Please look at the stock again.")


class NothingToChange(MoveRefused):
    code = "nothing_to_change"
    text = _("Nothing would change. Say how many pieces came or went.")


def put_back(pieces: Iterable[tuple[int, int]]) -> None:
    """Give pieces, as (reward, how many), back to the stock, the rewards in ascending order. The hottest rows: call it
    last. Rewards whose stock is not counted have none to give back to."""
    totals: Counter[int] = Counter()
    for reward_id, count in pieces:
        totals[reward_id] += count
    for reward_id in sorted(totals):
        Stock.objects.filter(reward=reward_id).update(free=F("free") + totals[reward_id])


def put_codes_back(redemption_id: int, count: int) -> None:
    """Put the last ``count`` codes of a redemption back into the pool: nobody has seen them yet."""
    latest = RewardCode.objects.filter(redemption=redemption_id).order_by("-pk").values("pk")[:count]
    RewardCode.objects.filter(pk__in=list(latest.values_list("pk", flat=True))).update(redemption=None)


def change_stock(
    reward_id: int, pieces: int, *, safety: int = 0, reason: str, actor_id: int | None, at: datetime
) -> Stock:
    """Let the shop put pieces in (positive) or take them out, and change its safety stock by ``safety`` pieces.

    ``pieces`` is what happened on the shelf. What the safety stock keeps back leaves what can be redeemed, so that
    changes by ``pieces - safety``. Raises NoReason, NotThatMany.
    """
    if not reason.strip():
        raise NoReason
    try:
        with transaction.atomic():
            StockChange.objects.create(
                reward_id=reward_id, pieces=pieces - safety, safety=safety, reason=reason, actor_id=actor_id, at=at
            )
            log_action(
                "rewards.stock", actor_id=actor_id, at=at, reason=reason, reward=reward_id, pieces=pieces, safety=safety
            )
            changed = Stock.objects.filter(reward=reward_id)
            if not changed.update(free=F("free") + pieces - safety, safety=F("safety") + safety):
                Stock.objects.create(reward_id=reward_id, free=pieces - safety, safety=safety)
            return changed.get()
    except IntegrityError as error:
        raise NotThatMany from error


def latest_change(reward_id: int) -> int:
    """Return the id of the last change that the shop made to a stock, 0 when there is none."""
    changes = StockChange.objects.filter(reward=reward_id).order_by("-pk").values_list("pk", flat=True)
    return changes.first() or 0


def set_stock(
    reward_id: int, pieces: int, *, safety: int, after: int, reason: str, actor_id: int | None, at: datetime
) -> Stock:
    """Change the stock by ``pieces`` and make the safety stock ``safety``, once for a page: ``after`` is the latest
    change that it showed. Raises NoReason, NotThatMany, NothingToChange, MovedMeanwhile."""
    with transaction.atomic():
        kept = Stock.objects.select_for_update().filter(reward=reward_id).first()
        if latest_change(reward_id) != after:
            raise MovedMeanwhile
        more = safety - (kept.safety if kept else 0)
        if not pieces and not more:
            raise NothingToChange
        return change_stock(reward_id, pieces, safety=more, reason=reason, actor_id=actor_id, at=at)


def free_pieces(reward: Reward) -> int | None:
    """Return how many pieces can be redeemed now; None when they are not counted. One query."""
    if reward.kind == "digital":
        return RewardCode.objects.filter(reward=reward, redemption=None).count()
    if not reward.counted:
        return None
    return Stock.objects.filter(reward=reward).values_list("free", flat=True).first() or 0
