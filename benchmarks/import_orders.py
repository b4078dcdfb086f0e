"""A generated Taobao order list goes through the whole import: reading, orders, members, points.

The measure is COPY of the same rows, as text, into a table without keys: what the engine needs merely to take them in.
"""

import csv
import time
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.ledger import proven
from benchmarks.sizes import Size

SEED = 7
UNTIL = datetime(2026, 6, 30, 12, 0, tzinfo=UTC)


def run(folder: Path, size: Size) -> dict[str, float | int]:
    """Import orders of a sixth as many members; ``ratio`` is the time of COPY over the time of the import."""
    from config.demo.generator import write_orders
    from crm.imports.pipeline import Source, run_file
    from crm.models import Channel

    path = folder / "orders.csv"
    write_orders(path, orders=size.rows, members=size.members, seed=SEED, until=UNTIL)
    channel = Channel.objects.create(code="bench", name="Benchmark")

    copied = _copy(path)
    begun = time.perf_counter()
    source = Source(path, channel)
    source.inspect(UNTIL)
    inspected = time.perf_counter() - begun
    counts = run_file(source, at=UNTIL)
    seconds = time.perf_counter() - begun
    copied = min(copied, _copy(path))
    proven("the import")
    return {
        "members": size.members,
        "rows": size.rows,
        "ratio": round(copied / seconds, 4),
        "per_second": round(size.rows / seconds),
        "seconds": round(seconds, 2),
        "inspect_seconds": round(inspected, 2),
        "copy_seconds": round(copied, 3),
        "orders_new": counts.orders_new,
        "points_accrued": counts.effects["points_accrued"],
    }


def _copy(path: Path) -> float:
    """Seconds that COPY of the file's rows takes; reading and splitting them is not counted."""
    from django.db import connection, transaction

    with path.open(encoding="gb18030", newline="") as file:
        table = list(csv.reader(file))
    columns = ", ".join(f"c{number} text" for number in range(len(table[0])))
    lines = ["\t".join(cell.replace("\\", "\\\\").replace("\t", " ") for cell in row) + "\n" for row in table[1:]]
    with connection.cursor() as cursor, transaction.atomic():
        cursor.execute(f"CREATE TEMPORARY TABLE bare ({columns}) ON COMMIT DROP")
        begun = time.perf_counter()
        with cursor.copy("COPY bare FROM STDIN") as copy:
            copy.write("".join(lines))
        return time.perf_counter() - begun
