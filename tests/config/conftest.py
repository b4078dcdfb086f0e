"""Fixtures of the project's own tests."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.config.servers import processes, wait_until


@pytest.fixture
def var_dir() -> Iterator[Path]:
    """Give a folder for a shop, whose path is short enough for sockets, and see that nothing is left running in it."""
    folder = Path(tempfile.mkdtemp(prefix="pk-", dir="/tmp"))
    yield folder
    wait_until(lambda: not processes(folder))
    shutil.rmtree(folder)
