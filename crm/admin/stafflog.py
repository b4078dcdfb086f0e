"""The staff log: who did what, when and why."""

import json
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from crm.adminkit import PERSONAL_DATA, EndlessAdmin, masked_email, may, names_field
from crm.models import StaffAction

# What the stable words of the log mean. A word that is not here is shown as it is.
ACTIONS: dict[str, Promise] = {
    "backtest.cancel": _("Cancelled a backtest"),
    "backtest.export": _("Downloaded a backtest"),
    "backtest.start": _("Started a backtest"),
    "closes.export": _("Downloaded the daily closes"),
    "coupon.refuse": _("Refused a coupon"),
    "coupon.use": _("Took a coupon"),
    "coupon.void": _("Made a coupon void"),
    "coupons.codes": _("Put codes into the pool of a coupon plan"),
    "coupons.export": _("Downloaded coupons with their codes"),
    "coupons.used": _("Imported a list of used coupons"),
    "couponplan.change": _("Changed a coupon plan"),
    "couponplan.make": _("Made a coupon plan"),
    "couponplan.preview": _("Looked at coupons as a member"),
    "embed.change": _("Changed an embed"),
    "embed.make": _("Made an embed"),
    "embed.preview": _("Looked at embeds as a member"),
    "embed.revoke": _("Revoked an embed"),
    "grant.approve": _("Approved a points grant"),
    "grant.cancel": _("Called a points grant off"),
    "grant.confirm": _("Confirmed a points grant"),
    "grant.done": _("Points grant finished"),
    "grant.export": _("Downloaded a points grant"),
    "grant.make": _("Prepared a points grant"),
    "grant.members": _("Made members of the names in a points grant"),
    "grant.past": _("Prepared points for past purchases"),
    "grant.reject": _("Rejected a points grant"),
    "grant.repeat": _("Gave the same again on purpose"),
    "grant.resume": _("Resumed a points grant"),
    "import.renew": _("Renewed the points of an import"),
    "import.again": _("Ran an import again"),
    "import.confirm": _("Confirmed an import"),
    "import.discard": _("Discarded an import"),
    "import.done": _("Import finished"),
    "import.resume": _("Resumed an import"),
    "import.upload": _("Uploaded order files"),
    "liability.publish": _("Published the cost of a point"),
    "look.change": _("Changed the look of the buyer's pages"),
    "mail.again": _("Sent mails again"),
    "mail.drop": _("Called mails off"),
    "mail.sent": _("Took mails in doubt as sent"),
    "member_list.resume": _("Resumed the import of a list of members"),
    "members.grades": _("Imported grades on another tool"),
    "members.no_discount": _("Imported members without discount"),
    "members.discount_again": _("Took members off the list of those without discount, by a file"),
    "no_discount.add": _("Put members on the list of those without discount"),
    "no_discount.remove": _("Took members off the list of those without discount"),
    "platform_tool.add": _("Added a tool with grades"),
    "platform_tool.change": _("Changed a tool with grades"),
    "mail.tier_plan": _("Changed the mails about tiers"),
    "member.claim": _("Signed in for the first time"),
    "member.change": _("Changed a member"),
    "member.data": _("Downloaded all that is held about a member"),
    "member.erase": _("Erased a member's data"),
    "member.mail_preferences": _("Chose which mails to get"),
    "member.own_profile": _("Filled in the own profile"),
    "member.sign_on": _("Came through the shop for the first time"),
    "member.connect": _("Connected an account of another site"),
    "member.disconnect": _("Disconnected an account of another site"),
    "member.sign_out": _("Signed a member out"),
    "member.sign_out_device": _("Signed out another device"),
    "member.sign_out_others": _("Signed out all other devices"),
    "members.export": _("Exported members"),
    "members.import": _("Imported members"),
    "members.tag": _("Changed tags"),
    "points.adjust": _("Adjusted points"),
    "product.change": _("Changed a product"),
    "products.category": _("Set the category of products"),
    "products.export": _("Exported products"),
    "products.import": _("Imported products"),
    "products.list_price": _("Took list prices from orders"),
    "products.policy": _("Set the point policy of products"),
    "products.price_rules": _("Set whether discounts count for products"),
    "referral.approve": _("Approved a referral"),
    "referral.reject": _("Rejected a referral"),
    "paymentkey.make": _("Made a payment key"),
    "paymentkey.revoke": _("Revoked a payment key"),
    "payments.settle": _("Saw to a payment"),
    "payments.assign": _("Said what a payment was for"),
    "redemptions.cancel": _("Cancelled a redemption"),
    "redemptions.confirm": _("Confirmed redemptions"),
    "redemptions.export": _("Downloaded addresses of redemptions"),
    "redemptions.paid": _("Marked a redemption as paid"),
    "redemptions.receive": _("Marked a redemption as received"),
    "redemptions.report": _("Downloaded a report of redemptions"),
    "redemptions.return": _("Took back a redemption"),
    "redemptions.ship": _("Marked a redemption as shipped"),
    "redemptions.shipments": _("Imported shipments"),
    "rewards.add": _("Made a reward"),
    "rewards.category": _("Changed a reward category"),
    "rewards.change": _("Changed a reward"),
    "rewards.codes": _("Put codes into the pool of a reward"),
    "rewards.duplicate": _("Copied a reward"),
    "rewards.offer": _("Offered rewards to buyers"),
    "rewards.pictures": _("Changed the pictures of a reward"),
    "rewards.preview": _("Looked at a reward as a member"),
    "rewards.stock": _("Changed the stock of a reward"),
    "rewards.withdraw": _("Took rewards off the store"),
    "rule.discard": _("Discarded a draft of earning rules"),
    "rule.publish": _("Published an earning rule"),
    "rule.roll_back": _("Went back to earlier earning rules"),
    "shopkey.make": _("Made a shop key"),
    "shopkey.revoke": _("Revoked a shop key"),
    "statement.export": _("Downloaded a statement"),
    "tag.add": _("Made a tag"),
    "tag.change": _("Changed a tag"),
    "tag.delete": _("Deleted a tag"),
    "tier.add": _("Made a tier"),
    "tier.change": _("Changed a tier"),
    "tier.delete": _("Deleted a tier"),
    "tier.grant": _("Gave a tier"),
    "tier_list.export": _("Downloaded a list of members who are about to move"),
    "tier_scheme.discard": _("Discarded a draft of a tier scheme"),
    "tier_scheme.preview": _("Previewed a tier scheme"),
    "tier_scheme.publish": _("Published a tier scheme"),
    "tier_scheme.roll_back": _("Went back to an earlier tier scheme"),
}


