"""How far a tier is: figures in, lines out."""

from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from crm.choices import Climb, Effect, Fall, GrantSource, KeepCheck, Taking
from crm.tiers.decide import Holding, Standing
from crm.tiers.progress import Outlook, Waits, end_of_term, outlook, way_to
from crm.tiers.scheme import Mark, Rung, Scheme, Threshold

BEGUN = datetime(2026, 1, 1, tzinfo=UTC)
ZONE = ZoneInfo("Asia/Shanghai")


def mark(*, any_of: bool = False, strict: bool = False, **at_least: int) -> Mark:
    return Mark(tuple(Threshold(code, Decimal(figure), strict) for code, figure in at_least.items()), any_of)


def figures(**counted: str | int) -> dict[str, Decimal]:
    return {code: Decimal(figure) for code, figure in counted.items()}


def scheme(**changes: object) -> Scheme:
    rungs = (
        Rung("senior", 1, mark(spend=1000), mark(spend=500)),
        Rung("vip", 2, mark(spend=5000), mark(spend=2000)),
        Rung("supreme", 3, mark(spend=20000), mark(spend=8000)),
    )
    return Scheme(1, rungs, **changes)  # type: ignore[arg-type]


def test_every_threshold_says_what_is_missing() -> None:
    way = way_to(mark(any_of=True, spend=1000, order_count=5), figures(spend="680.00", order_count=4))

    assert [(line.metric.code, line.missing) for line in way.missing] == [
        ("spend", Decimal(320)),
        ("order_count", Decimal(1)),
    ]
    assert (way.any_of, way.met) == (True, False)


def test_where_any_one_is_enough_nothing_is_missing_once_one_is_met() -> None:
    way = way_to(mark(any_of=True, spend=1000, order_count=5), figures(spend=10, order_count=5))

    assert way.met
    assert way.missing == ()
    assert [line.met for line in way.lines] == [False, True]


def test_where_all_are_needed_those_that_are_met_are_not_missing() -> None:
    way = way_to(mark(spend=1000, order_count=5), figures(spend=10, order_count=5))

    assert [(line.metric.code, line.missing) for line in way.missing] == [("spend", Decimal(990))]


def test_more_than_so_much_is_missed_by_a_fen_and_by_a_whole_order() -> None:
    assert way_to(mark(strict=True, spend=2500), figures(spend="2500.00")).missing[0].missing == Decimal("0.01")
    assert way_to(mark(strict=True, order_count=5), figures(order_count=5)).missing[0].missing == 1


def test_more_returned_than_bought_counts_as_nothing() -> None:
    [line] = way_to(mark(spend=1000), figures(spend="-30.00")).lines

    assert (line.figure, line.missing, line.share) == (Decimal(0), Decimal(1000), Decimal(0))


def test_the_way_leads_to_the_rung_above_what_is_held() -> None:
    ahead = outlook(scheme(), Standing(Holding(1, BEGUN), figures(spend=1200)))

    assert (ahead.reached, ahead.waits, ahead.next_rank) == (0, None, 2)
    assert ahead.way is not None
    assert ahead.way.missing[0].missing == 3800


@pytest.mark.parametrize(
    ("settings", "missed", "waits"),
    [
        ({"effect": Effect.NEXT_ORDER}, 0, Waits.ORDER),
        ({"effect": Effect.REVIEW_DAY}, 0, Waits.DAY),
        ({}, 0, Waits.NIGHT),
        ({"taking": Taking.CLAIM}, 0, Waits.NIGHT),
        ({"taking": Taking.CLAIM}, 2, Waits.MORE),
    ],
)
def test_what_is_reached_and_not_held_says_what_it_waits_for(
    settings: dict[str, object], missed: int, waits: Waits
) -> None:
    ahead = outlook(scheme(**settings), Standing(None, figures(spend=6000), missed=missed))

    assert (ahead.reached, ahead.waits, ahead.next_rank) == (2, waits, 3)


def test_what_may_be_claimed_waits_for_nothing() -> None:
    ahead = outlook(scheme(taking=Taking.CLAIM), Standing(None, figures(spend=6000), offered=2))

    assert (ahead.reached, ahead.waits, ahead.next_rank) == (0, None, 3)


def test_whoever_rises_one_at_a_time_sees_no_second_step_before_the_first_is_his() -> None:
    ahead = outlook(scheme(climb=Climb.ONE), Standing(None, figures(spend=6000)))

    assert (ahead.reached, ahead.next_rank, ahead.way) == (1, 0, None)


def test_at_the_top_nothing_lies_ahead() -> None:
    assert outlook(scheme(), Standing(Holding(3, BEGUN), figures(spend=30000))) == Outlook()


def test_a_locked_tier_is_neither_raised_nor_kept_by_figures() -> None:
    locked = Holding(1, BEGUN, BEGUN.replace(year=2027), GrantSource.MANUAL, locked=True)

    assert outlook(scheme(validity_months=12), Standing(locked, figures(spend=30000))) == Outlook()


@pytest.mark.parametrize(("kept", "missing"), [("1999.50", ["0.50"]), ("2000", [])])
def test_a_tier_with_an_end_says_what_is_missing_to_keep_it(kept: str, missing: list[str]) -> None:
    held = Holding(2, BEGUN, BEGUN.replace(year=2027))

    keep = outlook(scheme(validity_months=12), Standing(held, keep=figures(spend=kept))).keep

    assert keep is not None
    assert [str(line.missing) for line in keep.missing] == missing


@pytest.mark.parametrize(
    ("holding", "settings"),
    [
        (Holding(2, BEGUN), {}),
        (Holding(2, BEGUN, BEGUN.replace(year=2027)), {"fall": Fall.KEEP}),
        (Holding(2, BEGUN, BEGUN.replace(year=2027), GrantSource.MANUAL), {}),
        (None, {"keep_check": KeepCheck.REVIEW_DAY}),
    ],
)
def test_nothing_is_asked_for_what_is_never_looked_at(holding: Holding | None, settings: dict[str, object]) -> None:
    assert outlook(scheme(**settings), Standing(holding)).keep is None


def test_a_tier_without_end_from_before_the_terms_ends_with_the_first_term() -> None:
    began = datetime(2026, 2, 1, tzinfo=ZONE)
    rules = scheme(validity_months=12, effective_from=began)

    assert end_of_term(rules, Holding(2, BEGUN), ZONE) == datetime(2027, 2, 1, tzinfo=ZONE)
    assert end_of_term(rules, Holding(2, began), ZONE) is None
    assert end_of_term(rules, Holding(2, BEGUN, source=GrantSource.MANUAL), ZONE) is None
    assert end_of_term(rules, Holding(0, BEGUN), ZONE) is None
    assert end_of_term(None, Holding(2, BEGUN), ZONE) is None
