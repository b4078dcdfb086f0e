"""Orders and refunds as the files told them. They are read-only: the next import would undo whatever was typed."""

from typing import Any

from django.contrib import admin
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from unfold.admin import TabularInline
from unfold.decorators import display

from crm.adminkit import PERSONAL_DATA, ReadOnlyAdmin, may, names_field
from crm.choices import OrderStatus, RefundStatus
from crm.models import Identity, Order, OrderLine, Refund

STATUS_COLOURS = {
    OrderStatus.PLACED: "default",
    OrderStatus.PAID: "info",
    OrderStatus.SHIPPED: "primary",
    OrderStatus.COMPLETED: "success",
    OrderStatus.CLOSED: "danger",
}
REFUND_COLOURS = {RefundStatus.OPEN: "info", RefundStatus.REFUSED: "default", RefundStatus.SUCCESS: "warning"}


class _ReadOnlyInline(TabularInline):
    extra = 0
    max_num = 0
    hide_title = True
    can_delete = False
    show_change_link = False

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        # Whoever may see the order sees what it is made of.
        return request.user.has_perm("crm.view_order")


class OrderLineInline(_ReadOnlyInline):
    model = OrderLine
    fields = ("title", "options", "quantity", "unit_price", "amount")
    readonly_fields = fields


class RefundInline(_ReadOnlyInline):
    model = Refund
    fields = ("external_no", "status", "amount", "at", "reason")
    readonly_fields = fields


@admin.register(Order)
class OrderAdmin(ReadOnlyAdmin):
    list_display = ("external_no", "channel", "member", "state", "paid", "refunded", "placed_at", "completed_at")
    list_filter = ("status", "channel", "payment_kind")
    list_select_related = ("channel", "member")
    list_per_page = 50
    sortable_by = ("placed_at",)
    search_fields = ("external_no",)
    search_help_text = _("Order number or platform name, in full")
    inlines = (OrderLineInline, RefundInline)
    readonly_fields = ("other_columns",)

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        hidden = names_field(lookup, "raw") and not may(request, PERSONAL_DATA)
        return not hidden and bool(super().lookup_allowed(lookup, value, request))

    def get_fieldsets(self, request: HttpRequest, obj: Order | None = None) -> list[tuple[Any, dict[str, Any]]]:
        facts = (
            *("channel", "external_no", "member", "identity", "status"),
            *("paid", "refunded", "payment_kind", "title", "close_reason"),
        )
        times = ("placed_at", "paid_at", "shipped_at", "completed_at", "closed_at")
        fieldsets: list[tuple[Any, dict[str, Any]]] = [(None, {"fields": facts}), (_("Times"), {"fields": times})]
        # Other columns hold names, phones and postal addresses as the platform exported them.
        if may(request, PERSONAL_DATA):
            fieldsets.append((_("Other columns of the file"), {"fields": ("other_columns",)}))
        return fieldsets

    @display(description=_("status"), label={str(k): v for k, v in STATUS_COLOURS.items()})
    def state(self, order: Order) -> tuple[str, str]:
        return order.status, order.get_status_display()

    @display(description=_("other columns"))
    def other_columns(self, order: Order) -> SafeString | str:
        if not order.raw:
            return "–"
        rows = format_html_join("", "<dt>{}</dt><dd>{}</dd>", sorted(order.raw.items()))
        return format_html('<dl class="pk-columns">{}</dl>', rows)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Order], search_term: str
    ) -> tuple[QuerySet[Order], bool]:
        """Find by the whole order number or the buyer's whole platform name: both have an index."""
        term = search_term.strip()
        if not term:
            return queryset, False
        buyers = Identity.objects.filter(external_id=term).values("member_id")
        by_number = Order.objects.filter(external_no=term).values("pk")
        by_buyer = Order.objects.filter(member__in=buyers).values("pk")
        return queryset.filter(pk__in=by_number.union(by_buyer)), False


@admin.register(Refund)
class RefundAdmin(ReadOnlyAdmin):
    list_display = ("external_no", "channel", "order", "member", "state", "amount", "at")
    list_filter = ("status", "channel")
    list_select_related = ("channel", "order", "member")
    search_fields = ("=external_no",)
    sortable_by = ()
    fields = ("channel", "external_no", "order", "member", "status", "amount", "at", "reason")

    @display(description=_("status"), label={str(k): v for k, v in REFUND_COLOURS.items()})
    def state(self, refund: Refund) -> tuple[str, str]:
        return refund.status, refund.get_status_display()
