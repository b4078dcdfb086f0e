"""Changes of when lots end or become available. The points stay where they are; see ``loyalty.journal`` for those.

Like the journal these take batches and are one call of a database function each (``sql/9_renew.sql``), which writes a
``LotRenewal`` for every promise that it changes.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import connection, transaction

from loyalty.posting import Renewal, Ripening
from loyalty.validity import programme_zone

_LOCK = "SELECT loyalty_lock(%s::bigint[], NULL)"


@dataclass(frozen=True, slots=True)
class Renewed:
    """What a renewal changed: lots and the points left in them."""

    lots: int
    points: int


def renew(renewals: Sequence[Renewal], *, at: datetime, may_shorten: bool = False) -> Renewed:
    """Renew open lots that are available and have not ended before the renewal's instant.

    Validity is never shortened unless ``may_shorten``. The same key renews a lot once; a repeated one changes nothing.
    """
    rows = [
        {
            "account_id": renewal.account_id,
            "about_key": renewal.about_key or None,
            "until": renewal.until and renewal.until.isoformat(),
            "key": renewal.key,
            "effective_at": renewal.effective_at.isoformat(),
            "reason": renewal.reason.value,
            "policy_version": renewal.policy_version,
        }
        for renewal in renewals
    ]
    if not rows:
        return Renewed(0, 0)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT lots, points FROM loyalty_renew(%s::jsonb, %s, %s)", [json.dumps(rows), at, may_shorten])
        return Renewed(*cursor.fetchone())


def renew_by_purchases(member_ids: Iterable[int], *, at: datetime) -> None:
    """Let the purchases of members renew their accounts, where the policy of a purchase says so."""
    ids = sorted(set(member_ids))
    if not ids:
        return
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_LOCK, [ids])
        cursor.execute("SELECT loyalty_renew_by_purchases(%s::bigint[], %s, %s)", [ids, at, str(programme_zone())])


def schedule(ripenings: Sequence[Ripening]) -> None:
    """Note when pending lots become available. What is not pending any more stays as it is."""
    if not ripenings:
        return
    rows = [
        {
            "account_id": ripening.account_id,
            "about_key": ripening.about_key,
            "available_at": ripening.available_at.isoformat(),
        }
        for ripening in ripenings
    ]
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_LOCK, [sorted({ripening.account_id for ripening in ripenings})])
        cursor.execute("SELECT loyalty_schedule(%s::jsonb)", [json.dumps(rows)])
