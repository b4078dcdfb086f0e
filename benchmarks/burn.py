"""One burn of an account with a dozen lots, through the public function, inside a transaction as the store does it."""

import random
from collections.abc import Callable
from pathlib import Path

from benchmarks.contest import contest, table
from benchmarks.ledger import AT, Shape, fill
from benchmarks.sizes import Size
from config.embedded import places

CLIENTS = (1, 4, 8, 16)
PROMISED = 8  # The number of clients that the promise is about.
ROUNDS, SECONDS = 5, 3.0
LOTS = 12
MOST_POINTS = 150  # Lots hold a hundred points each: a burn draws from one or two of them.


def run(folder: Path, size: Size) -> dict[str, float | int]:
    """Clients burn points of random accounts, and take turns with pgbench."""
    from django.db import connections

    from loyalty.audit import audit

    fill(size.members, Shape(lots=LOTS))
    connections.close_all()
    sockets = str(places.postgres_sockets(folder))
    scores = contest(sockets, _burning(size.members), clients=CLIENTS, rounds=ROUNDS, seconds=SECONDS)
    if not audit().ok:
        raise SystemExit("the ledger does not add up after the burns")
    [promised] = [score for score in scores if score.clients == PROMISED]
    return {
        "members": size.members,
        "ratio": round(promised.ratio, 3),
        "per_second": round(promised.per_second),
        "seconds": round(promised.milliseconds / 1000, 5),
        "peak_mb": promised.peak_mb,
        **table(scores),
    }


def _burning(members: int) -> Callable[[int], Callable[[], object]]:
    """What a client does: it burns some points of some account, each time under a key of its own."""

    def prepare(number: int) -> Callable[[], object]:
        from django.db import transaction

        from loyalty.movements import burn

        chance = random.Random()

        def act() -> None:
            with transaction.atomic():
                burn(
                    chance.randint(1, members), chance.randint(1, MOST_POINTS),
                    key=f"redeem:{chance.getrandbits(64):x}", at=AT, reference="bench", trace={"reward": number},
                )  # fmt: skip

        return act

    return prepare
