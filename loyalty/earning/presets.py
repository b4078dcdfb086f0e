"""Rule sets to begin with: the earning part of the presets. Names are message ids, translated where they are shown."""

from decimal import Decimal

from loyalty.earning.conditions import Conditions
from loyalty.earning.facts import SPECIAL, ZERO
from loyalty.earning.kinds import (
    EarlyConfirmation,
    EarlyPayment,
    FirstOrder,
    PaymentKind,
    ProductPolicy,
    Profile,
    SignIn,
    Spend,
    TierMultiplier,
)
from loyalty.earning.ruleset import Caps, Rule, RuleSet


def gettext_noop(message: str) -> str:
    """Mark a message id. Django's function of this name would ask for settings while this module is imported."""
    return message


_ONE_FOR_ONE = Rule("spend", Spend(per=100, points=1), gettext_noop("One point a yuan"), position=20)
_BY_POLICY = Rule(
    "products", ProductPolicy(), gettext_noop("Special price counts half, zero-point products nothing"), position=10
)
_USUAL_GOODS = Conditions(amount_at_least=1000)

LINGGOU = RuleSet(
    0,
    (
        _BY_POLICY,
        _ONE_FOR_ONE,
        Rule(
            "early-payment", EarlyPayment(minutes=30, points=5), gettext_noop("Paid within half an hour"), position=30,
            conditions=_USUAL_GOODS, caps=Caps(per_member_day=10),
        ),
        Rule(
            "early-confirmation", EarlyConfirmation(days=3, points=5),
            gettext_noop("Receipt confirmed within three days"), position=40,
            conditions=_USUAL_GOODS, caps=Caps(per_member_day=10),
        ),
        Rule(
            "signin", SignIn(points=1, streak=((7, 5),), starts_over_after=7), gettext_noop("Daily sign-in"),
            position=50,
        ),
        Rule("profile", Profile(points=20), gettext_noop("Profile completed"), position=60, caps=Caps(per_member=20)),
    ),
)  # fmt: skip

TAOBAO = RuleSet(
    0,
    (
        _BY_POLICY,
        _ONE_FOR_ONE,
        Rule(
            "first-order", FirstOrder(points=20), gettext_noop("First order"), position=30,
            conditions=_USUAL_GOODS, caps=Caps(per_member=20),
        ),
        Rule("signin", SignIn(points=1), gettext_noop("Daily sign-in"), position=40),
    ),
)  # fmt: skip

# Two points a yuan, one for two yuan of special-price goods, one a yuan by gift card; VIP × 1.5, SVIP × 2. Zero-point
# goods earn nothing, and the product rule leaves special prices to the base rule.
VANCL = RuleSet(
    0,
    (
        Rule(
            "products", ProductPolicy(shares=((ZERO, Decimal(0)),)), gettext_noop("Zero-point products count nothing"),
            position=10,
        ),
        Rule(
            "gift-card", PaymentKind(kinds=("gift_card",), per=100, points=1),
            gettext_noop("Paid by gift card: one point a yuan"), position=20, group="base",
        ),
        Rule(
            "special", Spend(per=200, points=1), gettext_noop("Special price: one point for two yuan"), position=30,
            conditions=Conditions(product_policies=(SPECIAL,)), group="base",
        ),
        Rule("spend", Spend(per=100, points=2), gettext_noop("Two points a yuan"), position=40, group="base"),
        Rule(
            "tiers", TierMultiplier(factors=(("vip", Decimal("1.5")), ("svip", Decimal(2)))),
            gettext_noop("VIP one and a half times, SVIP twice"), position=50,
        ),
    ),
)  # fmt: skip

QUARTERLY = RuleSet(0, (_BY_POLICY, _ONE_FOR_ONE))

PRESETS: dict[str, RuleSet] = {"linggou": LINGGOU, "taobao": TAOBAO, "vancl": VANCL, "quarterly": QUARTERLY}
