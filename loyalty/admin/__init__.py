"""Admin pages of the points floor. The journal is shown and never edited; points change by the page for adjusting."""

from loyalty.admin import member
from loyalty.admin.backtest import BacktestJobAdmin
from loyalty.admin.close import DayCloseAdmin, LiabilityRateAdmin
from loyalty.admin.journal import AccountAdmin, EntryAdmin, LotAdmin, LotUseAdmin
from loyalty.admin.policy import ValidityPolicyAdmin
from loyalty.admin.referral import ReferralAdmin
from loyalty.admin.rules import RuleSetAdmin

member.register()

__all__ = [
    "AccountAdmin",
    "BacktestJobAdmin",
    "DayCloseAdmin",
    "EntryAdmin",
    "LiabilityRateAdmin",
    "LotAdmin",
    "LotUseAdmin",
    "ReferralAdmin",
    "RuleSetAdmin",
    "ValidityPolicyAdmin",
]
