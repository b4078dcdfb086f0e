"""Rule sets as they are stored and as people fill them in: what is read, and what is refused in which words."""

import json
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from django.utils import translation

from loyalty.earning.calendar import FESTIVALS, DateWindow, LunarWindow
from loyalty.earning.checking import problems
from loyalty.earning.conditions import Conditions
from loyalty.earning.kinds import (
    KINDS,
    Birthday,
    BirthdayOrder,
    Campaign,
    EarlyConfirmation,
    EarlyPayment,
    Festival,
    FirstOrder,
    Kind,
    PaymentKind,
    ProductPolicy,
    Profile,
    Referral,
    ReferralShare,
    SignIn,
    Spend,
    Steps,
    TierMultiplier,
)
from loyalty.earning.ruleset import BUILT_IN, Caps, InvalidRules, Rule, RuleSet
from loyalty.earning.settings import InvalidFields, Settings
from tests.loyalty.earning.counter import A_YUAN_A_POINT, rule


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    """Reasons are told in the reader's language; these readers read English."""
    with translation.override("en"):
        yield


ONE_OF_EACH: list[Kind] = [
    Spend(per=250, points=3, rounding="half_up"),
    PaymentKind(kinds=("gift_card", "balance"), per=100, points=1),
    ProductPolicy(shares=(("special", Decimal("0.25")), ("zero", Decimal(0))), bonus_points=5),
    TierMultiplier(factors=(("vip", Decimal("1.5")), ("svip", Decimal(2)))),
    Festival(window=LunarWindow(1, 1, -1, 6), factor=Decimal("1.25")),
    BirthdayOrder(window="week", points=10),
    EarlyPayment(minutes=30, points=5),
    EarlyConfirmation(days=3, factor=Decimal(2)),
    Steps(steps=((9900, 5), (19900, 15))),
    FirstOrder(points=50),
    SignIn(points=1, streak=((7, 10), (30, 5)), starts_over_after=30),
    Birthday(points=66),
    Profile(points=20),
    Referral(percent=Decimal("2.5"), products=(ReferralShare(7, points=9), ReferralShare(8, percent=Decimal(10)))),
    Campaign(word="tea", points=30),
]
EVERYTHING = Conditions(
    channels=("tea",), tiers=("vip",), tier_rank_at_least=0, tags_any=("a",), tags_none=("b",), new_buyer=False,
    products=(1, 2), categories=("tea",), product_tags=("new",), product_policies=("normal",), payment_kinds=("cash",),
    amount_at_least=9950, time_of_day=(1200, 1440), weekdays=(6, 7),
    dates=DateWindow(date(2026, 1, 1), date(2026, 2, 1)),
)  # fmt: skip


@pytest.mark.parametrize("kind", ONE_OF_EACH, ids=lambda kind: kind.code)
def test_every_kind_comes_back_from_json_and_has_nothing_wrong(kind: Kind) -> None:
    stored = json.loads(json.dumps(kind.as_json()))

    assert KINDS[kind.code].from_json(stored) == kind
    assert kind.problems() == []


def test_no_kind_was_forgotten() -> None:
    assert [kind.code for kind in ONE_OF_EACH] == list(KINDS)


@pytest.mark.parametrize("settings", [*KINDS.values(), Conditions, Caps])
def test_every_setting_has_a_label_for_its_form(settings: type[Settings]) -> None:
    assert [name for name, setting in settings.settings().items() if not str(setting.label)] == []


def test_a_whole_set_comes_back_from_json() -> None:
    ruleset = RuleSet(
        7,
        (
            *(Rule(f"rule-{number}", kind, "名", number, number % 2 == 0) for number, kind in enumerate(ONE_OF_EACH)),
            rule("all", A_YUAN_A_POINT, group="base", caps=Caps(1, 2, 3, 4, 5)),
            Rule("conditions", A_YUAN_A_POINT, conditions=EVERYTHING),
        ),
    )

    assert RuleSet.from_json(json.loads(json.dumps(ruleset.as_json()))) == ruleset


def test_what_is_as_usual_is_not_stored() -> None:
    [stored] = BUILT_IN.as_json()["rules"]

    assert (stored["config"], stored["conditions"], stored["caps"]) == ({}, {}, {})


