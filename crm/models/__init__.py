"""Tables of the ground floor."""

from crm.models.catalogue import Product
from crm.models.channel import Channel
from crm.models.datafile import DataFile
from crm.models.imports import ImportFile, ImportJob, ImportProblem, ImportProfile
from crm.models.mail import Mail, MailPreference, TierMailPlan
from crm.models.member import Identity, Member
from crm.models.memberlists import MemberList, MemberListProblem
from crm.models.order import Order, OrderLine, Refund
from crm.models.prices import MemberPlatformGrade, NoDiscount, PlatformGrade, PlatformTool, ProductTierPrice
from crm.models.shop_key import ShopKey, SpentToken
from crm.models.signin import KnownDevice, OneTimeCode, Session
from crm.models.stafflog import StaffAction
from crm.models.tags import MemberTag, Tag
from crm.models.tier import Tier, TierGrant
from crm.models.tierscheme import SchemePreview, TierOffer, TierReview, TierRung, TierScheme, TierStanding
from crm.models.user import User

__all__ = [
    "Channel",
    "DataFile",
    "Identity",
    "ImportFile",
    "ImportJob",
    "ImportProblem",
    "ImportProfile",
    "KnownDevice",
    "Mail",
    "MailPreference",
    "Member",
    "MemberList",
    "MemberListProblem",
    "MemberPlatformGrade",
    "MemberTag",
    "NoDiscount",
    "OneTimeCode",
    "Order",
    "OrderLine",
    "PlatformGrade",
    "PlatformTool",
    "Product",
    "ProductTierPrice",
    "Refund",
    "SchemePreview",
    "Session",
    "ShopKey",
    "SpentToken",
    "StaffAction",
    "Tag",
    "Tier",
    "TierGrant",
    "TierMailPlan",
    "TierOffer",
    "TierReview",
    "TierRung",
    "TierScheme",
    "TierStanding",
    "User",
]
