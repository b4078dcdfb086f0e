"""Tables of the ground floor."""

from crm.models.catalogue import Product
from crm.models.channel import Channel
from crm.models.imports import ImportFile, ImportJob, ImportProblem, ImportProfile
from crm.models.member import Identity, Member
from crm.models.order import Order, OrderLine, Refund
from crm.models.stafflog import StaffAction
from crm.models.user import User

__all__ = [
    "Channel",
    "Identity",
    "ImportFile",
    "ImportJob",
    "ImportProblem",
    "ImportProfile",
    "Member",
    "Order",
    "OrderLine",
    "Product",
    "Refund",
    "StaffAction",
    "User",
]