@pytest.mark.parametrize("name", FESTIVALS)
def test_a_festival_may_be_named_instead_of_its_window(name: str) -> None:
    assert Festival.from_json({"window": name, "points": 5}).window == FESTIVALS[name][1]


@pytest.mark.parametrize(
    ("kind", "data", "field", "word"),
    [
        ("spend", {"per": "1.005"}, "per", "decimal places"),
        ("spend", {"per": 1.5}, "per", "no number"),
        ("spend", {"per": "NaN"}, "per", "no number"),
        ("spend", {"points": "many"}, "points", "whole number"),
        ("spend", {"points": True}, "points", "whole number"),
        ("spend", {"rounding": 1}, "rounding", "no text"),
        ("spend", {"pro": "1"}, "pro", "no such field"),
        ("steps", {}, "steps", "required"),
        ("steps", {"steps": [[1, 2, 3]]}, "steps", "Two values"),
        ("steps", {"steps": "99"}, "steps", "no list"),
        ("tier_multiplier", {"factors": [["vip", "2"]]}, "factors", "each name"),
        ("festival", {"window": "halloween"}, "window", "no window"),
        ("festival", {"window": {"kind": "dates", "first": "1.1.2026"}}, "window", "no window"),
        ("festival", {"window": {"kind": "moon"}}, "window", "no window"),
    ],
)
def test_what_cannot_be_read_is_refused_by_its_field(kind: str, data: dict[str, Any], field: str, word: str) -> None:
    with pytest.raises(InvalidFields) as refused:
        KINDS[kind].from_json(data)

    assert [problem.field for problem in refused.value.problems] == [field]
    assert word in refused.value.problems[0].message


@pytest.mark.parametrize(
    ("data", "field"),
    [
        ({"time_of_day": ["8 pm", "24:00"]}, "time_of_day"),
        ({"new_buyer": "maybe"}, "new_buyer"),
        ({"tiers": "vip"}, "tiers"),
    ],
)
def test_conditions_that_cannot_be_read_are_refused_by_their_field(data: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidFields) as refused:
        Conditions.from_json(data)

    assert [problem.field for problem in refused.value.problems] == [field]


def test_everything_that_cannot_be_read_in_a_set_is_told_at_once() -> None:
    stored = {
        "rules": [
            {"code": "a", "kind": "lottery"},
            {"code": "b", "kind": "spend", "config": {"per": "x"}, "caps": {"budget": "much"}, "colour": "red"},
            {"code": "c", "kind": "spend", "conditions": []},
        ]
    }

    with pytest.raises(InvalidRules) as refused:
        RuleSet.from_json(stored)

    assert [(problem.rule, problem.field) for problem in refused.value.problems] == [
        ("a", "kind"), ("b", "config.per"), ("b", "caps.budget"), ("b", "colour"), ("c", "conditions"),
    ]  # fmt: skip
    assert "lottery" in str(refused.value)