def action_label(action: str) -> str:
    """Return what a stable word of the log means, in the language of the page."""
    return str(ACTIONS.get(action, action))


class ActionFilter(admin.SimpleListFilter):
    """Filters by the known words, without asking the database which ones occur."""

    title = _("what")
    parameter_name = "action"

    def lookups(self, request: HttpRequest, model_admin: object) -> list[tuple[str, str]]:
        return [(action, str(label)) for action, label in ACTIONS.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[StaffAction]) -> QuerySet[StaffAction]:
        return queryset.filter(action=self.value()) if self.value() else queryset


@admin.register(StaffAction)
class StaffActionAdmin(EndlessAdmin):
    """Read-only for everybody: a log that can be edited proves nothing."""

    list_display = ("at", "actor", "what", "member", "reason")
    list_filter = (ActionFilter,)
    list_select_related = ("actor", "member")
    readonly_fields = ("at", "actor", "what", "member", "reason", "details", "masked_details")

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        hidden = names_field(lookup, "details") and not may(request, PERSONAL_DATA)
        return not hidden and bool(super().lookup_allowed(lookup, value, request))

    def get_fields(self, request: HttpRequest, obj: StaffAction | None = None) -> tuple[Any, ...]:
        details = "details" if may(request, PERSONAL_DATA) else "masked_details"
        return ("at", "actor", "what", "member", "reason", details)

    @display(description=_("details"))
    def masked_details(self, action: StaffAction) -> str:
        shown = action.details
        if "email" in shown:
            shown = shown | {"email": masked_email(shown["email"])}
        return json.dumps(shown, ensure_ascii=False)

    @display(description=_("what"))
    def what(self, action: StaffAction) -> str:
        return action_label(action.action)
