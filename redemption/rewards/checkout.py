"""A buyer takes a reward for his points, in one round trip (``redemption/sql/1_checkout.sql``)."""

import json
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import datetime, time
from typing import Any, NamedTuple

from django.db import DatabaseError, connection, transaction

from loyalty import api as loyalty
from redemption.models import Stock
from redemption.rewards import refusals
from redemption.rewards.life import first_state
from redemption.rewards.standing import Standing, standing_of, tier_name
from redemption.rewards.wishes import Wish, read_wish

_SOLD_OUT = "PK010"


@dataclass(frozen=True, slots=True)
class Redeemed:
    """The redemption that a wish stands for; ``repeated`` when an earlier request had made it."""

    redemption_id: int
    repeated: bool


def redeem(
    member_id: int, reward_id: int, quantity: int, *, token: str, address_id: int | None = None, at: datetime
) -> Redeemed:
    """Draw the points, take the pieces from the stock and place the redemption, once per wish however often it is sent.

    Points alone are burned; with cash they are held until it is paid. Raises a ``RewardRefused`` that says why there is
    no redemption; nothing is written then.
    """
    wish = read_wish(token)
    if wish is None or (wish.member_id, wish.reward_id) != (member_id, reward_id) or quantity < 1:
        raise refusals.WrongWish
    if not wish.is_fresh(at):
        if known := _known(wish):
            return known
        raise refusals.WishTooOld
    code, redemption_id, figures = _ask(wish, quantity, address_id, standing_for(wish, at), at)
    if code == "who":
        # Tags or a tier are asked for since the page was made.
        code, redemption_id, figures = _ask(wish, quantity, address_id, standing_of(member_id, at), at)
    if redemption_id is not None:
        return Redeemed(redemption_id, repeated=code == "repeated")
    if code == "short":
        held = loyalty.summary(member_id, at)
        raise refusals.NotEnoughPoints(wish.points * quantity - held.spendable + held.debt)
    raise _REFUSALS[code](figures)


def standing_for(wish: Wish, at: datetime) -> Standing | None:
    """Return where the member of a wish stands, if its reward asked for that; it costs a query."""
    return standing_of(wish.member_id, at) if wish.conditional else None


class _Answer(NamedTuple):
    """What the database function says: ``placed``, ``repeated``, or a refusal with its figures."""

    code: str
    redemption_id: int | None
    figures: dict[str, Any]


_REDEEM = """
SELECT code, redemption_id, figures
  FROM redemption_redeem(%s, %s, %s, %s::bigint[], %s, %s, %s, %s, %s, %s, %s, %s)
"""


def _ask(wish: Wish, quantity: int, address_id: int | None, standing: Standing | None, at: datetime) -> _Answer:
    batch = loyalty.drawing(
        wish.member_id,
        wish.points * quantity,
        kind=loyalty.EntryKind.HOLD if wish.cash else loyalty.EntryKind.BURN,
        key=wish.key,
        at=at,
        reference=reward_reference(wish.reward_id),
        trace={"reward": wish.reward_id, "units": quantity},
    )
    values: list[Any] = [
        batch, wish.member_id, standing and standing.rank, standing and list(standing.tags), wish.reward_id, quantity,
        wish.points, wish.cash, first_state(wish.kind, cash=bool(wish.cash)).value, address_id, _day_began(at), at,
    ]  # fmt: skip
    # Alone it is one statement and needs no transaction around it; inside somebody's transaction, a savepoint.
    whole = transaction.atomic() if connection.in_atomic_block else nullcontext()
    try:
        with whole, connection.cursor() as cursor:
            cursor.execute(_REDEEM, values)
            code, redemption_id, figures = cursor.fetchone()
            return _Answer(code, redemption_id, json.loads(figures or "{}"))
    except DatabaseError as error:
        if getattr(error.__cause__, "sqlstate", "") != _SOLD_OUT:
            raise
        # Somebody was quicker between the look at the stock and its taking.
        free = Stock.objects.filter(reward=wish.reward_id).values_list("free", flat=True).first()
        return _Answer("sold_out", None, {"free": free or 0})


def reward_reference(reward_id: int) -> str:
    """Return what the journal calls a reward: a member's limit counts what he has under this reference."""
    return f"reward:{reward_id}"


def _day_began(at: datetime) -> datetime:
    zone = loyalty.programme_zone()
    return datetime.combine(at.astimezone(zone).date(), time.min, tzinfo=zone)


def _known(wish: Wish) -> Redeemed | None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT redemption_under_key(%s, %s)", [wish.key, wish.member_id])
        [redemption_id] = cursor.fetchone()
    return Redeemed(redemption_id, repeated=True) if redemption_id is not None else None


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


_Figures = dict[str, Any]

# What the database function answers, and the refusal that it becomes.
_REFUSALS: dict[str, Callable[[_Figures], refusals.RewardRefused]] = {
    "gone": lambda figures: refusals.RewardGone(),
    "not_yet": lambda figures: refusals.NotYet(_instant(figures["from"])),
    "no_longer": lambda figures: refusals.NoLonger(_instant(figures["until"])),
    "price_changed": lambda figures: refusals.PriceChanged(),
    "too_many": lambda figures: refusals.TooManyAtOnce(figures["most"]),
    "tier_too_low": lambda figures: refusals.TierTooLow(tier_name(figures["tier"])),
    "not_for_you": lambda figures: refusals.NotForYou(),
    "address_missing": lambda figures: refusals.AddressMissing(),
    "sold_out": lambda figures: refusals.SoldOut(figures["free"]),
    "limit": lambda figures: refusals.LimitReached(figures["which"], figures["had"], figures["most"]),
}
