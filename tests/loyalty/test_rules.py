"""What an amount earns, and which rule counts on which day."""

from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from loyalty.rulebook import publish_rate, published_rates
from loyalty.rules import BUILT_IN, Rate, rate_at, whole_steps_down

DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("amount", "per", "steps"),
    [
        ("100", "1", 100), ("100.99", "1", 100), ("0.99", "1", 0), ("0", "1", 0), ("-5", "1", 0), ("-0.01", "1", 0),
        ("29.99", "10", 2), ("30.00", "10", 3), ("0.30", "0.10", 3), ("1.10", "0.55", 2),
        ("999999999999.99", "0.01", 99999999999999),
    ],
)  # fmt: skip
def test_only_whole_steps_count_and_no_cent_is_lost_to_floating_point(amount: str, per: str, steps: int) -> None:
    assert whole_steps_down(Decimal(amount), Decimal(per)) == steps


def test_every_step_earns_the_rule_s_points() -> None:
    assert Rate(version=1, per=Decimal(10), points=3).award(Decimal("29.99")) == 6
    assert Rate(version=1, per=Decimal(10), points=0).award(Decimal("29.99")) == 0


def test_until_the_shop_publishes_a_rule_a_yuan_is_a_point(at: datetime) -> None:
    assert rate_at([], at) is BUILT_IN
    assert BUILT_IN.award(Decimal("12.80")) == 12
    assert BUILT_IN.as_trace() == {"version": 0, "per": "1", "points": 1}


@pytest.fixture
def rulebook(db: None, at: datetime) -> list[Rate]:
    """Double points from noon on, triple a week later."""
    for points, start in ((2, at), (3, at + 7 * DAY)):
        publish_rate(Decimal(1), points, effective_from=start, at=at - DAY, actor_id=None, reason="A festival")
    return published_rates()


@pytest.mark.parametrize(
    ("since_noon", "points"),
    [
        (-timedelta(microseconds=1), 1), (timedelta(), 2), (7 * DAY - timedelta(microseconds=1), 2), (7 * DAY, 3),
        (700 * DAY, 3),
    ],
)  # fmt: skip
def test_a_rule_counts_from_its_instant_until_the_next(
    rulebook: list[Rate], at: datetime, since_noon: timedelta, points: int
) -> None:
    assert rate_at(rulebook, at + since_noon).points == points


def test_of_two_rules_that_begin_together_the_later_version_counts(rulebook: list[Rate], at: datetime) -> None:
    publish_rate(Decimal(1), 9, effective_from=at, at=at, actor_id=None, reason="A slip corrected")

    assert rate_at(published_rates(), at).points == 9


def test_a_rule_published_later_for_an_earlier_day_does_not_reach_into_later_rules(
    rulebook: list[Rate], at: datetime
) -> None:
    publish_rate(Decimal(1), 5, effective_from=at - DAY, at=at, actor_id=None, reason="Forgotten")

    rates = published_rates()
    assert (rate_at(rates, at - DAY).points, rate_at(rates, at).points) == (5, 2)


def test_versions_count_up(rulebook: list[Rate]) -> None:
    assert sorted(rate.version for rate in rulebook) == [1, 2]


@pytest.mark.parametrize(("per", "points", "reason"), [("0", 1, "x"), ("-1", 1, "x"), ("1", -1, "x"), ("1", 1, " ")])
def test_a_rule_without_a_step_or_a_reason_is_refused(
    db: None, at: datetime, per: str, points: int, reason: str
) -> None:
    with pytest.raises(ValueError, match="a rule needs"):
        publish_rate(Decimal(per), points, effective_from=at, at=at, actor_id=None, reason=reason)
