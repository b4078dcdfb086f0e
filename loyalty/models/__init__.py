"""Tables of the points floor. Only ``loyalty.journal`` writes accounts, entries, lots and lot uses."""

from loyalty.models.account import Account
from loyalty.models.entry import Entry
from loyalty.models.lot import Lot, LotUse
from loyalty.models.rule import EarnRule

__all__ = ["Account", "EarnRule", "Entry", "Lot", "LotUse"]
