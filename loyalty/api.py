"""What the store and the configuration may use of the points floor."""

from loyalty.audit import audit
from loyalty.choices import EntryKind
from loyalty.explain import explain, headline
from loyalty.figures import MonthFlow, PointsTotals, monthly_flow, points_totals
from loyalty.journal import (
    InsufficientPoints,
    JournalError,
    KeyConflict,
    Outcome,
    Posting,
    accrual,
    adjust,
    burn,
    expire_due,
    post,
)
from loyalty.statement import AccountSummary, StatementLine, history, summary
from loyalty.validity import programme_zone, validity_end

__all__ = [
    "AccountSummary",
    "EntryKind",
    "InsufficientPoints",
    "JournalError",
    "KeyConflict",
    "MonthFlow",
    "Outcome",
    "PointsTotals",
    "Posting",
    "StatementLine",
    "accrual",
    "adjust",
    "audit",
    "burn",
    "expire_due",
    "explain",
    "headline",
    "history",
    "monthly_flow",
    "points_totals",
    "post",
    "programme_zone",
    "summary",
    "validity_end",
]
