"""A backtest of the demo shop's orders: twelve rules now in force against a draft of them, with lines, tiers, caps.

The measure is reading the same orders once, with nothing done to them.
"""

import dataclasses
import itertools
import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from benchmarks.evaluate import TWELVE
from benchmarks.sizes import Size
from loyalty.earning.kinds import Spend
from loyalty.earning.ruleset import RuleSet

SEED = 7
UNTIL = datetime(2026, 6, 30, 12, 0, tzinfo=UTC)
BEGUN = UNTIL - timedelta(days=3 * 365)


def run(folder: Path, size: Size) -> dict[str, float | int]:
    """Backtest all orders of a fifth as many members; ``ratio`` is the time of reading over that of the backtest."""
    from loyalty.backtest.run import Period, backtest

    _fill(folder, size)
    whole = Period(BEGUN.date(), UNTIL.date())
    read = _read()
    beats = [time.perf_counter()]
    begun, worked = time.perf_counter(), time.process_time()
    found = backtest(
        _draft(), whole, percent=Decimal(10), at=UNTIL, progress=lambda done, number: beats.append(time.perf_counter())
    )
    seconds, python = time.perf_counter() - begun, time.process_time() - worked
    read = min(read, _read())
    return {
        "members": found["members"]["all"],
        "rows": found["orders"],
        "ratio": round(read / seconds, 4),
        "per_second": round(found["orders"] / seconds),
        "seconds": round(seconds, 2),
        "python_seconds": round(python, 2),
        "longest_silence": round(max(later - earlier for earlier, later in itertools.pairwise(beats)), 2),
        "points_live": found["gross"]["live"],
        "points_draft": found["gross"]["candidate"],
    }


def _fill(folder: Path, size: Size) -> None:
    """Import the shop, give every third member a tier, and let the twelve rules count since the first order."""
    from config.demo.generator import write_shop
    from crm.imports.pipeline import Source, run_file
    from crm.models import Channel, Member, Tier, TierGrant
    from loyalty.rulebook import draft_of, publish, save_draft

    channel = Channel.objects.create(code="bench", name="Benchmark")
    files = write_shop(folder, until=UNTIL, seed=SEED, orders=size.rows, members=size.members)
    for path in files.all:
        run_file(Source(path, channel), at=UNTIL)
    vip = Tier.objects.create(code="vip", name="VIP", rank=1)
    TierGrant.objects.bulk_create(
        TierGrant(member_id=member_id, tier=vip, begins_at=BEGUN, granted_at=BEGUN)
        for member_id in Member.objects.order_by("pk").values_list("pk", flat=True)[::3]
    )
    draft = draft_of(0, at=UNTIL, actor_id=None)
    save_draft(draft.pk, TWELVE.as_json()["rules"])
    publish(draft.pk, effective_from=BEGUN, at=UNTIL, actor_id=None, reason="Benchmark")


def _draft() -> RuleSet:
    """The twelve rules with three points a yuan instead of two."""
    return RuleSet(
        0,
        tuple(
            dataclasses.replace(rule, kind=Spend(points=3)) if rule.code == "spend" else rule for rule in TWELVE.rules
        ),
    )


def _read() -> float:
    from crm.api import paid_orders

    begun = time.perf_counter()
    for _orders in paid_orders(BEGUN, UNTIL, batch=2000):
        pass
    return time.perf_counter() - begun
