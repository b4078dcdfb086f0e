"""Points of old orders that count from the day of their import, where the seller wants it so.

An import records old orders with their true dates, and their points end as counted from then: maybe soon, maybe they
have ended. That stays as it is, whatever is imported in whichever sequence. What the seller adds afterwards is a
renewal of each such lot, with a key made of the import and the lot: seen before, once only, and never shorter than it
was.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from django.db import connection, transaction

from crm.api import FinishedImport, call_later, call_worker, finished_import, log_action, longjobs
from loyalty.choices import RenewalReason
from loyalty.models import ImportRenewal
from loyalty.policies import policy_in_force
from loyalty.posting import Renewal
from loyalty.renewals import renew
from loyalty.validity import valid_until

BATCH = 2_000


class NotFinished(Exception):
    """There is no such import, or it has not ended."""


class RenewedBefore(Exception):
    """The points of this import were renewed already."""


@dataclass(frozen=True, slots=True)
class RenewalPreview:
    """What a renewal would do: ``points`` in ``lots`` of ``members`` would be valid until ``until`` (None: no end);
    ``ended`` of the points have ended and would come back to life. What a night has expired is ``gone``."""

    lots: int
    members: int
    points: int
    ended: int
    gone: int
    until: datetime | None


# The lots of a channel's orders that were recorded while an import ran and would end sooner.
_MEANT = """
  FROM loyalty_lot AS l
  JOIN loyalty_entry AS e ON e.id = l.entry_id
  JOIN crm_order AS o ON o.id = e.order_id AND o.channel_id = %(channel)s
 WHERE e.recorded_at BETWEEN %(since)s AND %(until)s AND l.open AND NOT l.pending
   AND l.expires_at < coalesce(%(valid_until)s, 'infinity'::timestamptz)
"""
_PREVIEW = f"""
SELECT count(*), count(DISTINCT l.account_id), coalesce(sum(l.remaining), 0)::bigint,
       coalesce(sum(l.remaining) FILTER (WHERE l.expires_at <= %(at)s), 0)::bigint {_MEANT}
"""
_GONE = """
SELECT coalesce(-sum(x.points), 0)::bigint
  FROM loyalty_entry AS e
  JOIN crm_order AS o ON o.id = e.order_id AND o.channel_id = %(channel)s
  JOIN loyalty_lot AS l ON l.entry_id = e.id AND NOT l.open
  JOIN loyalty_lotuse AS u ON u.lot_id = l.id
  JOIN loyalty_entry AS x ON x.id = u.entry_id AND x.kind = 'expiry'
 WHERE e.recorded_at BETWEEN %(since)s AND %(until)s
"""
_NEXT = f"""
SELECT l.id, l.account_id, e.key, l.expires_at, l.available_at {_MEANT}
   AND l.id > %(after)s ORDER BY l.id LIMIT %(most)s
"""


def preview(job_id: int, *, at: datetime) -> RenewalPreview:
    """What it would do to let the points of an import count from ``at``. Raises NotFinished."""
    job = _finished(job_id)
    until = valid_until(policy_in_force(at), at)
    bounds: dict[str, int | datetime | None] = {
        "channel": job.channel_id, "since": job.started_at, "until": job.finished_at, "valid_until": until, "at": at,
    }  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(_PREVIEW, bounds)
        lots, members, points, ended = cursor.fetchone()
        cursor.execute(_GONE, bounds)
        (gone,) = cursor.fetchone()
    return RenewalPreview(lots, members, points, ended, gone, until)


def start(job_id: int, *, actor_id: int, at: datetime, reason: str) -> ImportRenewal:
    """Have a worker renew the points of an import, by the policy in force at ``at`` and counted from then.

    Raises ValueError without a reason, NotFinished, and RenewedBefore.
    """
    if not reason.strip():
        raise ValueError("a renewal needs a reason")
    job = _finished(job_id)
    policy = policy_in_force(at)
    with transaction.atomic():
        renewal, made = ImportRenewal.objects.get_or_create(
            job_id=job_id,
            defaults={
                "channel_id": job.channel_id,
                "since": job.started_at,
                "until": job.finished_at,
                "policy_version": policy.version,
                "valid_until": valid_until(policy, at),
                "made_by_id": actor_id,
                "made_at": at,
                "beat_at": at,
                "reason": reason,
            },
        )
        if not made:
            raise RenewedBefore
        log_action(
            "import.renew",
            actor_id=actor_id,
            at=at,
            reason=reason,
            job=job_id,
            valid_until=str(renewal.valid_until or ""),
        )
        call_later("loyalty.tasks.renew_import", renewal.pk)
    return renewal


def run(renewal_id: int, *, clock: Callable[[], datetime], batch: int = BATCH) -> None:
    """Renew what is left to renew, batch by batch. Two workers on one renewal take turns, and do nothing twice."""
    while _run_batch(renewal_id, clock(), batch):
        pass


def take_up_stalled(*, at: datetime) -> list[int]:
    """Send every renewal again that waits without a sign of life."""
    stalled = list(
        ImportRenewal.objects.filter(finished_at=None, beat_at__lt=at - longjobs.STALLED_AFTER).values_list(
            "pk", flat=True
        )
    )
    ImportRenewal.objects.filter(pk__in=stalled).update(beat_at=at)
    for renewal_id in stalled:
        call_worker("loyalty.tasks.renew_import", renewal_id)
    return stalled


def _run_batch(renewal_id: int, at: datetime, most: int) -> bool:
    with transaction.atomic(), connection.cursor() as cursor:
        meant = ImportRenewal.objects.select_for_update().get(pk=renewal_id)
        if meant.finished_at is not None:
            return False
        cursor.execute(
            _NEXT,
            {
                "channel": meant.channel_id, "since": meant.since, "until": meant.until,
                "valid_until": meant.valid_until, "after": meant.after_lot, "most": most,
            },
        )  # fmt: skip
        rows = cursor.fetchall()
        if rows:
            done = renew([_renewal(meant, *row[1:]) for row in rows], at=at)
            meant.lots, meant.points, meant.after_lot = meant.lots + done.lots, meant.points + done.points, rows[-1][0]
        meant.beat_at = at
        meant.finished_at = None if rows else at
        meant.save(update_fields=["lots", "points", "after_lot", "beat_at", "finished_at"])
    return bool(rows)


def _renewal(meant: ImportRenewal, account_id: int, key: str, ends: datetime, available_at: datetime) -> Renewal:
    # What has ended is renewed as of the day on which it became available: at that instant it was valid.
    begins = meant.made_at if ends > meant.made_at else available_at
    return Renewal(
        account_id, f"import:{meant.job_id}:renewal", meant.valid_until, begins, RenewalReason.PAST_PURCHASE,
        meant.policy_version, about_key=key,
    )  # fmt: skip


def _finished(job_id: int) -> FinishedImport:
    job = finished_import(job_id)
    if job is None:
        raise NotFinished
    return job
