"""What the store and the configuration may use of the points floor."""

from loyalty.audit import audit
from loyalty.choices import EntryKind
from loyalty.explain import explain, headline
from loyalty.figures import MonthFlow, PointsTotals, monthly_flow, points_totals
from loyalty.journal import expire_due, post
from loyalty.movements import adjust, burn, capture, hold, open_balance, release, undo
from loyalty.nightly import NightBusy, run_nightly
from loyalty.policies import revive_until, valid_until
from loyalty.posting import (
    InsufficientPoints,
    JournalError,
    KeyConflict,
    Limit,
    LimitReached,
    NothingOpen,
    Outcome,
    Posting,
    accrual,
)
from loyalty.statement import AccountSummary, StatementLine, history, summary
from loyalty.validity import programme_zone, validity_end

__all__ = [
    "AccountSummary",
    "EntryKind",
    "InsufficientPoints",
    "JournalError",
    "KeyConflict",
    "Limit",
    "LimitReached",
    "MonthFlow",
    "NightBusy",
    "NothingOpen",
    "Outcome",
    "PointsTotals",
    "Posting",
    "StatementLine",
    "accrual",
    "adjust",
    "audit",
    "burn",
    "capture",
    "expire_due",
    "explain",
    "headline",
    "history",
    "hold",
    "monthly_flow",
    "open_balance",
    "points_totals",
    "post",
    "programme_zone",
    "release",
    "revive_until",
    "run_nightly",
    "summary",
    "undo",
    "valid_until",
    "validity_end",
]
