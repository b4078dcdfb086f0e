"""Fixtures of the project's own tests."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import database
from tests.config.servers import processes, run, wait_until


@pytest.fixture
def var_dir() -> Iterator[Path]:
    """Give a folder for a shop, whose path is short enough for sockets, and see that nothing is left running in it."""
    folder = Path(tempfile.mkdtemp(prefix="pk-", dir="/tmp"))
    yield folder
    wait_until(lambda: not processes(folder))
    shutil.rmtree(folder)


@pytest.fixture
def migrated(var_dir: Path, django_db_setup: None, pytestconfig: pytest.Config) -> None:
    """Put into the folder's database what the migrations make, from the dump that the tests keep: to run them once more
    takes longer than all the rest of a story."""
    dump = database.kept_dump(pytestconfig.cache.mkdir("templates"))
    options = ("--quiet", "--set", "ON_ERROR_STOP=1", "--single-transaction", "--file", str(dump))
    status, output = run(var_dir, "manage.py", "dbshell", "--", *options)
    assert status == 0, output
