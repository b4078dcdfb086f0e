"""How to do what the database forbids: with one guard, and only that one, switched off."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection, models, transaction
from django.db.utils import DatabaseError

JOURNAL_ONLY = "PK001"
APPEND_ONLY = "PK002"
CHECK_VIOLATION = "23514"


def execute(statement: str, *values: Any) -> int:
    """Run a statement of raw SQL, in a savepoint so that a refusal leaves the test's transaction usable."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement, values)
        return int(cursor.rowcount)


def refusal_of(error: DatabaseError) -> str:
    """The SQLSTATE with which the database refused."""
    return getattr(error.__cause__, "sqlstate", "")


@contextmanager
def without(model: type[models.Model], *triggers: str) -> Iterator[None]:
    """Switch triggers of a model's table off, by their names in the model."""
    names = [trigger.get_pgid(model) for trigger in model._meta.triggers if trigger.name in triggers]  # type: ignore[attr-defined]
    assert len(names) == len(triggers), f"{model.__name__} has no such triggers: {triggers}"
    _alter(model, names, "DISABLE")
    yield
    _alter(model, names, "ENABLE")


def tamper(model: type[models.Model], statement: str, *values: Any) -> None:
    """Run a statement with all guards of a model's table switched off. Constraints still hold."""
    with without(model, *(trigger.name for trigger in model._meta.triggers)):  # type: ignore[attr-defined]
        assert execute(statement, *values), "nothing was there to tamper with"


def _alter(model: type[models.Model], names: list[str], what: str) -> None:
    table = model._meta.db_table
    with connection.cursor() as cursor:
        # A table with foreign keys still to be checked cannot be altered.
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        for name in names:
            cursor.execute(f"ALTER TABLE {table} {what} TRIGGER {name}")
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")


@contextmanager
def altered(function: str, old: str, new: str, *, count: int = 1) -> Iterator[None]:
    """Let one of the journal's functions say something else in ``count`` places, and then what it said before."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_get_functiondef(%s::regproc)", [function])
        [definition] = cursor.fetchone()
    assert definition.count(old) == count, f"{function} has changed: say anew which part of it is the guard"
    execute(definition.replace(old, new).replace("%", "%%"))
    yield
    execute(definition.replace("%", "%%"))
