"""A review of all members, and the preview of another scheme on them: five orders each, a tenth with a tier already.

The measure is reading the same tables once, row by row, in one process and with nothing done to them. The first review
moves everybody who is due; the second is a night like any other, when nearly nobody is.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from benchmarks.sizes import Size

AT = datetime(2026, 6, 30, 12, 0, tzinfo=UTC)
BEGUN = AT - timedelta(days=3 * 365)

_MEMBERS = """
INSERT INTO crm_member (id, name, email, phone, note, joined_at)
SELECT n, 'Member ' || n, '', '', '', '{begun}'::timestamptz FROM generate_series(1, {members}) AS n
"""

# Amounts and days are drawn by a hash, so that every run has the same. One member of ten buys for five times as much,
# one order of twenty went back.
_ORDERS = """
INSERT INTO crm_order (
    channel_id, external_no, member_id, status, paid, refunded, refunded_reported, amount_from_lines, placed_at,
    paid_at, shipped_at, completed_at, close_reason, title, raw, version
)
SELECT {channel}, 'bench-' || step || '-' || n, n, 'completed', paid, CASE WHEN h % 20 = 0 THEN paid ELSE 0 END,
       CASE WHEN h % 20 = 0 THEN paid ELSE 0 END, FALSE, at - interval '7 days', at - interval '7 days',
       at - interval '6 days', at, '', 'A cup of tea and a plate of cakes', '{{}}'::jsonb,
       '4|2026-01-01 00:00:00|0.00|0123456789abcdef'
  FROM generate_series(1, {orders}) AS step, generate_series(1, {members}) AS n,
       LATERAL (SELECT abs(hashint8(n * 31::bigint + step)::bigint)) AS hashed (h),
       LATERAL (SELECT (20 + h % 300) * CASE WHEN n % 10 = 0 THEN 5 ELSE 1 END,
                       '{begun}'::timestamptz + (h % 1090) * interval '1 day') AS drawn (paid, at)
"""

# Their terms ran out in the course of the last year.
_GRANTS = """
INSERT INTO crm_tiergrant (member_id, tier_id, begins_at, ends_at, source, reason, figures, granted_at)
SELECT n, {tier}, '{at}'::timestamptz - interval '500 days', '{at}'::timestamptz - (n % 300) * interval '1 day',
       'import', 'Carried over', '{{}}'::jsonb, '{at}'::timestamptz - interval '500 days'
  FROM generate_series(10, {members}, 10) AS n
"""

_TABLES = ("crm_member", "crm_order", "crm_refund", "crm_tiergrant", "crm_tierstanding")


def run(folder: Path, size: Size) -> dict[str, float | int]:
    """Preview, review and review again; ``ratio`` is the time of reading over that of the first review."""
    from crm.tiers.nightly import review_everybody
    from crm.tiers.preview import preview
    from crm.tiers.schemebook import find_scheme

    draft = _fill(size)
    read = _read()
    seen, preview_seconds = _timed(lambda: preview(find_scheme(draft), at=AT))
    first, seconds = _timed(lambda: review_everybody(AT, at=AT))
    again, again_seconds = _timed(lambda: review_everybody(AT, at=AT))
    if again.moves or first.members != size.members or seen.members != size.members:
        raise SystemExit(f"the reviews do not agree: {first} {again}")
    read = min(read, _read())
    return {
        "members": size.members,
        "rows": size.rows,
        "ratio": round(read / seconds, 4),
        "per_second": round(size.members / seconds),
        "seconds": round(seconds, 2),
        "moved": sum(first.moves.values()),
        "again_seconds": round(again_seconds, 2),
        "again_ratio": round(read / again_seconds, 4),
        "preview_seconds": round(preview_seconds, 2),
        "preview_ratio": round(read / preview_seconds, 4),
        "read_seconds": round(read, 2),
    }


def _timed(work: Callable[[], Any]) -> tuple[Any, float]:
    begun = time.perf_counter()
    found = work()
    return found, time.perf_counter() - begun


def _fill(size: Size) -> int:
    """Write the shop, publish the scheme of Vancl counted over a year, and return the id of a draft that asks for
    twice as much."""
    from django.db import connection, transaction

    from crm.models import Channel, Tier
    from crm.tiers.presets import load_scheme_preset
    from crm.tiers.schemebook import draft_of, publish, save_draft

    channel = Channel.objects.create(code="bench", name="Benchmark")
    begun = AT - timedelta(days=400)
    scheme = load_scheme_preset("vancl", at=begun, actor_id=None).draft
    window = {"reach_window": "days", "reach_length": 365, "keep_window": "days", "keep_length": 365}
    save_draft(scheme.pk, window, _rungs(800, 1500))
    publish(scheme.pk, effective_from=begun, at=begun, actor_id=None, reason="Benchmark")
    draft = draft_of(1, at=AT, actor_id=None)
    save_draft(draft.pk, window, _rungs(1600, 3000))
    figures = {
        "members": size.members, "orders": max(size.rows // size.members, 1), "channel": channel.pk, "at": AT,
        "begun": BEGUN, "tier": Tier.objects.get(code="vip").pk,
    }  # fmt: skip
    with connection.cursor() as cursor:
        with transaction.atomic():
            # The rows fit together; checking each against the others would take longer than writing them.
            cursor.execute("SET LOCAL session_replication_role = replica")
            for statement in (_MEMBERS, _ORDERS, _GRANTS):
                cursor.execute(statement.format(**figures))
            cursor.execute("SELECT setval(pg_get_serial_sequence('crm_member', 'id'), max(id)) FROM crm_member")
        cursor.execute("VACUUM ANALYZE")
        cursor.execute("CHECKPOINT")
    return draft.pk


def _rungs(vip: int, svip: int) -> list[dict[str, Any]]:
    return [
        {"tier": code, "reach": [{"metric": "spend", "at_least": amount}, {"metric": "order_count", "at_least": 2}]}
        for code, amount in (("vip", vip), ("svip", svip))
    ]


def _read() -> float:
    """Read every row of the tables that a review looks at."""
    from django.db import connection, transaction

    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL max_parallel_workers_per_gather = 0")
        cursor.execute("SET LOCAL enable_indexscan = off")
        cursor.execute("SET LOCAL enable_indexonlyscan = off")
        begun = time.perf_counter()
        for table in _TABLES:
            cursor.execute(f"SELECT count(x) FROM {table} AS x")
        return time.perf_counter() - begun
