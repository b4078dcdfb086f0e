"""What this floor holds about a member."""

from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from crm.api import Fate, PersonalTable
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
        Fate.EMPTIED, "An empty row, because redemptions name it.", title=_("My addresses"),
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
