"""Tables out to a spreadsheet and back in: members and products."""

from crm.resources.members import MemberResource
from crm.resources.products import ProductResource

__all__ = ["MemberResource", "ProductResource"]
