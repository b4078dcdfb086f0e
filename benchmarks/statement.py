"""A page of twenty entries of one long account: the first page, one in the middle and the last."""

import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from benchmarks.contest import against_pgbench
from benchmarks.ledger import Shape, fill
from benchmarks.sizes import Size

PAGE = 20
VIEWS = 200  # How often each of the pages is asked for.


def run(folder: Path, size: Size) -> dict[str, float | int]:
    """Ask for pages all over the account, in turns with pgbench; and for three pages, to see that all cost the same."""
    fill(1, Shape(lots=size.rows))
    first, middle, last = (_milliseconds(before) for before in (None, size.rows // 2, PAGE + 1))
    return {
        "rows": size.rows,
        "first_ms": round(first, 3),
        "middle_ms": round(middle, 3),
        "last_ms": round(last, 3),
        **against_pgbench(folder, _paging(size.rows), (1,), promised=1, script="select-only"),
    }


def _milliseconds(before_id: int | None) -> float:
    from loyalty.statement import history

    times = []
    for _ in range(VIEWS):
        begun = time.perf_counter()
        page = history(1, before_id=before_id, limit=PAGE)
        times.append(time.perf_counter() - begun)
        if len(page) != PAGE:
            raise SystemExit(f"a page of {len(page)} entries instead of {PAGE}")
    return 1000 * median(times)


def _paging(rows: int) -> Callable[[int], Callable[[], object]]:
    def prepare(number: int) -> Callable[[], object]:
        from loyalty.statement import history

        before = rows

        def act() -> None:
            nonlocal before
            before = before - 9973 if before > 10_000 else rows
            history(1, before_id=before, limit=PAGE)

        return act

    return prepare
