"""Accruals as an import of orders posts them, in batches, by one client."""

import random
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from benchmarks.contest import against_pgbench
from benchmarks.ledger import AT, Shape, fill
from benchmarks.sizes import Size

BATCH = 1000


def run(folder: Path, size: Size) -> dict[str, float | int]:
    """One client posts batch after batch and takes turns with pgbench; the figures are postings."""
    fill(size.members, Shape(lots=size.rows // size.members))
    return {
        "members": size.members,
        "rows": size.rows,
        "batch": BATCH,
        **against_pgbench(folder, _accruing(size.members), (1,), promised=1, each=BATCH),
    }


def _accruing(members: int) -> Callable[[int], Callable[[], object]]:
    def prepare(number: int) -> Callable[[], object]:
        from loyalty.journal import post
        from loyalty.posting import accrual

        chance = random.Random()
        award = {"set": 0, "rules": [["spend", "spend", 8880, "1/1", 88, "down"]]}

        def act() -> None:
            post(
                [
                    accrual(
                        chance.randint(1, members), 88, key=f"order:bench:{chance.getrandbits(64)}:accrual",
                        effective_at=AT, available_at=AT, expires_at=AT + timedelta(days=365), reference="bench",
                        trace={"set": 0, "award": award, "paid": "88.80", "worth": 88, "before": 0},
                    )
                    for _ in range(BATCH)
                ],
                at=AT,
            )  # fmt: skip

        return act

    return prepare
