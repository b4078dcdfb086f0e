"""The admin theme: title, colours, navigation. Settings take ``UNFOLD`` from here."""

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import reverse_lazy
from django.utils.translation import gettext_lazy as _


def _allowed(*permissions: str) -> Callable[[HttpRequest], bool]:
    """Show an entry to those who have one of the permissions."""
    return lambda request: any(request.user.has_perm(permission) for permission in permissions)


def _is_here(link: Any) -> Callable[[HttpRequest], bool]:
    """Mark an entry on the pages below it, unless another entry is nearer: of “Tier schemes” and “About to move”, whose
    address begins with the former's, only the latter."""

    def is_here(request: HttpRequest) -> bool:
        links = (str(item["link"]) for group in NAVIGATION for item in group["items"])
        home = str(reverse_lazy("admin:index"))
        above = [each for each in links if each == request.path or (each != home and request.path.startswith(each))]
        return str(link) == max(above, key=len, default="")

    return is_here


def _item(title: Any, icon: str, name: str, *permissions: str) -> dict[str, Any]:
    link = reverse_lazy(f"admin:{name}")
    item: dict[str, Any] = {"title": title, "icon": icon, "link": link, "active": _is_here(link)}
    if permissions:
        item["permission"] = _allowed(*permissions)
    return item


def _group(title: Any, *items: dict[str, Any]) -> dict[str, Any]:
    return {"title": title, "separator": True, "items": list(items)}


def _list(title: Any, icon: str, model: str) -> dict[str, Any]:
    """A link to a list, for those who may view it."""
    app, name = model.split(".")
    return _item(title, icon, f"{app}_{name}_changelist", f"{app}.view_{name}", f"{app}.change_{name}")


NAVIGATION: list[dict[str, Any]] = [
    {"items": [_item(_("Home"), "dashboard", "index")]},
    _group(
        _("Members"),
        _list(_("Members"), "group", "crm.member"),
        _list(_("Tiers"), "workspace_premium", "crm.tier"),
        _item(
            _("Tier schemes"),
            "stairs",
            "crm_tierscheme_changelist",
            "crm.view_tierscheme",
            "crm.change_tierscheme",
            "crm.publish_tierscheme",
        ),
        _item(_("About to move"), "swap_vert", "crm_tierscheme_moving", "crm.view_member"),
        _list(_("Grades on other tools"), "military_tech", "crm.platformtool"),
        _list(_("Members without discount"), "money_off", "crm.nodiscount"),
        _list(_("Tags"), "sell", "crm.tag"),
        _list(_("Mails"), "mail", "crm.mail"),
    ),
    _group(
        _("Orders"),
        _item(_("Import orders"), "upload_file", "crm_importjob_add", "crm.add_importjob"),
        _item(_("Order imports"), "history", "crm_importjob_changelist", "crm.view_importjob", "crm.add_importjob"),
        _list(_("Orders"), "receipt_long", "crm.order"),
        _list(_("Refunds"), "undo", "crm.refund"),
        _list(_("Products"), "inventory_2", "crm.product"),
        _item(_("Price check"), "price_check", "crm_product_price_check", "crm.check_price"),
    ),
    _group(
        _("Points"),
        _list(_("Points accounts"), "account_balance_wallet", "loyalty.account"),
        _item(_("Give points to many"), "redeem", "loyalty_grant_add", "loyalty.add_grant"),
        _item(_("Points for past purchases"), "history_edu", "loyalty_pastgap_add", "loyalty.add_grant"),
        _item(
            _("Validity of imported points"),
            "more_time",
            "loyalty_importrenewal_add",
            "loyalty.add_importrenewal",
        ),
        _item(
            _("Points grants"),
            "approval",
            "loyalty_grant_changelist",
            "loyalty.view_grant",
            "loyalty.add_grant",
            "loyalty.approve_grant",
        ),
        _list(_("Journal"), "menu_book", "loyalty.entry"),
        _list(_("Lots"), "stacks", "loyalty.lot"),
        _list(_("Daily closes"), "event_available", "loyalty.dayclose"),
        _list(_("Cost of a point"), "payments", "loyalty.liabilityrate"),
        _list(_("Earning rules"), "rule", "loyalty.ruleset"),
        _item(
            _("Backtests"),
            "history_toggle_off",
            "loyalty_backtestjob_changelist",
            "loyalty.view_backtestjob",
            "loyalty.add_backtestjob",
        ),
        _list(_("Referrals"), "group_add", "loyalty.referral"),
        _list(_("Validity of points"), "event_busy", "loyalty.validitypolicy"),
    ),
    _group(
        _("Store"),
        _list(_("Redemptions"), "inbox", "redemption.redemption"),
        _item(_("Report of redemptions"), "bar_chart", "redemption_redemption_report", "redemption.view_redemption"),
        _list(_("Payments"), "payments", "redemption.payment"),
        _item(_("Running now"), "monitoring", "redemption_redemption_live", "redemption.view_redemption"),
        _list(_("Rewards"), "featured_seasonal_and_gifts", "redemption.reward"),
        _list(_("Reward categories"), "shelves", "redemption.rewardcategory"),
        _item(_("Check a coupon"), "qr_code_scanner", "redemption_coupon_check", "redemption.use_coupon"),
        _list(_("Coupons"), "confirmation_number", "redemption.coupon"),
        _list(_("Coupon plans"), "sell", "redemption.couponplan"),
        _list(_("Embeds"), "widgets", "redemption.embed"),
        _item(_("Promotion kit"), "campaign", "redemption_posters", "redemption.view_embed"),
    ),
    _group(
        _("Settings"),
        _list(_("Look of the buyer's pages"), "palette", "redemption.look"),
        _list(_("Mails about tiers"), "forward_to_inbox", "crm.tiermailplan"),
        _list(_("Channels"), "storefront", "crm.channel"),
        _list(_("Shop keys"), "key", "crm.shopkey"),
        _list(_("Payment keys"), "vpn_key", "redemption.paymentkey"),
        _list(_("Import profiles"), "table_chart", "crm.importprofile"),
        _list(_("Staff"), "badge", "crm.user"),
        _list(_("Groups"), "groups", "auth.group"),
        _list(_("Staff log"), "fact_check", "crm.staffaction"),
    ),
]

# A deep green, as of tea and of ledgers.
_PRIMARY = {
    "50": "#f0fdfa",
    "100": "#ccfbf1",
    "200": "#99f6e4",
    "300": "#5eead4",
    "400": "#2dd4bf",
    "500": "#14b8a6",
    "600": "#0f766e",
    "700": "#115e59",
    "800": "#134e4a",
    "900": "#113f3c",
    "950": "#042f2e",
}

UNFOLD: dict[str, Any] = {
    "SITE_TITLE": _("Pointkeeper"),
    "SITE_HEADER": _("Pointkeeper"),
    "SITE_SUBHEADER": "config.dashboard.shop_name",
    "SITE_URL": "/",
    "SITE_SYMBOL": "savings",
    "SHOW_HISTORY": False,
    "SHOW_VIEW_ON_SITE": False,
    "SHOW_LANGUAGES": True,
    "SHOW_BACK_BUTTON": True,
    "COLORS": {"primary": _PRIMARY},
    "DASHBOARD_CALLBACK": "config.dashboard.dashboard",
    "STYLES": [lambda request: static("admin_extra/admin.css")],
    "SIDEBAR": {"show_search": False, "show_all_applications": False, "navigation": NAVIGATION},
}
