"""All benchmarks one after the other, each in a process of its own, and their table in docs/performance.md."""

import json
import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.sizes import PLANS

DOCUMENT = Path(__file__).resolve().parent.parent / "docs" / "performance.md"
BEGIN, END = "<!-- table: begin -->", "<!-- table: end -->"

# Members of each run. The two sizes of the night and of the audit show how their cost grows with the data.
SMALL = {
    "burn": (50_000,),
    "hold_capture": (50_000,),
    "redeem": (50_000,),
    "flash_sale": (50_000,),
    "coupon_checkout": (50_000,),
    "redeem_http": (1_000,),
    "store_pages": (2_000,),
    "accrue": (20_000,),
    "nightly": (10_000, 100_000),
    "tier_review": (10_000, 100_000),
    "audit": (10_000, 100_000),
    "statement": (1,),
    "import_orders": (10_000,),
    "evaluate": (1,),
    "backtest": (20_000,),
    "badge": (1,),
    "points_page": (100,),
}
FULL = {
    "burn": (100_000,),
    "hold_capture": (100_000,),
    "redeem": (100_000,),
    "flash_sale": (100_000,),
    "coupon_checkout": (100_000,),
    "redeem_http": (1_000,),
    "store_pages": (20_000,),
    "accrue": (100_000,),
    "nightly": (100_000, 1_000_000),
    "tier_review": (100_000, 1_000_000),
    "audit": (100_000, 1_000_000),
    "statement": (1,),
    "import_orders": (20_000,),
    "evaluate": (1,),
    "backtest": (100_000,),
    "badge": (1,),
    "points_page": (100,),
}


def write(*, full: bool) -> None:
    """Run everything and write the table between the marks of the document."""
    results = [_run(name, members) for name, sizes in (FULL if full else SMALL).items() for members in sizes]
    text = DOCUMENT.read_text()
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    DOCUMENT.write_text(f"{before}{BEGIN}\n{_table(results)}\n{END}{after}")


def _run(name: str, members: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks", name, f"--members={members}", "--json"]
    print(" ".join(command[1:]), flush=True)
    printed = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    result: dict[str, Any] = json.loads(printed.splitlines()[-1])
    return result


def _table(results: list[dict[str, Any]]) -> str:
    machine = f"{os.cpu_count()} processors, {platform.system()}, Python {platform.python_version()}"
    lines = [
        f"Measured on {datetime.now(UTC):%Y-%m-%d}: {machine}.",
        "",
        "| benchmark | members | rows | ratio | against | a second | seconds | peak MB |",
        "|---|--:|--:|--:|---|--:|--:|--:|",
    ]
    for result in results:
        figures = [f"{result[name]:,}" if name in result else "" for name in ("members", "rows")]
        measured = [f"{result[name]:,}" for name in ("per_second", "seconds", "peak_mb")]
        name = result["name"]
        lines.append(
            f"| `{name}` | {' | '.join(figures)} | {result['ratio']} | {PLANS[name].against} | {' | '.join(measured)} |"
        )
    return "\n".join(lines)
