"""The proof that the ledger adds up (law 2) and is what it was when its days were sealed, for all accounts."""

from loyalty.audit.report import AuditReport, Mismatch
from loyalty.audit.run import audit

__all__ = ["AuditReport", "Mismatch", "audit"]
