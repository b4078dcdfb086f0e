"""The journal's tables, for looking. Only the journal writes them, and the database refuses everybody else."""

from collections.abc import Callable
from functools import partial
from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from unfold.admin import TabularInline
from unfold.decorators import display

from crm.adminkit import EndlessAdmin
from loyalty.admin.adjust import adjust_view
from loyalty.admin.statement import export_view, statement_view
from loyalty.choices import EntryKind
from loyalty.explain import explain, headline
from loyalty.models import Account, Entry, Lot, LotUse
from loyalty.statement import history

KIND_COLOURS = {
    EntryKind.ACCRUAL: "success",
    EntryKind.MATURATION: "info",
    EntryKind.BURN: "primary",
    EntryKind.EXPIRY: "default",
    EntryKind.ADJUSTMENT: "warning",
    EntryKind.REVERSAL: "danger",
}


def member_link(member_id: int, name: str) -> SafeString:
    """Link to the member's page."""
    return format_html(
        '<a class="pk-link" href="{}">{}</a>', reverse("admin:crm_member_change", args=[member_id]), name
    )


@admin.register(Account)
class AccountAdmin(EndlessAdmin):
    list_display = ("owner", "balance", "pending", "held", "statement")
    list_select_related = ("member",)
    ordering = ("-member_id",)
    fields = ("owner", "balance", "pending", "held", "statement")
    readonly_fields = fields

    @display(description=_("member"))
    def owner(self, account: Account) -> SafeString:
        return member_link(account.member_id, str(account.member))

    @display(description=_("statement"))
    def statement(self, account: Account) -> SafeString:
        page = reverse("admin:loyalty_account_statement", args=[account.member_id])
        return format_html('<a class="pk-link" href="{}">{}</a>', page, _("Open"))

    def get_urls(self) -> list[URLPattern]:
        def page(route: str, name: str, view: Callable[..., HttpResponseBase]) -> URLPattern:
            wrapped: Callable[..., HttpResponseBase] = self.admin_site.admin_view(view)
            return path(f"<int:member_id>/{route}", wrapped, name=f"loyalty_account_{name}")

        return [
            page("adjust/", "adjust", partial(adjust_view, self)),
            page("statement/", "statement", partial(statement_view, self)),
            page("statement/export/", "statement_export", export_view),
            *super().get_urls(),
        ]


class LotUseInline(TabularInline):
    model = LotUse
    fk_name = "entry"
    verbose_name_plural = _("Lots it drew on")
    extra = 0
    max_num = 0
    can_delete = False
    hide_title = True
    fields = ("lot", "points")
    readonly_fields = fields

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("loyalty.view_entry")


@admin.register(Entry)
class EntryAdmin(EndlessAdmin):
    """Each entry says in words what it is for and how it was worked out."""

    list_display = ("recorded_at", "owner", "kind_label", "points", "pending", "balance_after", "order")
    list_select_related = ("account__member", "order")
    list_filter = ("kind",)
    inlines = (LotUseInline,)
    fields = (
        "owner", "explained", "kind", ("points", "pending"), "balance_after", ("effective_at", "recorded_at"),
        "order", "about", "reference", "reason", "actor", "key", "trace",
    )  # fmt: skip
    readonly_fields = ("owner", "explained")

    @display(description=_("member"))
    def owner(self, entry: Entry) -> SafeString:
        return member_link(entry.account_id, str(entry.account.member))

    @display(description=_("kind"), label={str(kind): colour for kind, colour in KIND_COLOURS.items()})
    def kind_label(self, entry: Entry) -> tuple[str, str]:
        return entry.kind, entry.get_kind_display()

    @display(description=_("in words"))
    def explained(self, entry: Entry) -> SafeString:
        line = history(entry.account_id, before_id=entry.pk + 1, limit=1)[0]
        return format_html_join("", "<p>{}</p>", [(text,) for text in (headline(line), *explain(line))])


@admin.register(Lot)
class LotAdmin(EndlessAdmin):
    list_display = ("id", "owner", "points", "remaining", "is_pending", "available_at", "expires_at")
    list_select_related = ("account__member",)
    fields = ("owner", "entry", "points", "remaining", "pending", "available_at", "expires_at")
    readonly_fields = ("owner",)

    @display(description=_("member"))
    def owner(self, lot: Lot) -> SafeString:
        return member_link(lot.account_id, str(lot.account.member))

    @display(description=_("pending"), boolean=True)
    def is_pending(self, lot: Lot) -> bool:
        return lot.pending


@admin.register(LotUse)
class LotUseAdmin(EndlessAdmin):
    list_display = ("id", "entry", "lot", "points")
    list_select_related = ("entry", "lot")
    fields = ("entry", "lot", "points")
