"""The kinds of rules by their codes. Another kind is a class more in one of these modules, and its line here."""

from loyalty.earning.kinds.acts import Campaign, Profile, Referral, ReferralShare, SignIn
from loyalty.earning.kinds.base import Base, Gift, Kind, Stage
from loyalty.earning.kinds.goods import ProductPolicy
from loyalty.earning.kinds.money import PaymentKind, Spend, Steps
from loyalty.earning.kinds.people import Birthday, BirthdayOrder, FirstOrder, TierMultiplier
from loyalty.earning.kinds.timing import EarlyConfirmation, EarlyPayment, Festival

KINDS: dict[str, type[Kind]] = {
    kind.code: kind
    for kind in (
        Spend, PaymentKind, ProductPolicy, TierMultiplier, Festival, BirthdayOrder, EarlyPayment, EarlyConfirmation,
        Steps, FirstOrder, SignIn, Birthday, Profile, Referral, Campaign,
    )
}  # fmt: skip

__all__ = [
    "KINDS", "Base", "Birthday", "BirthdayOrder", "Campaign", "EarlyConfirmation", "EarlyPayment", "Festival",
    "FirstOrder", "Gift", "Kind", "PaymentKind", "ProductPolicy", "Profile", "Referral", "ReferralShare", "SignIn",
    "Spend", "Stage", "Steps", "TierMultiplier",
]  # fmt: skip
