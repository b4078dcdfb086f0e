"""All checks in one go, on one instant."""

from datetime import datetime

from loyalty.audit.fingerprints import Fingerprints
from loyalty.audit.reading import one_instant, read
from loyalty.audit.renewals import check_renewals
from loyalty.audit.report import AuditReport, Findings, Mismatch
from loyalty.audit.scope import Progress, Scope, fetch, touched_since
from loyalty.audit.seals import SealCheck
from loyalty.audit.sums import check_holds, row_by_row
from loyalty.models import DayClose


def audit(
    *, since: datetime | None = None, digest: str = "", progress: Progress = lambda part, share: None
) -> AuditReport:
    """Prove law 2 for every account, and that nothing differs from its seal. Reads only.

    ``since`` looks only at accounts and days with something recorded from then on, which is quick but finds nothing
    older. ``digest`` is one that was noted earlier (hexadecimal): no closed day that has it any more is a mismatch.
    Everything is read as of one instant, in as many sessions as the server lets a query have processes: an audit
    under load never sees a posting half-way. ``progress`` is told the part and the share of it that is done.
    """
    with one_instant() as instant:
        scope = Scope() if since is None else touched_since(since)
        findings = Findings()
        closes = list(DayClose.objects.order_by("number"))
        seals, fingerprints = SealCheck(scope, closes), Fingerprints()
        # The seals last: their pieces are small, so that all sessions end at about the same time.
        pieces = [
            *(fingerprints.pieces() if scope.whole else row_by_row(scope, findings)),
            *check_holds(scope, findings),
            *check_renewals(scope, findings),
            *seals.pieces(),
        ]
        read(pieces, instant, progress)
        if not fingerprints.agree:
            read(list(row_by_row(scope, findings)), instant, progress)
        seals.conclude(findings)
        head = closes[-1].digest.hex() if closes else ""
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
        closes=len(closes),
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


def _bytes(digest: str) -> bytes:
    try:
        return bytes.fromhex(digest)
    except ValueError:
        return b""
