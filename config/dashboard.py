"""The admin's home page: the shop in figures, and how points came and went."""

from datetime import datetime
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.cache import cache
from django.http import HttpRequest
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from crm.api import troubled_mails
from loyalty import api as loyalty
from redemption.rewards.todo import store_tasks

MONTHS = 12
FLOW_SECONDS = 60  # The flow reads the journal, so it is kept for a minute, however many people look.


def shop_name(request: HttpRequest) -> str:
    """Return the shop's name, which stands below the title of every admin page."""
    return str(settings.SHOP_NAME)


def dashboard(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Put into the context what this person may see of it."""
    user = request.user
    figures: list[dict[str, Any]] = []
    if user.has_perm("crm.view_member"):
        number = apps.get_model("crm", "Member").objects.count()
        figures.append({"label": _("Members"), "value": number, "url": "admin:crm_member_changelist"})
    orders = apps.get_model("crm", "Order").objects
    if user.has_perm("crm.view_order"):
        figures.append({"label": _("Orders"), "value": orders.count(), "url": "admin:crm_order_changelist"})
    if user.has_perm("loyalty.view_account"):
        figures += _points(context)
    if user.has_perm("loyalty.approve_grant") and (waiting := loyalty.waiting_grants()):
        page = "admin:loyalty_grant_changelist"
        figures.append({"label": _("Points grants that wait for approval"), "value": waiting, "url": page})
    if user.has_perm("crm.view_mail") and (troubled := troubled_mails()):
        figures.append(
            {"label": _("Mails that need a decision"), "value": troubled, "url": "admin:crm_mail_changelist"}
        )
    figures += _store(user)
    return {
        **context,
        "title": _("Home"),
        "figures": figures,
        "empty": not orders.exists(),
        "may_import": user.has_perm("crm.add_importjob"),
        "may_add_channel": user.has_perm("crm.add_channel"),
        "has_channel": apps.get_model("crm", "Channel").objects.exists(),
    }


def _store(user: Any) -> list[dict[str, Any]]:
    """What waits for the people of the store; nothing where nothing does."""
    queue, rewards, payments = "redemption.view_redemption", "redemption.view_reward", "redemption.view_payment"
    plans = "redemption.view_couponplan"
    if not any(user.has_perm(permission) for permission in (queue, rewards, payments, plans)):
        return []
    tasks = store_tasks(timezone.now())
    codes_low, stock_low = "left=few&kind__exact=digital", "left=few&kind__exact=goods"
    cards = [
        (queue, _("Redemptions to ship"), tasks.to_ship, "admin:redemption_redemption_changelist", "todo=send"),
        (payments, _("Payments to see to"), tasks.payments, "admin:redemption_payment_changelist", "standing=open"),
        (rewards, _("Rewards whose codes run out"), tasks.codes_low, "admin:redemption_reward_changelist", codes_low),
        (rewards, _("Goods whose stock runs out"), tasks.stock_low, "admin:redemption_reward_changelist", stock_low),
        (plans, _("Coupon plans whose codes run out"), tasks.plans_low, "admin:redemption_couponplan_changelist", ""),
    ]
    return [
        {"label": label, "value": number, "url": page, "query": query}
        for permission, label, number, page, query in cards
        if number and user.has_perm(permission)
    ]


def _points(context: dict[str, Any]) -> list[dict[str, Any]]:
    totals = loyalty.points_totals()
    flow = monthly_flow(timezone.now())
    context["flow"] = [
        {"month": date_format(month.month, "YEAR_MONTH_FORMAT"), "earned": month.earned, "spent": month.spent}
        for month in flow
    ]
    context["chart"] = {
        "months": [f"{month.month:%Y-%m}" for month in flow],
        "series": [
            {"name": _("Earned"), "values": [month.earned for month in flow]},
            {"name": _("Spent"), "values": [month.spent for month in flow]},
        ],
    }
    return [
        {"label": _("Points outstanding"), "value": totals.outstanding, "url": "admin:loyalty_account_changelist"},
        {"label": _("Points pending"), "value": totals.pending},
        {"label": _("Points redeemed this month"), "value": flow[-1].spent, "url": "admin:loyalty_entry_changelist"},
    ]


def monthly_flow(at: datetime) -> list[loyalty.MonthFlow]:
    """Return the last twelve months, the current one last, without gaps."""
    today = at.astimezone(loyalty.programme_zone())
    months = [_first_of_month(today, -back) for back in reversed(range(MONTHS))]
    found: Any = cache.get_or_set(
        f"dashboard:flow:{today:%Y-%m}",
        lambda: [(m.month, m.earned, m.spent) for m in loyalty.monthly_flow(months[0], _first_of_month(today, 1))],
        FLOW_SECONDS,
    )
    flow = {month: loyalty.MonthFlow(month, earned, spent) for month, earned, spent in found}
    return [flow.get(month.date(), loyalty.MonthFlow(month.date(), 0, 0)) for month in months]


def _first_of_month(day: datetime, months: int) -> datetime:
    """Return the first instant of the month that lies so many months from that of ``day``, in the same time zone."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return datetime(year, month + 1, 1, tzinfo=day.tzinfo)
