"""Points are set aside and then spent, each in a transaction of its own, as when a part is paid in money."""

import random
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

from benchmarks.contest import against_pgbench
from benchmarks.ledger import AT, Shape, fill
from benchmarks.sizes import Size

CLIENTS = (1, 4, 8, 16)
PROMISED = 8
LOTS = 12
MOST_POINTS = 100


def run(folder: Path, size: Size) -> dict[str, float | int]:
    """Clients hold and capture in turns; each of the two counts as one."""
    fill(size.members, Shape(lots=LOTS))
    return {
        "members": size.members,
        **against_pgbench(folder, _setting_aside(size.members), CLIENTS, promised=PROMISED),
    }


def _setting_aside(members: int) -> Callable[[int], Callable[[], object]]:
    def prepare(number: int) -> Callable[[], object]:
        from loyalty.movements import capture, hold

        chance = random.Random()

        def movements() -> Iterator[None]:
            while True:
                member, key = chance.randint(1, members), f"hold:{chance.getrandbits(64):x}"
                hold(
                    member, chance.randint(1, MOST_POINTS), key=key, at=AT, deadline=AT + timedelta(minutes=15),
                    reference="bench", trace={"reward": number},
                )  # fmt: skip
                yield
                capture(member, key, key=f"{key}:capture", at=AT)
                yield

        return movements().__next__

    return prepare