@pytest.mark.parametrize(
    ("kind", "field", "word"),
    [
        (Spend(per=0), "per", "at least"),
        (Spend(per=-100), "per", "at least"),
        (Spend(per=10**13), "per", "at most"),
        (Spend(points=0), "points", "at least"),
        (Spend(rounding="sideways"), "rounding", "sideways"),
        (PaymentKind(), "kinds", "way of payment"),
        (ProductPolicy(shares=(("normal", Decimal(-1)),)), "shares", "negative"),
        (ProductPolicy(shares=(("dear", Decimal(1)),)), "shares", "dear"),
        (ProductPolicy(shares=(("zero", Decimal(0)), ("zero", Decimal(1)))), "shares", "one share"),
        (ProductPolicy(shares=()), "shares", "at least one"),
        (TierMultiplier(factors=(("vip", Decimal("1.555")),)), "factors", "two decimal"),
        (TierMultiplier(factors=()), "factors", "at least one"),
        (Festival(window=LunarWindow(1, 1), factor=Decimal(-2)), "factor", "negative"),
        (Festival(window=LunarWindow(1, 1), factor=Decimal("0.5")), "factor", "below 1"),
        (Festival(window=LunarWindow(1, 1), factor=Decimal(101)), "factor", "at most"),
        (Festival(window=LunarWindow(1, 1), factor=Decimal("1.001")), "factor", "two decimal"),
        (Festival(window=LunarWindow(1, 1)), "points", "gives nothing"),
        (Festival(window=LunarWindow(1, 1), factor=Decimal(2), points=5), "factor", "or multiplies"),
        (Festival(window=DateWindow(date(2026, 2, 2), date(2026, 2, 1)), points=5), "window", "before the first"),
        (EarlyPayment(minutes=0, points=5), "minutes", "at least"),
        (EarlyConfirmation(days=-1, points=5), "days", "at least"),
        (Steps(steps=()), "steps", "at least one"),
        (Steps(steps=((0, 5),)), "steps", "at least"),
        (Steps(steps=((200, 5), (100, 9))), "steps", "above the one before"),
        (Steps(steps=((100, 9), (200, 5))), "steps", "fewer points"),
        (FirstOrder(points=-5), "points", "at least"),
        (SignIn(points=0), "points", "gives nothing"),
        (SignIn(streak=((7, 5),), starts_over_after=5), "streak", "start over"),
        (BirthdayOrder(window="year", points=5), "window", "year"),
        (Referral(percent=Decimal(101)), "percent", "over 100"),
        (Referral(percent=Decimal(-1)), "percent", "negative"),
        (Referral(percent=Decimal("0.005")), "percent", "two decimal"),
        (Referral(), "percent", "gives nothing"),
        (Referral(percent=Decimal(1), points=1), "points", "not both"),
        (Referral(products=(ReferralShare(1, Decimal(200)),)), "products", "over 100"),
        (Referral(products=(ReferralShare(1, Decimal(2), 2),)), "products", "not both"),
        (Campaign(word="", points=5), "word", "required"),
        (Campaign(word="x" * 65, points=5), "word", "At most"),
    ],
)
def test_a_wrong_configuration_is_refused_with_the_field_and_the_reason(kind: Kind, field: str, word: str) -> None:
    [problem] = problems(RuleSet(1, (rule("it", kind),)))

    assert (problem.rule, problem.field) == ("it", f"config.{field}")
    assert word in problem.message


@pytest.mark.parametrize(
    ("conditions", "field"),
    [
        ({"weekdays": (0,)}, "weekdays"), ({"weekdays": (8,)}, "weekdays"),
        ({"time_of_day": (600, 600)}, "time_of_day"), ({"time_of_day": (600, 2000)}, "time_of_day"),
        ({"product_policies": ("dear",)}, "product_policies"),
        ({"tiers": ("",)}, "tiers"), ({"amount_at_least": -1}, "amount_at_least"),
        ({"tier_rank_at_least": -1}, "tier_rank_at_least"), ({"dates": LunarWindow(0, 1)}, "dates"),
        ({"tags_any": ("a",), "tags_none": ("a", "b")}, "tags_none"),
    ],
)  # fmt: skip
def test_conditions_that_nobody_can_meet_are_refused(conditions: dict[str, Any], field: str) -> None:
    [problem] = problems(RuleSet(1, (rule("it", A_YUAN_A_POINT, **conditions),)))

    assert problem.field == f"conditions.{field}"


def test_a_budget_below_what_is_paid_already_is_refused() -> None:
    ruleset = RuleSet(1, (rule("it", A_YUAN_A_POINT, caps=Caps(budget=1000)),))

    assert problems(ruleset, {"it": 1000, "other": 5000}) == []
    [problem] = problems(ruleset, {"it": 1001})
    assert (problem.field, "1001" in problem.message) == ("caps.budget", True)


def test_a_cap_of_nothing_is_refused() -> None:
    [problem] = problems(RuleSet(1, (rule("it", A_YUAN_A_POINT, caps=Caps(per_order=0)),)))

    assert problem.field == "caps.per_order"


@pytest.mark.parametrize("code", ["", "Double 11", "双11", "-x", "x" * 51])
def test_a_code_is_a_plain_word(code: str) -> None:
    assert [problem.field for problem in problems(RuleSet(1, (rule(code, A_YUAN_A_POINT),)))] == ["code"]


def test_two_rules_cannot_have_one_code() -> None:
    [problem] = problems(RuleSet(1, (rule("it", A_YUAN_A_POINT), rule("it", FirstOrder(points=5)))))

    assert (problem.rule, problem.field) == ("it", "code")


