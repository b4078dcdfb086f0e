"""What staff, and the buyer at the end, do with a redemption that goes its way: confirm, ship, receive."""

from collections.abc import Collection
from datetime import datetime

from django.db import transaction

from crm.api import log_action
from redemption.models import Redemption
from redemption.rewards.cash_orders import record_progress
from redemption.rewards.choices import RedemptionState, RewardKind
from redemption.rewards.life import MOVES
from redemption.rewards.moving import NotPossible, find, move
from redemption.rewards.reasons import Because


def confirm(redemption_ids: Collection[int], *, actor_id: int, at: datetime) -> list[int]:
    """The shop begins with these redemptions; buyers can no longer cancel them by themselves. Returns those that were
    confirmed now: the others were not waiting for it."""
    with transaction.atomic():
        placed = Redemption.objects.filter(pk__in=redemption_ids, state=RedemptionState.PLACED)
        confirmed = list(placed.select_for_update().order_by("pk").values_list("pk", flat=True))
        Redemption.objects.filter(pk__in=confirmed).update(
            state=RedemptionState.CONFIRMED, moved_at=at, moved_by_id=actor_id, move_reason=""
        )
        if confirmed:
            log_action("redemptions.confirm", actor_id=actor_id, at=at, redemptions=len(confirmed))
    return confirmed


def ship(
    redemption_id: int, *, carrier: str, tracking_number: str, actor_id: int, at: datetime, reason: str = ""
) -> Redemption:
    """The parcel is on its way, or its number was mistyped and is corrected. The same again changes nothing. Raises
    Redemption.DoesNotExist, NotPossible, MovedMeanwhile."""
    redemption = find(redemption_id)
    parcel = {"carrier": carrier.strip(), "tracking_number": tracking_number.strip()}
    known = {"carrier": redemption.carrier, "tracking_number": redemption.tracking_number}
    if redemption.state == RedemptionState.SHIPPED and parcel == known:
        return redemption
    allowed = RedemptionState.SHIPPED in MOVES[RedemptionState(redemption.state)]
    if redemption.reward.kind != RewardKind.GOODS or not allowed:
        raise NotPossible
    with transaction.atomic():
        if redemption.state != RedemptionState.SHIPPED:
            record_progress(redemption, shipped=True, at=at)
        move(redemption, at=at, actor_id=actor_id, reason=reason, state=RedemptionState.SHIPPED, **parcel)
        log_action(
            "redemptions.ship", actor_id=actor_id, at=at, member_id=redemption.member_id, redemption=redemption.number
        )
    return redemption


def receive(redemption_id: int, *, actor_id: int | None, at: datetime, by_buyer: bool = False) -> Redemption:
    """The parcel arrived, or the ticket was used. The same again changes nothing. Raises Redemption.DoesNotExist,
    NotPossible, MovedMeanwhile."""
    redemption = find(redemption_id)
    if redemption.state == RedemptionState.RECEIVED:
        return redemption
    sent = redemption.state == RedemptionState.SHIPPED
    ticket = redemption.state == RedemptionState.CONFIRMED and redemption.reward.kind == RewardKind.TICKET
    if not sent and not (ticket and not by_buyer):
        raise NotPossible
    with transaction.atomic():
        record_progress(redemption, received=True, at=at)
        reason = Because.BUYER if by_buyer else ""
        move(redemption, at=at, actor_id=actor_id, reason=reason, state=RedemptionState.RECEIVED)
        if not by_buyer:
            log_action(
                "redemptions.receive",
                actor_id=actor_id,
                at=at,
                member_id=redemption.member_id,
                redemption=redemption.number,
            )
    return redemption
