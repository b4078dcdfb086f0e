"""A redemption is cancelled or comes back, whole or in part: points to the lots they came from, pieces to the stock.

Each is one transaction with the key of the fact, so that it happens once. Lock order as in docs/locking.md: the channel
of the cash order, the account, the redemption, the stock.
"""

from datetime import datetime

from django.db import transaction

from crm.api import log_action
from loyalty import api as loyalty
from redemption.models import Redemption
from redemption.rewards.cash_orders import record_progress
from redemption.rewards.choices import RedemptionState, RewardKind
from redemption.rewards.life import BUYER_MAY_CANCEL, MAY_BE_CANCELLED, MAY_BE_RETURNED
from redemption.rewards.moving import MovedMeanwhile, NoReason, NotPossible, TooLate, find, move
from redemption.rewards.reasons import Because
from redemption.rewards.stocking import put_back, put_codes_back


def cancel_own(
    redemption_id: int, pieces: int, *, seen: int, member_id: int, actor_id: int | None, at: datetime
) -> Redemption:
    """A buyer cancels pieces of his own redemption, as long as the shop has not begun with it.

    ``seen`` is how many were cancelled when he saw the page; the same again changes nothing. Raises
    Redemption.DoesNotExist, TooLate, MovedMeanwhile, NotPossible.
    """
    redemption = find(redemption_id)
    if redemption.member_id != member_id:
        raise Redemption.DoesNotExist
    if redemption.state not in BUYER_MAY_CANCEL and redemption.cancelled == seen:
        raise TooLate
    return _cancel(redemption, pieces, seen=seen, actor_id=actor_id, reason=Because.BUYER, at=at)


def cancel(redemption_id: int, pieces: int, *, seen: int, actor_id: int, reason: str, at: datetime) -> Redemption:
    """The shop cancels pieces that were not sent yet. ``seen`` as in ``cancel_own``. Raises Redemption.DoesNotExist,
    NoReason, MovedMeanwhile, NotPossible."""
    if not reason.strip():
        raise NoReason
    with transaction.atomic():
        redemption = find(redemption_id)
        done_before = redemption.cancelled != seen
        _cancel(redemption, pieces, seen=seen, actor_id=actor_id, reason=reason, at=at)
        if not done_before:
            _log("redemptions.cancel", redemption, pieces, actor_id=actor_id, reason=reason, at=at)
    return redemption


def take_back(
    redemption_id: int, pieces: int, *, seen: int, restock: bool, actor_id: int, reason: str, at: datetime
) -> Redemption:
    """The shop takes back pieces that were sent or handed out: their points go back to the buyer, and with ``restock``
    the pieces to the stock. ``seen`` is how many had come back on the page. Codes that somebody has seen never go back
    to the pool. Raises Redemption.DoesNotExist, NoReason, MovedMeanwhile, NotPossible."""
    if not reason.strip():
        raise NoReason
    redemption = find(redemption_id)
    key = f"redemption:{redemption.pk}:return:{seen}"
    if redemption.returned != seen:
        return _as_done(redemption, key, pieces)
    if redemption.state not in MAY_BE_RETURNED or not 0 < pieces <= redemption.left:
        raise NotPossible
    back_in_stock = pieces if restock and redemption.reward.counted else 0
    with transaction.atomic():
        record_progress(redemption, refunded_pieces=pieces, at=at)
        _give_points_back(redemption, pieces, key=key, at=at)
        whole = pieces == redemption.left
        move(
            redemption,
            at=at,
            actor_id=actor_id,
            reason=reason,
            state=RedemptionState.RETURNED if whole else redemption.state,
            returned=seen + pieces,
            restocked=redemption.restocked + back_in_stock,
        )
        _log("redemptions.return", redemption, pieces, actor_id=actor_id, reason=reason, at=at)
        if back_in_stock:
            put_back([(redemption.reward_id, back_in_stock)])
    return redemption


def _cancel(
    redemption: Redemption, pieces: int, *, seen: int, actor_id: int | None, reason: str, at: datetime
) -> Redemption:
    key = f"redemption:{redemption.pk}:cancel:{seen}"
    if redemption.cancelled != seen:
        return _as_done(redemption, key, pieces)
    if redemption.state not in MAY_BE_CANCELLED or not 0 < pieces <= redemption.left:
        raise NotPossible
    with transaction.atomic():
        record_progress(redemption, refunded_pieces=pieces, at=at)
        _give_points_back(redemption, pieces, key=key, at=at)
        whole = pieces == redemption.left
        state = RedemptionState.CANCELLED if whole else redemption.state
        move(redemption, at=at, actor_id=actor_id, reason=reason, state=state, cancelled=seen + pieces)
        if redemption.reward.kind == RewardKind.DIGITAL:
            put_codes_back(redemption.pk, pieces)
        put_back([(redemption.reward_id, pieces)])
    return redemption


def _give_points_back(redemption: Redemption, pieces: int, *, key: str, at: datetime) -> None:
    """What waits in a hold is released, what was spent is undone; either way the points go to their lots. Those of a
    lot that has lapsed live on for the policy's days of grace."""
    held = redemption.state == RedemptionState.AWAITING
    give_back = loyalty.release if held else loyalty.undo
    try:
        give_back(
            redemption.member_id,
            redemption.entry.key,
            key=key,
            at=at,
            revive_until=loyalty.revive_until(at),
            points=redemption.points_each * pieces,
            reference=redemption.entry.reference,
            trace=redemption.entry.trace | {"units": pieces},
        )
    except (loyalty.NothingOpen, loyalty.KeyConflict) as error:
        # The hold lapsed, was captured, or another number of pieces was given back a moment ago.
        raise MovedMeanwhile from error


def _as_done(redemption: Redemption, key: str, pieces: int) -> Redemption:
    """The page was older than the redemption: whether the very same was done already, or something else."""
    entry = loyalty.find_entry(key)
    if entry is None or entry.points != redemption.points_each * pieces:
        raise MovedMeanwhile
    return redemption


def _log(action: str, redemption: Redemption, pieces: int, *, actor_id: int, reason: str, at: datetime) -> None:
    log_action(
        action,
        actor_id=actor_id,
        at=at,
        reason=reason,
        member_id=redemption.member_id,
        redemption=redemption.number,
        pieces=pieces,
    )