class TestRulesThatDoNotFit:
    def field(self, *them: Rule) -> list[tuple[str, str]]:
        ordered = tuple(
            Rule(each.code, each.kind, each.name, number, each.enabled, each.conditions, each.caps, each.group)
            for number, each in enumerate(them)
        )
        return [(problem.rule, problem.field) for problem in problems(RuleSet(1, ordered))]

    def test_a_rule_about_an_act_cannot_ask_what_was_bought(self) -> None:
        assert self.field(rule("it", SignIn(), products=(1,))) == [("it", "conditions.products")]
        assert self.field(rule("it", SignIn(), weekdays=(1,), tiers=("vip",))) == []

    def test_a_product_cannot_count_less_because_the_order_grows(self) -> None:
        assert self.field(rule("it", ProductPolicy(), amount_at_least=100)) == [("it", "conditions.amount_at_least")]

    def test_product_rules_need_no_group(self) -> None:
        assert self.field(rule("it", ProductPolicy(), group="base")) == [("it", "group")]

    def test_an_order_is_multiplied_as_a_whole_when_it_completes(self) -> None:
        double = EarlyConfirmation(days=3, factor=Decimal(2))
        assert self.field(rule("it", double, products=(1,))) == [("it", "conditions.products")]
        assert self.field(rule("it", EarlyConfirmation(days=3, points=5), products=(1,))) == []

    def test_a_group_holds_rules_that_earn_in_the_same_way(self) -> None:
        spend, gift = rule("spend", A_YUAN_A_POINT, group="one"), rule("gift", FirstOrder(points=5), group="one")

        assert self.field(spend, gift) == [("gift", "group")]
        assert self.field(rule("a", SignIn(), group="one"), rule("b", Profile(points=1), group="one")) == [
            ("b", "group")
        ]

    def test_windows_of_one_group_may_not_overlap(self) -> None:
        autumn = rule("autumn", Festival(window=FESTIVALS["mid_autumn"][1], points=5), group="festival")
        september = Festival(window=DateWindow(date(2026, 9, 1), date(2026, 9, 30)), points=9)
        october = Festival(window=DateWindow(date(2026, 10, 1), date(2026, 10, 30)), points=9)

        assert self.field(autumn, rule("all", september, group="festival")) == [("all", "config.window")]
        assert self.field(autumn, rule("all", october, group="festival")) == []
        assert self.field(autumn, rule("all", september)) == []
        assert self.field(autumn, rule("all", FirstOrder(points=5), dates=september.window, group="festival")) == [
            ("all", "conditions.dates")
        ]

    def test_windows_may_overlap_where_no_order_meets_both_rules(self) -> None:
        double_11 = Festival(window=FESTIVALS["double_11"][1], points=5)

        assert self.field(
            rule("tea", double_11, group="festival", channels=("tea",)),
            rule("cups", double_11, group="festival", channels=("cups",)),
        ) == []  # fmt: skip

    def test_a_base_rule_cannot_displace_another_because_the_order_grows(self) -> None:
        poor, usual = Spend(per=1000), rule("usual", A_YUAN_A_POINT, group="base")

        assert self.field(rule("large", poor, group="base", amount_at_least=100_00), usual) == [
            ("large", "conditions.amount_at_least")
        ]
        assert self.field(usual, rule("large", poor, group="base", amount_at_least=100_00)) == []
        assert self.field(usual, rule("large", poor, amount_at_least=100_00)) == []

    def test_a_factor_cannot_displace_another_line_by_line_because_the_order_grows(self) -> None:
        tea = rule("tea", TierMultiplier(factors=(("vip", Decimal(2)),)), group="more", categories=("tea",))
        large = rule("large", TierMultiplier(factors=(("vip", Decimal(3)),)), group="more", amount_at_least=100_00)
        whole = rule("whole", TierMultiplier(factors=(("vip", Decimal(2)),)), group="more")

        assert self.field(tea, large) == [("large", "conditions.amount_at_least")]
        assert self.field(whole, large) == []

    def test_rules_that_are_switched_off_do_not_disturb_the_others(self) -> None:
        off = Rule("off", FirstOrder(points=5), enabled=False, group="one")

        assert self.field(rule("spend", A_YUAN_A_POINT, group="one"), off) == []


def test_the_reason_names_the_other_rule_as_the_seller_does() -> None:
    usual = Rule("a", A_YUAN_A_POINT, name="一元一分", group="one")
    [problem] = problems(RuleSet(1, (usual, rule("gift", FirstOrder(points=5), group="one"))))

    assert "一元一分" in problem.message
