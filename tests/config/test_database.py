"""The tests' own database: a test that commits leaves no trace, and takes nothing away."""

import pytest
from django.contrib.auth.models import Permission
from django.core.cache import cache
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from crm.models import Channel


def expect_the_template() -> None:
    """The database is as the migrations left it."""
    assert not Channel.objects.exists()
    assert Permission.objects.exists()
    executor = MigrationExecutor(connection)
    assert executor.migration_plan(executor.loader.graph.leaf_nodes()) == []


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("turn", [1, 2])
def test_what_a_test_commits_is_gone_for_the_next_one(turn: int) -> None:
    expect_the_template()
    Channel.objects.create(code=f"shop-{turn}", name="林记")
    Permission.objects.all().delete()


@pytest.mark.parametrize("turn", [1, 2])
def test_the_cache_is_empty_for_every_test(turn: int) -> None:
    assert cache.get("points") is None
    cache.set("points", turn)
