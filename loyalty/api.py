"""What the store and the configuration may use of the points floor."""

from loyalty.act_preview import rewarded_acts
from loyalty.audit import audit
from loyalty.checkin import CheckInBoard, NoSignInRule, SignedIn, check_in, checkin_board
from loyalty.choices import EntryKind
from loyalty.explain import explain, headline
from loyalty.figures import MonthFlow, PointsTotals, monthly_flow, points_totals
from loyalty.gifts import LONGEST_CODE, NoGift, fixed_gift, profile_rewarded, redeem_code, reward_profile
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
from loyalty.rulebook import PublishedSets, published_sets
from loyalty.statement import AccountSummary, StatementLine, history, summary
from loyalty.validity import programme_zone, validity_end

__all__ = [
    "LONGEST_CODE",
    "AccountSummary",
    "CheckInBoard",
    "EntryKind",
    "InsufficientPoints",
    "JournalError",
    "KeyConflict",
    "Limit",
    "LimitReached",
    "MonthFlow",
    "NightBusy",
    "NoGift",
    "NoSignInRule",
    "NothingOpen",
    "Outcome",
    "PointsTotals",
    "Posting",
    "PublishedSets",
    "SignedIn",
    "StatementLine",
    "accrual",
    "adjust",
    "audit",
    "burn",
    "capture",
    "check_in",
    "checkin_board",
    "expire_due",
    "explain",
    "fixed_gift",
    "headline",
    "history",
    "hold",
    "monthly_flow",
    "open_balance",
    "points_totals",
    "post",
    "profile_rewarded",
    "programme_zone",
    "published_sets",
    "redeem_code",
    "release",
    "revive_until",
    "reward_profile",
    "rewarded_acts",
    "run_nightly",
    "summary",
    "undo",
    "valid_until",
    "validity_end",
]
