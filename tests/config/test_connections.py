"""A connection to the database is asked whether it still works once a second, and not with every request."""

from collections.abc import Iterator

import pytest
from django.db import Error, connection, connections

from config.postgresql import base


class Clock:
    """Stands until it is set."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(base, "monotonic", clock)
    return clock


@pytest.fixture
def own(db: None, clock: Clock) -> Iterator[base.DatabaseWrapper]:
    """A connection that was made just now."""
    own = base.DatabaseWrapper({**connection.settings_dict, "CONN_HEALTH_CHECKS": True})
    own.ensure_connection()
    yield own
    own.close()


def lose_the_server(own: base.DatabaseWrapper) -> None:
    assert own.connection is not None
    own.connection.close()
    own.health_check_done = False  # As at the beginning of each request.


def ask(own: base.DatabaseWrapper) -> int:
    with own.cursor() as cursor:
        cursor.execute("SELECT 1")
        [number] = cursor.fetchone()
    return int(number)


def test_one_that_rested_and_is_broken_is_made_anew(own: base.DatabaseWrapper, clock: Clock) -> None:
    lose_the_server(own)
    clock.now += base.CHECKED_EVERY

    assert ask(own) == 1


def test_one_that_worked_a_moment_ago_is_not_asked_again(own: base.DatabaseWrapper, clock: Clock) -> None:
    lose_the_server(own)
    clock.now += base.CHECKED_EVERY / 2

    with pytest.raises(Error):
        ask(own)


def test_it_is_asked_again_when_the_second_is_over(own: base.DatabaseWrapper, clock: Clock) -> None:
    for _request in range(3):
        own.health_check_done = False
        clock.now += base.CHECKED_EVERY
        assert ask(own) == 1

    lose_the_server(own)
    clock.now += base.CHECKED_EVERY

    assert ask(own) == 1


def test_it_is_the_engine_of_the_shop() -> None:
    assert isinstance(connections["default"], base.DatabaseWrapper)
    assert connection.vendor == "postgresql"
