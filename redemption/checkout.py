"""A buyer turns points into a coupon."""

from datetime import datetime, time, timedelta
from typing import cast

from django.db import transaction
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from loyalty import api as loyalty
from redemption.codes import new_code
from redemption.models import Coupon
from redemption.offers import Offer, find_offer, is_plan_offered
from redemption.refusals import Refused
from redemption.tokens import Wish, read_token


class PlanNotOffered(Refused):
    code = "plan_not_offered"
    text = _("This offer has ended. Your points are untouched.")


class DenominationNotOffered(Refused):
    code = "denomination_not_offered"
    text = _("A coupon of this value is no longer offered. Your points are untouched.")


class PriceChanged(Refused):
    """The plan asks for another number of points than the page that the buyer agreed to."""

    code = "price_changed"
    text = _("The price of this coupon has changed since you opened the page. Please look at it again.")


class PageTooOld(Refused):
    code = "page_too_old"
    text = _("This page was open for more than a day. Please check the coupon once more and confirm again.")


class WrongToken(Refused):
    """The form is not one of ours, or was made for another member or another coupon."""

    code = "wrong_token"
    text = _("This form was made for another buyer or another coupon. Please choose the coupon again.")


class NotEnoughPoints(Refused):
    """``missing`` points are lacking, at least one."""

    code = "not_enough_points"

    def __init__(self, missing: int) -> None:
        super().__init__(missing)
        self.missing = missing

    def message(self) -> str:
        return ngettext(
            "You need %(missing)s more point for this coupon.",
            "You need %(missing)s more points for this coupon.",
            self.missing,
        ) % {"missing": f"{self.missing:,}"}


def redeem_coupon(member_id: int, plan_id: int, yuan: int, *, token: str, at: datetime) -> Coupon:
    """Burn the points and issue the coupon, in one transaction, once per token however often it is sent.

    Returns the coupon that the token stands for, also when it was issued by an earlier request. Raises a ``Refused``
    that says why there is none; nothing is written then.
    """
    wish = read_token(token)
    if wish is None or (wish.member_id, wish.plan_id, wish.yuan) != (member_id, plan_id, yuan):
        raise WrongToken
    if issued := _issued_for(wish):
        return issued
    if not wish.is_fresh(at):
        raise PageTooOld
    offer = find_offer(plan_id, yuan, at)
    if offer is None:
        raise DenominationNotOffered if is_plan_offered(plan_id, at) else PlanNotOffered
    if offer.points != wish.points:
        raise PriceChanged
    try:
        return _issue(wish, offer, at)
    except loyalty.InsufficientPoints:
        held = loyalty.summary(member_id, at)
        raise NotEnoughPoints(offer.missing(held.spendable - held.debt)) from None


def coupon_expiry(at: datetime, validity_days: int) -> datetime:
    """Return the first instant at which a coupon taken at ``at`` is no longer valid.

    The last day of validity is the one ``validity_days`` after today, to its end in the programme's time zone.
    """
    zone = loyalty.programme_zone()
    last_day = at.astimezone(zone).date() + timedelta(days=validity_days)
    return datetime.combine(last_day + timedelta(days=1), time.min, tzinfo=zone)


def _issued_for(wish: Wish) -> Coupon | None:
    return Coupon.objects.filter(key=wish.key, member_id=wish.member_id).select_related("plan").first()


@transaction.atomic
def _issue(wish: Wish, offer: Offer, at: datetime) -> Coupon:
    """Burn and issue. The burn takes the account's lock and is known by the wish's key, so a second request with the
    same token waits there until the first has committed, and then finds the first one's coupon."""
    burned = loyalty.burn(
        wish.member_id,
        offer.points,
        key=wish.key,
        at=at,
        reference=offer.plan_name,
        trace={"yuan": offer.yuan, "points_per_yuan": offer.points_per_yuan},
    )
    if burned.repeated:
        return Coupon.objects.select_related("plan").get(key=wish.key)
    # A code is one of 22¹¹, so the unique index never meets a second one; were it to, nothing would be burned and a
    # retry with the same token would succeed.
    return Coupon.objects.create(
        plan_id=offer.plan_id,
        member_id=wish.member_id,
        code=new_code(),
        yuan=offer.yuan,
        points=offer.points,
        entry_id=cast("int", burned.entry_id),  # Only a maturation can find nothing to write.
        key=wish.key,
        issued_at=at,
        expires_at=coupon_expiry(at, offer.validity_days),
    )
