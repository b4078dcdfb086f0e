"""A night's work where a tenth of all lots have lost their validity, and one member of 365 has his birthday.

The measure is what the engine needs merely to change as many rows: UPDATE in a bare copy of the lots.
"""

import os
import time
from datetime import datetime, timedelta
from datetime import time as clock
from pathlib import Path
from typing import Any

from benchmarks.ledger import AT, Shape, fill, proven, rest
from benchmarks.sizes import Size

DUE_OF = 10


def run(folder: Path, size: Size) -> dict[str, float | int]:
    """One night over all members."""
    from loyalty.close import close_due_days
    from loyalty.nightly import run_nightly

    lots = max(size.rows // size.members, 1)
    fill(size.members, Shape(lots=lots, due_of=DUE_OF))
    close_due_days(AT - timedelta(days=1))  # The nights before did that.
    _reward_birthdays()
    rest()
    bare = _update_of_bare_rows()
    processor, log = _processor_seconds(), _log_position()
    begun = time.perf_counter()
    steps = run_nightly(AT, at=AT)
    seconds = time.perf_counter() - begun
    processor, log = _processor_seconds() - processor, _log_position() - log
    taken = sum(step.lots for step in steps if step.step in {"expire", "birthdays"})
    bare = min(bare, _update_of_bare_rows())
    proven("the night")
    return {
        "members": size.members,
        "rows": size.members * lots,
        "due": taken,
        "ratio": round(bare / seconds, 4),
        "per_second": round(taken / seconds),
        "seconds": round(seconds, 2),
        "server_processor_seconds": round(processor, 2),
        "log_mb": round(log / 1_000_000),
        **{f"{step.step}_seconds": round(step.seconds, 2) for step in steps},
        "update_seconds": round(bare, 2),
    }


def _reward_birthdays() -> None:
    """Publish rules that give points for birthdays, from this day's on: nobody has one to catch up."""
    from loyalty.earning.kinds import Birthday, Spend
    from loyalty.earning.ruleset import Rule, RuleSet
    from loyalty.rulebook import draft_of, publish, save_draft
    from loyalty.validity import programme_zone

    zone = programme_zone()
    morning = datetime.combine(AT.astimezone(zone).date(), clock.min, tzinfo=zone)
    rules = RuleSet(1, (Rule("spend", Spend(points=1)), Rule("birthday", Birthday(points=50))))
    draft = draft_of(0, at=morning, actor_id=None)
    save_draft(draft.pk, rules.as_json()["rules"])
    publish(draft.pk, effective_from=morning, at=morning, actor_id=None, reason="Benchmark")


def _processor_seconds() -> float:
    """What the server's process for this session has computed so far; 0 where there is no ``/proc`` to tell. How long
    the night takes depends on the disk too, and disks take a little quicker than a lot; this and the log tell whether
    it grows faster than the data."""
    status = Path(f"/proc/{_one('SELECT pg_backend_pid()')}/stat")
    if not status.exists():
        return 0.0
    # Behind the name, which is in brackets and may contain anything: user and system time, in ticks.
    user, system = status.read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def _log_position() -> int:
    """Bytes that the server has written to its log."""
    return int(_one("SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')"))


def _one(query: str) -> Any:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(query)
        return cursor.fetchone()[0]


def _update_of_bare_rows() -> float:
    from django.db import connection, transaction

    with connection.cursor() as cursor, transaction.atomic():
        cursor.execute("CREATE TEMPORARY TABLE bare ON COMMIT DROP AS SELECT id, remaining FROM loyalty_lot")
        begun = time.perf_counter()
        cursor.execute("UPDATE bare SET remaining = 0 WHERE id %% %s = 0", [DUE_OF])
        return time.perf_counter() - begun
