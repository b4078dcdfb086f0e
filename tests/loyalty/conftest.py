"""Fixtures of the points floor's tests."""

from collections.abc import Iterator

import pytest

from loyalty.audit import audit


@pytest.fixture
def books_add_up(db: None) -> Iterator[None]:
    """Whatever the story did, the ledger must add up at its end (law 2)."""
    yield
    assert audit().mismatches == ()
