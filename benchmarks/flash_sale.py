"""One reward that everybody wants: as ``redeem``, with a single row of stock for all clients."""

from pathlib import Path

from benchmarks.contest import against_pgbench
from benchmarks.redeem import CLIENTS, PROMISED, furnish, redeeming
from benchmarks.sizes import Size


def run(folder: Path, size: Size) -> dict[str, float | int]:
    """Clients redeem the one reward for some member, and take turns with pgbench."""
    furnish(size.members, rewards=1)
    return {
        "members": size.members, "rows": 1,
        **against_pgbench(folder, redeeming(size.members, 1), CLIENTS, promised=PROMISED),
    }  # fmt: skip
