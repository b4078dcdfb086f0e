"""What the demo shop rewards: rules published before its first order, as a seller would have made them."""

from datetime import datetime, timedelta
from decimal import Decimal

from crm.api import log_action
from loyalty.earning.calendar import FESTIVALS
from loyalty.earning.kinds import (
    Birthday,
    Campaign,
    EarlyConfirmation,
    EarlyPayment,
    Festival,
    FirstOrder,
    ProductPolicy,
    Profile,
    Referral,
    SignIn,
    Spend,
    TierMultiplier,
)
from loyalty.earning.ruleset import Caps, Rule, RuleSet
from loyalty.models import RuleSet as RuleSetRow
from loyalty.rulebook import draft_of, publish, save_draft

CAMPAIGN_WORD = "采茶节"
_REASON = "会员计划上线"
# Before the first order of the exports, so that every one of them earns by these rules.
_BEFORE_ALL = timedelta(days=3 * 366)

RULES = RuleSet(
    0,
    (
        Rule("products", ProductPolicy(), "特价减半，零积分商品不计", position=10),
        Rule("spend", Spend(per=100, points=1), "每满 1 元得 1 积分", position=20),
        Rule(
            "double-11", Festival(window=FESTIVALS["double_11"][1], factor=Decimal(2)), "双11 双倍积分", position=30,
            caps=Caps(per_order=500),
        ),
        Rule(
            "tiers",
            TierMultiplier(factors=(("senior", Decimal("1.1")), ("vip", Decimal("1.2")), ("supreme", Decimal("1.5")))),
            "会员等级加成", position=40,
        ),
        Rule("first-order", FirstOrder(points=10), "首单礼", position=50, caps=Caps(per_member=10)),
        Rule(
            "early-payment", EarlyPayment(minutes=30, points=2), "半小时内付款", position=60,
            caps=Caps(per_member_day=4),
        ),
        Rule(
            "early-confirmation", EarlyConfirmation(days=3, points=5), "三天内确认收货", position=70,
            caps=Caps(per_member_day=10),
        ),
        Rule("signin", SignIn(points=1, streak=((7, 5),), starts_over_after=7), "每日签到", position=80),
        Rule("profile", Profile(points=20), "完善资料", position=90, caps=Caps(per_member=20)),
        Rule("birthday", Birthday(points=66), "生日礼", position=100),
        Rule("referral", Referral(percent=Decimal(5), days=30), "推荐新朋友", position=110),
        Rule(
            "picking", Campaign(word=CAMPAIGN_WORD, points=15), "采茶节口令", position=120,
            caps=Caps(per_member=15, budget=30_000),
        ),
    ),
)  # fmt: skip


def publish_rules(at: datetime) -> RuleSetRow:
    """Publish the shop's rules as version 1, in force since before its first order."""
    since = at - _BEFORE_ALL
    draft = draft_of(0, at=at, actor_id=None, note=_REASON)
    save_draft(draft.pk, RULES.as_json()["rules"])
    published = publish(draft.pk, effective_from=since, at=at, actor_id=None, reason=_REASON)
    log_action("rule.publish", actor_id=None, at=at, reason=_REASON, version=published.version)
    return published
