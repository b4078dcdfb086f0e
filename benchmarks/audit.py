"""The proof that the whole ledger adds up and is as it was sealed, against reading all its entries once."""

import time
from pathlib import Path
from statistics import median

from benchmarks.ledger import AT, Shape, fill, rest
from benchmarks.sizes import Size

LOTS, BURNS = 7, 3
ROUNDS = 3


def run(folder: Path, size: Size) -> dict[str, float | int]:
    """Audit a ledger of ten entries a member, seven accruals and three burns, with every day closed and sealed."""
    from loyalty.audit import audit
    from loyalty.close import close_due_days

    members = max(size.rows // (LOTS + BURNS), 1)
    fill(members, Shape(lots=LOTS, burns=BURNS))
    days = close_due_days(AT)
    rest()
    scans, audits = [], []
    for _ in range(ROUNDS):
        scans.append(_scan())
        begun = time.perf_counter()
        report = audit()
        audits.append(time.perf_counter() - begun)
        if not report.ok:
            raise SystemExit(f"the generated ledger does not add up: {report.mismatches[:3]}")
    seconds = median(audits)
    return {
        "members": members,
        "rows": report.entries,
        "days": days,
        "ratio": round(median(scan / whole for scan, whole in zip(scans, audits, strict=True)), 3),
        "per_second": round(report.entries / seconds),
        "seconds": round(seconds, 2),
        "scan_seconds": round(median(scans), 2),
    }


def _scan() -> float:
    """Seconds that it takes to read every entry and add up its points."""
    from django.db import connection

    with connection.cursor() as cursor:
        begun = time.perf_counter()
        cursor.execute("SELECT sum(points), sum(pending), sum(held) FROM loyalty_entry")
        return time.perf_counter() - begun
