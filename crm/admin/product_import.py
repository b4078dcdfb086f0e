"""Products out to a spreadsheet and back in."""

from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from crm.admin.exchange import SheetAdminMixin
from crm.adminkit import may
from crm.models import Product
from crm.resources import ProductResource


class ProductImportExportMixin(SheetAdminMixin):
    """Whoever may change products may import them; new ones come into being that way before an order brings them."""

    noun = "products"
    imported_message = _("Products imported: %(new)s new, %(updated)s changed, %(unchanged)s unchanged.")
    titles = ProductResource.titles
    resource_classes = [ProductResource]

    def has_export_permission(self, request: HttpRequest) -> bool:
        return may(request, "crm.export_product")

    def has_import_permission(self, request: HttpRequest) -> bool:
        return may(request, "crm.change_product")

    def exported_rows(self, queryset: QuerySet[Product]) -> QuerySet[Product]:
        rows = queryset.order_by("channel__code", "code").select_related("channel", "discount_visible_from")
        return rows.prefetch_related("tier_prices__tier")
