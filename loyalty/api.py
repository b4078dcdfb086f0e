"""What the store and the configuration may use of the points floor."""

from loyalty.act_preview import rewarded_acts
from loyalty.audit import audit
from loyalty.checkin import SIGN_IN, CheckInBoard, NoSignInRule, SignedIn, check_in, checkin_board
from loyalty.choices import EntryKind
from loyalty.drawing import drawing, find_entry
from loyalty.earned_rates import EarnedRates, earned_rates
from loyalty.earning.calendar import LunarWindow, Window, YearlyWindow, contains
from loyalty.explain import explain, headline
from loyalty.explain_nothing import explain_nothing, nearly_brought
from loyalty.figures import MonthFlow, PointsTotals, monthly_flow, points_totals
from loyalty.gifts import LONGEST_CODE, NoGift, fixed_gift, profile_rewarded, redeem_code, reward_profile
from loyalty.grants.approval import waiting_grants
from loyalty.journal import expire_due, lock_accounts, post
from loyalty.lapsing import lapse_holds
from loyalty.liability import cost_on, yuan_to_fen_half_up
from loyalty.movements import adjust, burn, capture, hold, open_balance, release, undo
from loyalty.night_steps import NightChunk, on_night
from loyalty.nightly import NightBusy, run_nightly
from loyalty.overview import Overview, overview_of, overview_sql, overview_values
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
    undoing,
)
from loyalty.referral.links import (
    Landing,
    LinkFigures,
    PromoterFigures,
    Target,
    find_landing,
    find_products,
    find_shops,
    make_link,
    new_device,
    promoter_figures,
    record_visit,
    remember_device,
)
from loyalty.referral.tying import recognise
from loyalty.rulebook import PublishedSets, published_sets
from loyalty.statement import (
    POINTS_CHANGES,
    POINTS_SUMMARY,
    AccountSummary,
    StatementLine,
    balance_before,
    history,
    recorded_lines,
    summary,
    summary_of,
)
from loyalty.validity import programme_zone, validity_end
from loyalty.without_points import OrderWithoutPoints, orders_without_points

__all__ = [
    "LONGEST_CODE",
    "POINTS_CHANGES",
    "POINTS_SUMMARY",
    "SIGN_IN",
    "AccountSummary",
    "CheckInBoard",
    "EarnedRates",
    "EntryKind",
    "InsufficientPoints",
    "JournalError",
    "KeyConflict",
    "Landing",
    "Limit",
    "LimitReached",
    "LinkFigures",
    "LunarWindow",
    "MonthFlow",
    "NightBusy",
    "NightChunk",
    "NoGift",
    "NoSignInRule",
    "NothingOpen",
    "OrderWithoutPoints",
    "Outcome",
    "Overview",
    "PointsTotals",
    "Posting",
    "PromoterFigures",
    "PublishedSets",
    "SignedIn",
    "StatementLine",
    "Target",
    "Window",
    "YearlyWindow",
    "accrual",
    "adjust",
    "audit",
    "balance_before",
    "burn",
    "capture",
    "check_in",
    "checkin_board",
    "contains",
    "cost_on",
    "drawing",
    "earned_rates",
    "expire_due",
    "explain",
    "explain_nothing",
    "find_entry",
    "find_landing",
    "find_products",
    "find_shops",
    "fixed_gift",
    "headline",
    "history",
    "hold",
    "lapse_holds",
    "lock_accounts",
    "make_link",
    "monthly_flow",
    "nearly_brought",
    "new_device",
    "on_night",
    "open_balance",
    "orders_without_points",
    "overview_of",
    "overview_sql",
    "overview_values",
    "points_totals",
    "post",
    "profile_rewarded",
    "programme_zone",
    "promoter_figures",
    "published_sets",
    "recognise",
    "record_visit",
    "recorded_lines",
    "redeem_code",
    "release",
    "remember_device",
    "revive_until",
    "reward_profile",
    "rewarded_acts",
    "run_nightly",
    "summary",
    "summary_of",
    "undo",
    "undoing",
    "valid_until",
    "validity_end",
    "waiting_grants",
    "yuan_to_fen_half_up",
]
