"""What the ground floor itself shows on a member's page: identities, tier, tags, orders, the staff log."""

from typing import Any

from django.db.models import Count, Max, Sum
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from crm.admin.mails import mails_panel
from crm.admin.member_access import access_panel
from crm.admin.member_data import data_panel
from crm.admin.member_prices import grades_panel, no_discount_panel
from crm.admin.stafflog import action_label
from crm.admin.tags import tags_panel
from crm.admin.tier_history import tier_panel
from crm.adminkit import PERSONAL_DATA, Panel, add_member_panel, masked_email, masked_phone, may
from crm.models import Identity, Order, StaffAction

_LATEST_ORDERS = 20
_LATEST_ACTIONS = 20


def _identities(request: HttpRequest, member_id: int) -> dict[str, Any]:
    full = may(request, PERSONAL_DATA)
    identities = Identity.objects.filter(member=member_id).select_related("channel").order_by("pk")
    return {
        "rows": [
            {
                "channel": identity.channel.name,
                "external_id": identity.external_id,
                "name": identity.name,
                "email": identity.email if full else masked_email(identity.email),
                "phone": identity.phone if full else masked_phone(identity.phone),
                "seen_at": identity.seen_at,
            }
            for identity in identities
        ]
    }


def _orders(request: HttpRequest, member_id: int) -> dict[str, Any]:
    orders = Order.objects.filter(member=member_id)
    figures = orders.aggregate(number=Count("pk"), paid=Sum("paid"), refunded=Sum("refunded"), last=Max("placed_at"))
    latest = orders.select_related("channel").order_by("-placed_at", "-pk")[:_LATEST_ORDERS]
    return {
        "figures": figures,
        "rows": list(latest),
        "more": figures["number"] > _LATEST_ORDERS,
        "member_id": member_id,
    }


def _staff_log(request: HttpRequest, member_id: int) -> dict[str, Any]:
    actions = StaffAction.objects.filter(member=member_id).select_related("actor").order_by("-pk")[:_LATEST_ACTIONS]
    return {
        "rows": [
            {
                "at": action.at,
                "who": action.actor.get_username() if action.actor else "",
                "what": action_label(action.action),
                "reason": action.reason,
                "points": action.details.get("points"),
            }
            for action in actions
        ]
    }


def register() -> None:
    """Hand in the panels; the order of the page is identities, tier, grades on other tools, without discount, tags,
    points, orders, coupons, mails, signing in, personal data, staff log."""
    add_member_panel(
        Panel("identities", _("Identities"), "admin/crm/member/identities.html", _identities, "crm.view_member", 10)
    )
    add_member_panel(Panel("tier", _("Tier"), "admin/crm/member/tier.html", tier_panel, "crm.view_member", 13))
    add_member_panel(
        Panel(
            "grades", _("Grades on other tools"), "admin/crm/member/grades.html", grades_panel,
            "crm.view_memberplatformgrade", 14,
        )
    )  # fmt: skip
    add_member_panel(
        Panel(
            "no_discount", _("Without discount"), "admin/crm/member/no_discount.html", no_discount_panel,
            "crm.view_nodiscount", 15,
        )
    )  # fmt: skip
    add_member_panel(Panel("tags", _("Tags"), "admin/crm/member/tags.html", tags_panel, "crm.view_member", 16))
    add_member_panel(Panel("orders", _("Orders"), "admin/crm/member/orders.html", _orders, "crm.view_order", 30))
    add_member_panel(Panel("mails", _("Mails"), "admin/crm/member/mails.html", mails_panel, "crm.view_mail", 80))
    add_member_panel(
        Panel("access", _("Signing in"), "admin/crm/member/access.html", access_panel, "crm.view_member", 83)
    )
    add_member_panel(Panel("data", _("Personal data"), "admin/crm/member/data.html", data_panel, "crm.view_member", 85))
    add_member_panel(
        Panel("stafflog", _("Staff log"), "admin/crm/member/stafflog.html", _staff_log, "crm.view_staffaction", 90)
    )
