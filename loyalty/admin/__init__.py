"""Admin pages of the points floor. The journal is shown and never edited; points change by the page for adjusting."""

from loyalty.admin import grants, member
from loyalty.admin.backtest import BacktestJobAdmin
from loyalty.admin.close import DayCloseAdmin, LiabilityRateAdmin
from loyalty.admin.grants import GrantAdmin
from loyalty.admin.import_renewals import ImportRenewalAdmin
from loyalty.admin.journal import AccountAdmin, EntryAdmin, LotAdmin, LotUseAdmin
from loyalty.admin.past_purchases import PastGapAdmin
from loyalty.admin.policy import ValidityPolicyAdmin
from loyalty.admin.referral import ReferralAdmin
from loyalty.admin.rules import RuleSetAdmin

member.register()
grants.register()

__all__ = [
    "AccountAdmin",
    "BacktestJobAdmin",
    "DayCloseAdmin",
    "EntryAdmin",
    "GrantAdmin",
    "ImportRenewalAdmin",
    "LiabilityRateAdmin",
    "LotAdmin",
    "LotUseAdmin",
    "PastGapAdmin",
    "ReferralAdmin",
    "RuleSetAdmin",
    "ValidityPolicyAdmin",
]
