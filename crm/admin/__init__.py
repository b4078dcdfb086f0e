"""Admin pages of the ground floor."""

from crm.admin.catalogue import ChannelAdmin, ImportProfileAdmin
from crm.admin.imports import ImportJobAdmin
from crm.admin.mails import MailAdmin
from crm.admin.members import MemberAdmin
from crm.admin.no_discount import NoDiscountAdmin
from crm.admin.orders import OrderAdmin, RefundAdmin
from crm.admin.platform_tools import PlatformToolAdmin
from crm.admin.products import ProductAdmin
from crm.admin.schemes.site import TierSchemeAdmin
from crm.admin.shop_keys import ShopKeyAdmin
from crm.admin.stafflog import StaffActionAdmin
from crm.admin.tags import TagAdmin
from crm.admin.tier_mails import TierMailPlanAdmin
from crm.admin.tiers import TierAdmin
from crm.admin.users import GroupAdmin, UserAdmin

__all__ = [
    "ChannelAdmin",
    "GroupAdmin",
    "ImportJobAdmin",
    "ImportProfileAdmin",
    "MailAdmin",
    "MemberAdmin",
    "NoDiscountAdmin",
    "OrderAdmin",
    "PlatformToolAdmin",
    "ProductAdmin",
    "RefundAdmin",
    "ShopKeyAdmin",
    "StaffActionAdmin",
    "TagAdmin",
    "TierAdmin",
    "TierMailPlanAdmin",
    "TierSchemeAdmin",
    "UserAdmin",
]
