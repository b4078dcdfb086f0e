"""The shop's side of a coupon: look a code up, and take it once."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from django.db import transaction
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from crm.api import log_action
from redemption.choices import CouponState
from redemption.codes import read_code
from redemption.models import Coupon


class UseOutcome(StrEnum):
    """What became of a code that somebody wanted to use. Only ``USED`` changed anything."""

    USED = "used"
    MISTYPED = "mistyped"  # No code looks like this: the check character is wrong.
    UNKNOWN = "unknown"  # A possible code, but none of ours.
    ALREADY_USED = "already_used"
    EXPIRED = "expired"
    VOID = "void"


@dataclass(frozen=True, slots=True)
class UseResult:
    """The answer to staff. ``coupon`` is the coupon as it stands now, or None when the code has none."""

    outcome: UseOutcome
    coupon: Coupon | None = None

    @property
    def ok(self) -> bool:
        return self.outcome is UseOutcome.USED

    def message(self) -> str:
        """Say what happened and what to do, in the language of the page."""
        if self.outcome is UseOutcome.MISTYPED:
            return _("This code was mistyped: its check character does not fit. Please compare it with the buyer's.")
        coupon = self.coupon
        if coupon is None:
            return _("There is no coupon with this code. Ask the buyer to show it in his points page.")
        match self.outcome:
            case UseOutcome.USED:
                return _("The coupon is used: take ¥%(yuan)s off.") % {"yuan": coupon.yuan}
            case UseOutcome.ALREADY_USED:
                return _("This coupon was already used on %(when)s. It cannot be used again.") % {
                    "when": _instant(coupon.used_at)
                }
            case UseOutcome.EXPIRED:
                return _("This coupon expired on %(when)s.") % {"when": _instant(coupon.expires_at)}
            case _:
                return _("This coupon is void and cannot be used.")


def look_up(code: str) -> Coupon | None:
    """Return the coupon of a code as typed by a person, with plan and member, or None when there is none."""
    return Coupon.objects.select_related("plan", "member", "used_by").filter(code=_as_stored(code)).first()


@transaction.atomic
def use(code: str, *, actor_id: int, at: datetime, reason: str = "") -> UseResult:
    """Take a coupon, once. Two people at two desks get one ``USED`` and one ``ALREADY_USED`` between them.

    ``code`` is what was typed. The staff log gets a line for every coupon used and for every refusal but typing errors.
    """
    stored = _as_stored(code)
    # The state is tested and changed by one statement, so there is no moment between the look and the use.
    ready = Coupon.objects.filter(code=stored, state=CouponState.ISSUED, expires_at__gt=at)
    used = ready.update(state=CouponState.USED, used_at=at, used_by_id=actor_id) == 1
    coupon = look_up(stored)
    outcome = UseOutcome.USED if used else _why_not(coupon)
    if coupon is None and read_code(code) is None:
        return UseResult(UseOutcome.MISTYPED)
    log_action(
        "coupon.use" if used else "coupon.refuse",
        actor_id=actor_id,
        at=at,
        reason=reason,
        member_id=coupon.member_id if coupon else None,
        code=stored,
        outcome=outcome.value,
        yuan=coupon.yuan if coupon else None,
    )
    return UseResult(outcome, coupon)


def _as_stored(typed: str) -> str:
    """Return what was typed as a code of ours is stored; what cannot be one of ours is the platform's, or none."""
    return read_code(typed) or typed.replace("\x00", "").strip()


def _why_not(coupon: Coupon | None) -> UseOutcome:
    if coupon is None:
        return UseOutcome.UNKNOWN
    if coupon.state == CouponState.USED:
        return UseOutcome.ALREADY_USED
    return UseOutcome.VOID if coupon.state == CouponState.VOID else UseOutcome.EXPIRED


def _instant(moment: datetime | None) -> str:
    return date_format(timezone.localtime(moment), "DATETIME_FORMAT") if moment else ""
