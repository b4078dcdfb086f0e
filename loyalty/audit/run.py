"""All checks in one go, on one instant."""

from datetime import datetime

from django.db import connection, transaction

from loyalty.audit.renewals import check_renewals
from loyalty.audit.report import AuditReport, Findings, Mismatch
from loyalty.audit.scope import Progress, Scope, fetch, touched_since
from loyalty.audit.seals import check_seals
from loyalty.audit.sums import check_accounts, check_entries, check_lots
from loyalty.models import DayClose

# A million accounts fit into a hash table of this memory; with less the database writes them out and reads them again.
# Hashing costs the database more than it thinks, so several workers are worth their while earlier than by default.
_SETTINGS = {"work_mem": "128MB", "parallel_setup_cost": "100", "parallel_tuple_cost": "0.005"}


def audit(
    *, since: datetime | None = None, digest: str = "", progress: Progress = lambda part, share: None
) -> AuditReport:
    """Prove law 2 for every account, and that nothing differs from its seal. Reads only.

    ``since`` looks only at accounts and days with something recorded from then on, which is quick but finds nothing
    older. ``digest`` is one that was noted earlier (hexadecimal): no closed day that has it any more is a mismatch.
    Everything is read in one repeatable-read transaction, so an audit under load sees one instant and never a posting
    half-way. ``progress`` is told the part and the share of it that is done.
    """
    with transaction.atomic():
        _see_one_instant()
        scope = Scope() if since is None else touched_since(since)
        findings = Findings()
        check_accounts(scope, findings, progress)
        check_entries(scope, findings, progress)
        progress("lots", 0)
        check_lots(scope, findings)
        check_renewals(scope, findings)
        closes, head = check_seals(scope, findings, progress)
        if digest and not DayClose.objects.filter(digest=_bytes(digest)).exists():
            findings.add(Mismatch("digest_is_known", 0, "closed days", digest, head))
        progress("totals", 0)
        accounts, balance, pending, debt, entries, lots = fetch(_TOTALS)[0]
    return AuditReport(
        accounts=accounts,
        entries=entries,
        lots=lots,
        balance=balance,
        pending=pending,
        debt=debt,
        closes=closes,
        digest=head,
        mismatch_count=findings.count,
        mismatches=findings.named(),
    )


_TOTALS = """
    SELECT count(*), coalesce(sum(balance), 0)::bigint, coalesce(sum(pending), 0)::bigint,
           coalesce(sum(greatest(-balance, 0)), 0)::bigint,
           (SELECT count(*) FROM loyalty_entry), (SELECT count(*) FROM loyalty_lot)
      FROM loyalty_account
"""


def _see_one_instant() -> None:
    with connection.cursor() as cursor:
        # An audit inside somebody else's transaction, as in a test, takes that one as it is.
        if not connection.savepoint_ids:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        for name, value in _SETTINGS.items():
            cursor.execute("SELECT set_config(%s, %s, TRUE)", [name, value])


def _bytes(digest: str) -> bytes:
    try:
        return bytes.fromhex(digest)
    except ValueError:
        return b""
