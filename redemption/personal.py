"""What this floor holds about a member, and what becomes of it."""

from datetime import datetime

from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from crm.api import Erasure, ErasureRules, Fate, Loss, PersonalTable
from redemption.choices import CouponState
from redemption.coupons.voiding import void_coupons
from redemption.models import Address, Coupon, Redemption
from redemption.rewards.choices import RedemptionState
from redemption.rewards.life import OPEN
from redemption.rewards.own import HANDED_OUT

_STAFF = "It names people of the shop's staff, not buyers."

TABLES = (
    PersonalTable(
        "coupons", "redemption.Coupon", ("member",),
        (
            "plan__name", "code", "yuan", "points", "state", "issued_at", "expires_at", "used_at", "used_in__name",
            "order_no", "void_at", "void_reason", "points_back",
        ),
        Fate.KEPT, "For the books; whatever could still be used is void.",
    ),
    PersonalTable(
        "redemptions", "redemption.Redemption", ("member",),
        (
            "id", "reward__name", "quantity", "points", "cash", "state", "placed_at", "paid_at", "carrier",
            "tracking_number", "move_reason",
        ),
        Fate.KEPT, "For the books and for goods that come back; also the number of the parcel and what was written.",
    ),
    PersonalTable(
        "redemption_steps", "redemption.RedemptionMove", ("redemption__member",),
        ("redemption_id", "state_after", "cancelled", "returned", "at", "reason"),
        Fate.KEPT, "History, which the database lets nobody change.",
    ),
    PersonalTable(
        "payments", "redemption.Payment", ("redemption__member",),
        ("redemption_id", "amount", "how", "reference", "at"),
        Fate.KEPT, "For the books.",
    ),
    PersonalTable(
        "digital_codes", "redemption.RewardCode", ("redemption__member",), ("redemption_id", "code"),
        Fate.KEPT, "A code that was given out is given to nobody else.",
        # Those of a redemption that waits for its cash are only set aside.
        only=Q(redemption__state__in=[state.value for state in HANDED_OUT]),
    ),
    PersonalTable(
        "addresses", "redemption.Address", ("member",),
        ("recipient", "phone", "region", "street", "postcode", "preferred", "added_at", "removed_at"),
        Fate.EMPTIED, "An empty row, because redemptions name it.", title=gettext_lazy("My addresses"),
        emptied={
            "recipient": "", "phone": "", "region": "", "street": "", "postcode": "", "preferred": False,
        },
    ),
)  # fmt: skip

LEFT_OUT = {
    "redemption.PoolCode": "The shop platform's code of a coupon, which is in the coupon.",
    **dict.fromkeys(
        ("redemption.Embed", "redemption.PaymentKey", "redemption.SpentCall", "redemption.StockChange"), _STAFF
    ),
}

# Somebody has still to do something, or the parcel is on its way to an address that would be gone.
_UNFINISHED = (*OPEN, RedemptionState.SHIPPED)
_NAMED = 5


def _obstacles(member_id: int, _at: datetime) -> list[str]:
    unfinished = Redemption.objects.filter(member=member_id, state__in=_UNFINISHED).order_by("pk")
    return [
        _("Redemption %(number)s is not finished yet (%(state)s).")
        % {"number": redemption.number, "state": RedemptionState(redemption.state).label}
        for redemption in unfinished[:_NAMED]
    ]


def _usable(member_id: int, at: datetime) -> "QuerySet[Coupon]":
    return Coupon.objects.filter(member=member_id, state=CouponState.ISSUED, expires_at__gt=at)


def _losses(member_id: int, at: datetime) -> list[Loss]:
    coupons = _usable(member_id, at).count()
    text = ngettext("%(coupons)s coupon that is not used yet", "%(coupons)s coupons that are not used yet", coupons)
    return [Loss("coupons", coupons, text % {"coupons": coupons})] if coupons else []


def _act(erasure: Erasure) -> None:
    coupons = list(_usable(erasure.member_id, erasure.at).values_list("pk", flat=True))
    if coupons:
        void_coupons(coupons, reason=erasure.reason, actor_id=erasure.actor_id, at=erasure.at)
    Address.objects.filter(member=erasure.member_id, removed_at=None).update(removed_at=erasure.at)


RULES = ErasureRules(obstacles=_obstacles, losses=_losses, act=_act)
