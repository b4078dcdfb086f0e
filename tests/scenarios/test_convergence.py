"""Importing files late, twice, in pieces and in any order ends in the same state (law 5)."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import permutations
from pathlib import Path
from random import Random

import pytest
from django.db import transaction

from config.demo.generator import write_shop
from config.demo.wares import WARES
from crm.choices import ProductPolicy
from crm.imports.pipeline import Source, run_file
from crm.models import Channel
from loyalty.api import audit
from loyalty.models import Entry
from loyalty.rulebook import publish_rate
from tests.factories import ProductFactory
from tests.loyalty.rulesets import publish_rules, rule
from tests.scenarios.state import digest, facts

UNTIL = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
JANUARY = {"kind": "yearly", "first": "01-01", "last": "01-31"}
MIDWINTER = {"kind": "solar_term", "term": "dongzhi", "first": -9, "last": 9}
LATER = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def exports(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The lists of a small shop, and those it exported a week later: the same orders, further on."""
    files = write_shop(tmp_path_factory.mktemp("exports"), until=UNTIL, seed=3, orders=90, members=25)
    return [*files.all, *files.week]


@pytest.fixture
def rich_rules(shop: Channel) -> None:
    """Rules that look at lines, products, instants and completions, and at nothing that changes while one imports."""
    choices = [choice for ware in WARES for choice in ware.choices]
    for number, choice in enumerate(choices):
        policy = ProductPolicy.values[number % 4]
        ProductFactory(
            channel=shop, code=choice.code, policy=policy, category=("tea", "ware")[number % 2],
            bonus_points=7 if policy == ProductPolicy.BONUS else 0,
        )  # fmt: skip
    publish_rules(
        rule("product_policy", position=1),
        rule("spend", {"per": "3", "points": 2, "rounding": "half_up"}, position=2),
        rule("spend", {"per": "50", "points": 3}, code="tea", conditions={"categories": ["tea"]}, position=3),
        rule("festival", {"window": JANUARY, "factor": "1.5"}, position=4),
        rule(
            "festival", {"window": MIDWINTER, "factor": "2"}, code="winter", conditions={"weekdays": [5, 6, 7]},
            position=5,
        ),
        rule("steps", {"steps": [["100", 5], ["300", 20]]}, caps={"per_order": 15}, position=6),
        rule("early_payment", {"minutes": 30, "points": 3}, position=7),
        rule("early_confirmation", {"days": 5, "points": 4}, position=8),
        since=UNTIL - timedelta(days=365),
    )  # fmt: skip
    publish_rate(Decimal(7), 2, effective_from=UNTIL - timedelta(days=20), at=UNTIL, actor_id=None, reason="Spring")


def halves(path: Path) -> list[Path]:
    """Cut a file in two in the middle of its rows; each half has the header."""
    header, *rows = path.read_bytes().splitlines(keepends=True)
    middle = len(rows) // 2
    parts = []
    for name, part in (("a", rows[:middle]), ("b", rows[middle:])):
        half = path.with_name(f"{path.stem}.{name}.csv")
        half.write_bytes(header + b"".join(part))
        parts.append(half)
    return parts


def import_all(channel: Channel, paths: Iterable[Path]) -> None:
    for path in paths:
        run_file(Source(path, channel), at=LATER, size=40)


def state_after(channel: Channel, paths: Sequence[Path]) -> str:
    """The digest after importing ``paths`` into an empty shop; the shop is empty again afterwards."""
    with transaction.atomic():
        import_all(channel, paths)
        assert audit().ok
        state = digest()
        transaction.set_rollback(True)
    return state


def test_three_files_in_any_order_end_in_the_same_state(shop: Channel, exports: list[Path]) -> None:
    orders, details, refunds = exports[:3]

    states = {state_after(shop, paths) for paths in permutations([orders, details, refunds])}

    assert len(states) == 1


def test_the_next_export_before_the_first_ends_in_the_same_state(shop: Channel, exports: list[Path]) -> None:
    expected = state_after(shop, exports)
    shuffled = list(exports)

    for seed in range(12):
        Random(seed).shuffle(shuffled)
        assert state_after(shop, shuffled) == expected, [path.name for path in shuffled]


def test_importing_twice_changes_nothing(shop: Channel, exports: list[Path]) -> None:
    import_all(shop, exports)
    once = facts()

    import_all(shop, exports)

    assert facts() == once


def test_files_cut_in_two_end_in_the_same_state(shop: Channel, exports: list[Path]) -> None:
    expected = state_after(shop, exports)
    pieces = [half for path in exports for half in halves(path)]

    for seed in range(6):
        Random(seed).shuffle(pieces)
        assert state_after(shop, pieces) == expected, [path.name for path in pieces]


def sums_after(channel: Channel, paths: Sequence[Path]) -> str:
    """All facts after importing ``paths`` into an empty shop but for one: which lot of a member holds what is left. An
    order whose lines come late is corrected, and what is taken back may come from another lot than its own."""
    with transaction.atomic():
        import_all(channel, paths)
        assert audit().ok
        state = facts()
        transaction.set_rollback(True)
    del state["open lots"]
    return str(state)


def test_rules_that_look_at_every_line_converge_as_well(shop: Channel, rich_rules: None, exports: list[Path]) -> None:
    orders, details, refunds = exports[:3]
    assert len({sums_after(shop, paths) for paths in permutations([orders, details, refunds])}) == 1

    expected = sums_after(shop, exports)
    pieces = [half for path in exports for half in halves(path)]
    for seed in range(6):
        Random(seed).shuffle(pieces)
        assert sums_after(shop, pieces) == expected, [path.name for path in pieces]


def test_and_all_of_those_rules_have_something_to_say(shop: Channel, rich_rules: None, exports: list[Path]) -> None:
    import_all(shop, exports)

    awards = Entry.objects.filter(trace__has_key="award").values_list("trace__award__rules", flat=True)
    told = {line[0] for award in awards for line in award}

    assert told >= {"spend", "tea", "product-policy", "festival", "winter", "steps", "early-payment"}
