"""One burn of an account with a dozen lots, through the public function: with its key, a limit for each member, a trace
and the lots. The function is one statement and so a transaction of its own."""

import random
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from benchmarks.contest import against_pgbench
from benchmarks.ledger import AT, Shape, fill
from benchmarks.sizes import Size

CLIENTS = (1, 4, 8, 16)
PROMISED = 8  # The number of clients that the promise is about.
LOTS = 12
MOST_POINTS = 100  # As many as a lot holds: a burn draws from one or two of them.


def run(folder: Path, size: Size) -> dict[str, float | int]:
    """Clients burn points of random accounts, and take turns with pgbench."""
    fill(size.members, Shape(lots=LOTS))
    return {"members": size.members, **against_pgbench(folder, _burning(size.members), CLIENTS, promised=PROMISED)}


def _burning(members: int) -> Callable[[int], Callable[[], object]]:
    """What a client does: it burns some points of some account, each time under a key of its own."""

    def prepare(number: int) -> Callable[[], object]:
        from loyalty.movements import burn
        from loyalty.posting import Limit

        chance = random.Random()
        limits = [Limit(most=1000, since=AT - timedelta(days=30))]

        def act() -> None:
            burn(
                chance.randint(1, members), chance.randint(1, MOST_POINTS), key=f"redeem:{chance.getrandbits(64):x}",
                at=AT, reference="bench", trace={"reward": number}, limits=limits,
            )  # fmt: skip

        return act

    return prepare
