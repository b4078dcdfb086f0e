"""The windows in which an audit reads long tables leave nothing out."""

import itertools

import pytest

from loyalty.audit.scope import MOST_WINDOWS, NO_ID, windows


@pytest.mark.parametrize(("low", "high"), [(1, 0), (1, 1), (1, 99), (100, 100), (7, 1234)])
def test_together_they_are_all_ids(low: int, high: int) -> None:
    cut = list(windows(low, high, 100))

    assert cut[0][0] == -NO_ID
    assert cut[-1][1] == NO_ID
    assert all(end + 1 == start for (_, end), (start, _) in itertools.pairwise(cut))
    assert all(start % 100 == 0 for start, _ in cut[1:])


def test_an_id_from_nowhere_makes_them_larger_and_not_more() -> None:
    assert len(list(windows(1, 1 << 60, 4096))) <= MOST_WINDOWS + 1
