"""Tables of the points floor. Only ``loyalty.journal`` writes accounts, entries, lots and lot uses.

Keys between these tables are no foreign keys in the database (docs/decisions/0003): the triggers let nobody but the
journal write, which joins what it inserts, and nobody delete; checking each key once more would cost a fifth of an
import.
"""

from loyalty.models.account import Account
from loyalty.models.backtest import BacktestJob
from loyalty.models.checkin import CheckIn
from loyalty.models.close import DayClose, EntrySeal, LiabilityRate
from loyalty.models.entry import Entry
from loyalty.models.grant import Grant, GrantRow
from loyalty.models.hold import Hold
from loyalty.models.lot import Lot, LotUse
from loyalty.models.past import ImportRenewal, PastGap, PastPurchases
from loyalty.models.policy import LotRenewal, PolicyApplication, ValidityPolicy
from loyalty.models.referral import Referral, ReferralDevice, ReferralLink, ReferralShare, ReferralVisit
from loyalty.models.rule import EarnRule, RuleSet, RuleUsage

__all__ = [
    "Account",
    "BacktestJob",
    "CheckIn",
    "DayClose",
    "EarnRule",
    "Entry",
    "EntrySeal",
    "Grant",
    "GrantRow",
    "Hold",
    "ImportRenewal",
    "LiabilityRate",
    "Lot",
    "LotRenewal",
    "LotUse",
    "PastGap",
    "PastPurchases",
    "PolicyApplication",
    "Referral",
    "ReferralDevice",
    "ReferralLink",
    "ReferralShare",
    "ReferralVisit",
    "RuleSet",
    "RuleUsage",
    "ValidityPolicy",
]
