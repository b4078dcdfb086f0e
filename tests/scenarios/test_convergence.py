"""Importing files late, twice, in pieces and in any order ends in the same state (law 5)."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from itertools import permutations
from pathlib import Path
from random import Random

import pytest
from django.db import transaction

from config.demo.generator import write_shop
from crm.imports.pipeline import Source, run_file
from crm.models import Channel
from loyalty.api import audit
from tests.scenarios.state import digest, facts

UNTIL = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
LATER = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def exports(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The lists of a small shop, and those it exported a week later: the same orders, further on."""
    files = write_shop(tmp_path_factory.mktemp("exports"), until=UNTIL, seed=3, orders=90, members=25)
    return [*files.all, *files.week]


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
