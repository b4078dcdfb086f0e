"""A buyer turns points into a coupon, in one round trip (``redemption/sql/2_coupons.sql``)."""

import json
from collections.abc import Callable
from contextlib import nullcontext
from datetime import datetime, time, timedelta
from typing import Any, NamedTuple

from django.db import DatabaseError, connection, transaction

from crm import api as crm
from loyalty import api as loyalty
from redemption.choices import CouponState
from redemption.codes import new_code
from redemption.coupons import refusals
from redemption.models import Coupon, CouponPlan
from redemption.refusals import Refused
from redemption.rewards.choices import Visibility
from redemption.rewards.standing import tier_name
from redemption.tokens import Wish, read_token


def redeem_coupon(member_id: int, plan_id: int, yuan: int, *, token: str, at: datetime) -> Coupon:
    """Burn the points and issue the coupon, all or nothing, once per wish however often it is sent.

    Returns the coupon that the wish stands for, also when it was issued by an earlier request. Raises a ``Refused``
    that says why there is none; nothing is written then.
    """
    wish = read_token(token)
    if wish is None or (wish.member_id, wish.plan_id, wish.yuan) != (member_id, plan_id, yuan):
        raise refusals.WrongToken
    if not wish.is_fresh(at):
        if known := _taken(key=wish.key, member_id=member_id):
            return known
        raise refusals.PageTooOld
    answer = _ask(wish, rank_of(member_id, at) if wish.conditional else None, at)
    if answer.code == "who":
        # A tier is asked for since the page was made.
        answer = _ask(wish, rank_of(member_id, at), at)
    if answer.code == "placed":
        return _placed(wish, answer, at)
    if answer.coupon_id is not None:
        return Coupon.objects.select_related("plan").get(pk=answer.coupon_id)
    if answer.code == "short":
        held = loyalty.summary(member_id, at)
        raise refusals.NotEnoughPoints(max(1, wish.points - held.spendable + held.debt))
    if answer.code == "tier_too_low" and CouponPlan.objects.filter(pk=plan_id, visibility=Visibility.HIDDEN).exists():
        # He saw it while he stood higher. Now it is as one that never was, and so is the tier that it asks for.
        raise refusals.PlanNotOffered
    raise _REFUSALS[answer.code](answer.figures, at)


def rank_of(member_id: int, at: datetime) -> int:
    """Return the rank of the tier that a member stands on. One query."""
    [(_code, rank)] = crm.tier_at([member_id], at).values()
    return rank


def coupon_expiry(at: datetime, validity_days: int) -> datetime:
    """Return the first instant at which a coupon taken at ``at`` is no longer valid.

    The last day of validity is the one ``validity_days`` after today, to its end in the programme's time zone.
    """
    zone = loyalty.programme_zone()
    last_day = at.astimezone(zone).date() + timedelta(days=validity_days)
    return datetime.combine(last_day + timedelta(days=1), time.min, tzinfo=zone)


def day_began(at: datetime) -> datetime:
    """Return when the programme's day began, for limits of a day."""
    zone = loyalty.programme_zone()
    return datetime.combine(at.astimezone(zone).date(), time.min, tzinfo=zone)


def coupon_reference(plan_id: int) -> str:
    """Return what the journal calls a plan: a member's limit counts what he has under this reference."""
    return f"coupon:{plan_id}"


class _Answer(NamedTuple):
    """What the database function says: ``placed``, ``repeated``, or a refusal with its figures."""

    code: str
    coupon_id: int | None
    figures: dict[str, Any]


_TAKE = """
SELECT code, redemption_id, figures FROM redemption_take_coupon(%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
"""


def _ask(wish: Wish, rank: int | None, at: datetime) -> _Answer:
    batch = loyalty.drawing(
        wish.member_id,
        wish.points,
        kind=loyalty.EntryKind.BURN,
        key=wish.key,
        at=at,
        reference=coupon_reference(wish.plan_id),
        trace={"yuan": wish.yuan, "plan": wish.plan_id},
    )
    values: list[Any] = [
        batch, wish.member_id, rank, wish.plan_id, wish.yuan, wish.points, new_code(), day_began(at),
        str(loyalty.programme_zone()), at,
    ]  # fmt: skip
    # Alone it is one statement and needs no transaction around it; inside somebody's transaction, a savepoint.
    whole = transaction.atomic() if connection.in_atomic_block else nullcontext()
    try:
        with whole, connection.cursor() as cursor:
            cursor.execute(_TAKE, values)
            code, coupon_id, figures = cursor.fetchone()
            return _Answer(code, coupon_id, json.loads(figures or "{}"))
    except DatabaseError as error:
        # Somebody was quicker between the look and the take.
        match getattr(error.__cause__, "sqlstate", ""):
            case "PK010":
                return _Answer("no_code", None, {})
            case "PK011":
                return _Answer("budget", None, {"left": _left_of(wish.plan_id)})
        raise


def _placed(wish: Wish, answer: _Answer, at: datetime) -> Coupon:
    """The coupon that was written a moment ago, without reading it: the answer says what the wish does not."""
    coupon = Coupon(
        id=answer.coupon_id,
        plan_id=wish.plan_id,
        member_id=wish.member_id,
        code=answer.figures["code"],
        yuan=wish.yuan,
        points=wish.points,
        entry_id=answer.figures["entry"],
        key=wish.key,
        state=CouponState.ISSUED,
        issued_at=at,
        expires_at=_instant(answer.figures["until"]),
    )
    coupon._state.adding = False
    return coupon


def _left_of(plan_id: int) -> int:
    """Return how many yuan the plan may still give out, 0 when no coupon is left."""
    plan = CouponPlan.objects.select_related("use").get(pk=plan_id)
    if plan.budget_yuan is None or (plan.budget_coupons is not None and plan.use.coupons >= plan.budget_coupons):
        return 0
    return plan.budget_yuan - plan.use.yuan


def _taken(**which: Any) -> Coupon | None:
    return Coupon.objects.filter(**which).select_related("plan").first()


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _again_at(figures: dict[str, Any], at: datetime) -> datetime | None:
    if figures["which"] == "day":
        return day_began(at) + timedelta(days=1)
    return _instant(figures["until"]) if figures["which"] == "special" else None


# What the database function answers, and the refusal that it becomes.
_REFUSALS: dict[str, Callable[[dict[str, Any], datetime], Refused]] = {
    "gone": lambda figures, at: refusals.PlanNotOffered(),
    "not_yet": lambda figures, at: refusals.NotYet(_instant(figures["from"])),
    "no_longer": lambda figures, at: refusals.NoLonger(_instant(figures["until"])),
    "value": lambda figures, at: refusals.DenominationNotOffered(),
    "price_changed": lambda figures, at: refusals.PriceChanged(),
    "tier_too_low": lambda figures, at: refusals.TierTooLow(tier_name(figures["tier"])),
    "budget": lambda figures, at: refusals.BudgetSpent(figures["left"] or 0),
    "no_code": lambda figures, at: refusals.NoCodeLeft(),
    "limit": lambda figures, at: refusals.LimitReached(
        figures["which"], figures["had"], figures["most"], _again_at(figures, at)
    ),
}
