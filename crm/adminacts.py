"""What the admin pages of the upper floors may use of this floor's: acts on the rows of a list, and finding members."""

from crm.admin.bulk import ReasonForm, ask_then_do
from crm.admin.price_check import Hits, find_for_check

__all__ = ["Hits", "ReasonForm", "ask_then_do", "find_for_check"]
