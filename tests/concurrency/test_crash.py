"""The short form of the crash test; ``python -m tests.crash`` is the long one."""

import json
from pathlib import Path
from random import Random

from tests.crash.ordeal import Ordeal


def test_nothing_is_lost_or_done_twice_when_server_and_writers_are_killed(tmp_path: Path) -> None:
    ordeal = Ordeal(tmp_path, Random(3))

    ordeal.endure(kills=6)

    assert ordeal.server_kills > 0
    assert ordeal.writer_kills > 0
    figures = json.loads(ordeal.prove())
    assert figures["repeated"] > 0
