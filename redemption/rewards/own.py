"""A member's own redemptions, as he sees them."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import connection
from django.db.models import QuerySet

from redemption.models import Address, Redemption, Reward
from redemption.rewards.cash_orders import cash_due
from redemption.rewards.choices import RedemptionState, RewardKind
from redemption.rewards.journey import Step, journey
from redemption.rewards.life import BUYER_MAY_CANCEL
from redemption.rewards.seeing import FIRST_PICTURE, Picture, pictures_from

HANDED_OUT = frozenset({RedemptionState.RECEIVED, RedemptionState.RETURNED})

_FIELDS = tuple(field.attname for field in Redemption._meta.concrete_fields)
_SENT_TO = ("recipient", "phone", "region", "street")
# Codes of a redemption that waits for its cash are only set aside: nobody has seen them yet.
_OWN = f"""
SELECT r.name, r.kind, {FIRST_PICTURE}, {", ".join(f"a.{name}" for name in _SENT_TO)},
       (SELECT json_agg(json_build_array(v.state_after, v.at) ORDER BY v.id)::text
          FROM redemption_redemptionmove AS v WHERE v.redemption_id = x.id),
       CASE WHEN r.kind = 'digital' AND x.state = ANY (%(handed_out)s) THEN
         ARRAY(SELECT k.code FROM redemption_rewardcode AS k WHERE k.redemption_id = x.id ORDER BY k.id) END,
       x.state = 'awaiting' AND EXISTS (
         SELECT FROM redemption_payment AS p WHERE p.redemption_id = x.id AND p.settled_at IS NULL),
       {", ".join(f"x.{name}" for name in _FIELDS)}
  FROM redemption_redemption AS x
  JOIN redemption_reward AS r ON r.id = x.reward_id
  LEFT JOIN redemption_address AS a ON a.id = x.address_id
 WHERE x.id = %(redemption)s AND x.member_id = %(member)s
"""


@dataclass(frozen=True, slots=True)
class OwnRedemption:
    """A redemption with what its buyer needs: how far it has come, its codes once they are his, what is to be paid
    (yuan), the points that came back, and what he may do. ``reported`` when a payment is known that does not count
    (yet). Reward and address of the redemption are there as far as he sees them, not to be saved."""

    redemption: Redemption
    picture: Picture | None
    steps: list[Step]
    codes: list[str]
    due: Decimal
    reported: bool
    came_back: int
    may_cancel: bool
    may_receive: bool


def own_redemptions(member_id: int, *, before_id: int | None = None) -> QuerySet[Redemption]:
    """Return what a member took, newest first; ``before_id`` continues after a page."""
    own = Redemption.objects.filter(member=member_id).select_related("reward").order_by("-pk")
    return own if before_id is None else own.filter(pk__lt=before_id)


def own_redemption(member_id: int, redemption_id: int) -> OwnRedemption | None:
    """Return all that a buyer needs to know of a redemption, if it is this member's own. One query."""
    values: dict[str, Any] = {
        "member": member_id, "redemption": redemption_id, "handed_out": [state.value for state in HANDED_OUT],
    }  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(_OWN, values)
        row = cursor.fetchone()
    return _own(row) if row else None


def _own(row: Sequence[Any]) -> OwnRedemption:
    (name, kind, pictures), sent_to = row[:3], row[3 : 3 + len(_SENT_TO)]
    moves, codes, reported, *columns = row[3 + len(_SENT_TO) :]
    redemption = Redemption.from_db(connection.alias, _FIELDS, columns)
    redemption.reward = Reward(pk=redemption.reward_id, name=name, kind=kind)
    if redemption.address_id is not None:
        redemption.address = Address(pk=redemption.address_id, **dict(zip(_SENT_TO, sent_to, strict=True)))
    state = RedemptionState(redemption.state)
    return OwnRedemption(
        redemption,
        picture=next(iter(pictures_from(pictures)), None),
        steps=journey(
            RewardKind(kind),
            cash=bool(redemption.cash),
            placed_at=redemption.placed_at,
            moves=[(RedemptionState(after), datetime.fromisoformat(at)) for after, at in json.loads(moves or "[]")],
        ),
        codes=codes or [],
        due=cash_due(redemption) if state is RedemptionState.AWAITING else Decimal(0),
        reported=reported,
        came_back=redemption.points_each * (redemption.cancelled + redemption.returned),
        may_cancel=state in BUYER_MAY_CANCEL,
        may_receive=state is RedemptionState.SHIPPED,
    )
