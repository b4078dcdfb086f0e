"""A process, or the server's own, dies at every place of an act; whatever it came to, doing it again brings it to its
end, once, and the books add up all the time."""

import time
from collections.abc import Callable

import pytest
from django.db import connection, connections

from loyalty import api as loyalty
from redemption.coupons.proof import prove_coupons
from redemption.rewards.proof import prove_store
from tests.concurrency.processes import killed_after
from tests.concurrency.test_coupons import execute, remake

MOST_STATEMENTS = 99
Act = Callable[[], object]


def all_adds_up() -> bool:
    """Whether the journal, the stocks, the redemptions, the coupons and the budgets tell the same story."""
    return loyalty.audit().ok and prove_store().ok and prove_coupons().ok


def kill_everywhere(prepare: Callable[[], tuple[Act, Act]], *, step: int = 1) -> int:
    """For every statement, or every ``step``th: prepare an act and what somebody does after a crash, kill the act
    there, look at the books, let it be done again, twice, and look once more. Returns how many statements there are at
    least."""
    for statements in range(0, MOST_STATEMENTS, step):
        act, again = prepare()
        killed = killed_after(statements, act)
        assert all_adds_up(), f"after statement {statements}"
        again()
        again()
        assert all_adds_up(), f"after statement {statements} and another try"
        if not killed:
            return statements
    raise AssertionError("the act has no end")


def die_inside(function: str, statement: str, act: Act) -> Callable[[], None]:
    """Let the server's own process die in a database function before one of its statements; return what mends the
    function again."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_get_functiondef(%s::regproc)", [function])
        [whole] = cursor.fetchone()
    remake(function, statement, f"    PERFORM pg_terminate_backend(pg_backend_pid());\n{statement}")
    with pytest.raises(Exception, match="terminating connection"):
        act()
    connections.close_all()
    return lambda: execute(whole)


def wait_until_one_sleeps() -> None:
    """Wait until a session is asleep inside a statement."""
    deadline = time.monotonic() + 30
    asleep = 0
    while not asleep:
        assert time.monotonic() < deadline
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'"
            )
            [asleep] = cursor.fetchone()
