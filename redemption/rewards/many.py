"""The same act on many redemptions, each in a transaction of its own: one that is refused does not stop the others."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from redemption.models import Redemption
from redemption.rewards.giving_back import cancel
from redemption.rewards.handling import receive
from redemption.rewards.life import MAY_BE_CANCELLED
from redemption.rewards.moving import MoveRefused, NotPossible
from redemption.rewards.payment import mark_paid

MOST_AT_ONCE = 500


@dataclass(slots=True)
class Tally:
    """How many were done, and how many were refused for which reason."""

    done: int = 0
    refused: Counter[str] = field(default_factory=Counter)


def cancel_many(redemption_ids: Sequence[int], *, actor_id: int, reason: str, at: datetime) -> Tally:
    """Cancel all pieces that are left of redemptions that were not sent. Raises NoReason."""
    rows = {row.pk: row for row in Redemption.objects.filter(pk__in=redemption_ids)}

    def act(pk: int) -> None:
        row = rows[pk]
        if row.state not in MAY_BE_CANCELLED:
            raise NotPossible
        cancel(pk, row.left, seen=row.cancelled, actor_id=actor_id, reason=reason, at=at)

    return _each(redemption_ids, act)


def pay_many(redemption_ids: Sequence[int], *, actor_id: int, reason: str, at: datetime) -> Tally:
    """Say that the cash of redemptions is there."""

    def act(pk: int) -> None:
        if not mark_paid(pk, actor_id=actor_id, reason=reason, at=at):
            raise NotPossible

    return _each(redemption_ids, act)


def receive_many(redemption_ids: Sequence[int], *, actor_id: int, at: datetime) -> Tally:
    """Say that parcels arrived, or that tickets were used."""

    def act(pk: int) -> None:
        receive(pk, actor_id=actor_id, at=at)

    return _each(redemption_ids, act)


def _each(redemption_ids: Sequence[int], act: Callable[[int], None]) -> Tally:
    tally = Tally()
    for pk in sorted(redemption_ids):
        try:
            act(pk)
        except MoveRefused as refusal:
            tally.refused[refusal.message()] += 1
        else:
            tally.done += 1
    return tally
