"""What rules gave, and why they gave nothing, in the buyer's words."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.utils import translation

from loyalty.earning.award import Award, AwardLine, Miss
from loyalty.explain_award import explain_award, explain_miss, tells_names

NAMES = {"spend": "A point a yuan", "double": "Double Eleven", "gift": "Spring gift", "goods": "Goods"}


@pytest.fixture(autouse=True)
def in_english() -> Iterator[None]:
    with translation.override("en"):
        yield


def told(*lines: AwardLine) -> list[str]:
    return explain_award(Award(3, sum(line.points for line in lines), lines), NAMES)


def test_a_plain_rate_is_told_in_one_sentence_and_without_its_name() -> None:
    plain = AwardLine("spend", "spend", 10_080, "3/10", 30, rounding="down")

    assert told(plain) == [
        "100.80 yuan paid; every 10 yuan earns 3 points, whole steps only: 30 points (rule version 3)."
    ]
    assert not tells_names({"set": 3, "award": {"set": 3, "rules": [["spend", "spend", 10080, "3/10", 30, "down"]]}})


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        (
            AwardLine("spend", "spend", 9_550, "1/1", 96, rounding="half_up"),
            (
                "A point a yuan: 95.50 yuan count, and every 1 yuan earns 1 point, from half a step on counted whole: "
                "96 points."
            ),
        ),
        (
            AwardLine("card", "payment_kind", 9_510, "1/1", 96, rounding="up"),
            (
                "Points by way of payment: 95.10 yuan count, and every 1 yuan earns 1 point, steps that were begun "
                "counted whole: 96 points."
            ),
        ),
        (
            AwardLine("double", "festival", 96, "2", 96, rounding="down"),
            "Double Eleven: 96 points times 2 are 96 points more.",
        ),
        (AwardLine("gift", "steps", 10_080, "", 20), "Spring gift: 20 points."),
        (
            AwardLine("goods", "product_policy", 5_000, "0.5", 0),
            "Goods: goods for 50.00 yuan count 0.5 times their price.",
        ),
        (AwardLine("goods", "product_policy", 5_000, "0", 0), "Goods: goods for 50.00 yuan earn no points."),
        (AwardLine("goods", "product_policy", 3, "", 30), "Goods: 3 pieces earn 30 points besides."),
        (AwardLine("share", "referral", 20_000, "5%", 10), "Referral: 5% of 200.00 yuan make 10 points."),
        (AwardLine("day", "signin", 7, "", 6), "Daily sign-in: 6 points on day 7 in a row."),
        (AwardLine("day", "signin", 1, "", 1), "Daily sign-in: 1 point on day 1 in a row."),
        (AwardLine("gift", "steps", 100, "", 1), "Spring gift: 1 point."),
    ],
)  # fmt: skip
def test_each_kind_of_line_has_its_sentence(line: AwardLine, sentence: str) -> None:
    assert told(line) == [sentence]


@pytest.mark.parametrize(
    ("cap", "sentence"),
    [
        ("order", "The rule has a limit for one order, so 30 points less: 20 points."),
        ("member_day", "The rule has a limit for each member and day, so 30 points less: 20 points."),
        ("member", "The rule has a limit for each member, so 30 points less: 20 points."),
        ("rule_day", "The rule has a limit for each day, so 30 points less: 20 points."),
        ("budget", "The budget of the rule is used up, so 30 points less: 20 points."),
    ],
)
def test_what_a_cap_cut_is_told_with_what_is_left(cap: str, sentence: str) -> None:
    assert told(AwardLine("gift", "steps", 10_000, "", 20, 30, cap)) == ["Spring gift: 50 points.", sentence]


def test_several_rules_are_summed_up() -> None:
    base, double = (
        AwardLine("spend", "spend", 100, "1/1", 1, rounding="down"),
        AwardLine("double", "festival", 1, "2", 1),
    )

    assert told(base, double)[-1] == "Together 2 points (rule version 3)."


@pytest.mark.parametrize(
    ("code", "params", "sentence"),
    [
        ("amount_short", {"short": 300}, "Spring gift: 3.00 yuan short of it."),
        ("not_yet", {"days": 3}, "Spring gift: confirm the receipt within 3 days of shipping."),
        ("not_yet", {"days": 1}, "Spring gift: confirm the receipt within 1 day of shipping."),
        ("paid_late", {"minutes": 30, "late": 5}, "Spring gift: paid 5 minutes too late."),
        ("confirmed_late", {"days": 3, "late": 1}, "Spring gift: the receipt was confirmed 1 day too late."),
        ("time_of_day", {"from": "20:00", "to": "24:00"}, "Spring gift: only from 20:00 to 24:00."),
        ("cap_reached", {"cap": "budget", "limit": 900}, "Spring gift: the limit of 900 points has been reached."),
    ],
)
def test_a_miss_says_what_was_missing(code: str, params: dict[str, Any], sentence: str) -> None:
    assert explain_miss(Miss("gift", code, params), NAMES) == sentence


@pytest.mark.parametrize(
    "code",
    [
        "channel", "payment_kind", "tier", "tier_rank", "tag_missing", "tag_excluded", "not_new", "new", "day",
        "weekday", "no_line", "displaced", "outdone", "nothing_to_multiply", "no_birthday", "no_birthday_now",
        "profile_incomplete", "other_code",
    ],
)  # fmt: skip
def test_every_other_reason_names_the_rule(code: str) -> None:
    assert explain_miss(Miss("gift", code, {}), NAMES).startswith("Spring gift: ")


@pytest.mark.parametrize("code", ["no_instant", "no_share", "a word of a later release"])
def test_what_means_nothing_to_a_buyer_is_not_told(code: str) -> None:
    assert explain_miss(Miss("gift", code, {}), NAMES) == ""


def test_a_rule_without_a_name_is_called_by_its_kind() -> None:
    assert explain_miss(Miss("extra", "not_new", {}), {}, "first_order") == "First order: only for the first order."
