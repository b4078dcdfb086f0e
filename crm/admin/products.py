"""Products: what they earn, and what members pay for them."""

from collections.abc import Callable
from decimal import Decimal
from functools import partial
from typing import Any

from django.contrib import admin, messages
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.admin import ModelAdmin
from unfold.decorators import action, display

from crm.admin.bulk import ask_then_do
from crm.admin.price_check import may_check, price_check_view
from crm.admin.product_forms import (
    CategoryForm,
    ListPriceForm,
    PolicyForm,
    PriceRulesForm,
    ProductForm,
    TierPriceInline,
)
from crm.admin.product_import import ProductImportExportMixin
from crm.adminkit import person
from crm.choices import PricePolicy, ProductPolicy
from crm.models import Product, ProductTierPrice
from crm.price_words import source_in_words
from crm.products import (
    KEEP,
    Change,
    set_category,
    set_policy,
    set_price_rules,
    take_list_prices_from_orders,
)
from crm.quotes import prices_by_tier
from crm.stafflog import log_action

POLICY_COLOURS = {
    ProductPolicy.NORMAL: "default",
    ProductPolicy.SPECIAL: "warning",
    ProductPolicy.ZERO: "danger",
    ProductPolicy.BONUS: "success",
}
_MOST_CATEGORIES = 100  # In the filter; beyond that the search is quicker than reading.


class CategoryFilter(admin.SimpleListFilter):
    """Filters by the categories in use; the first hundred of them."""

    title = _("category")
    parameter_name = "category"

    def lookups(self, request: HttpRequest, model_admin: object) -> list[tuple[str, str]]:
        used = Product.objects.exclude(category="").order_by("category").values_list("category", flat=True).distinct()
        return [(category, category) for category in used[:_MOST_CATEGORIES]]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Product]) -> QuerySet[Product]:
        return queryset.filter(category=self.value()) if self.value() else queryset


class PricedFilter(admin.SimpleListFilter):
    """Finds the products whose list price is still missing."""

    title = _("list price")
    parameter_name = "priced"

    def lookups(self, request: HttpRequest, model_admin: object) -> list[tuple[str, Any]]:
        return [("yes", _("With a list price")), ("no", _("Without a list price"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Product]) -> QuerySet[Product]:
        wanted = self.value()
        return queryset.filter(list_price__isnull=wanted == "no") if wanted in {"yes", "no"} else queryset


@admin.register(Product)
class ProductAdmin(ProductImportExportMixin, ModelAdmin):
    """Products come from orders and files; what they earn and what members pay is said here."""

    form = ProductForm
    inlines = (TierPriceInline,)
    list_display = ("title", "code", "channel", "shown_policy", "category", "list_price", "shown_price_policy")
    list_filter = ("policy", "price_policy", PricedFilter, CategoryFilter, "channel")
    list_select_related = ("channel", "discount_visible_from")
    list_per_page = 50
    search_fields = ("title", "code")
    fieldsets = (
        (None, {"fields": ("channel", "code", "title", "category")}),
        (_("Points"), {"fields": (("policy", "bonus_points"),)}),
        (_("Price"), {"fields": (("list_price", "price_policy"), "discount_visible_from")}),
    )
    readonly_fields = ("channel", "code", "title")
    actions = ("change_policy", "change_category", "change_price_rules", "list_prices_from_orders")
    change_form_outer_after_template = "admin/crm/product/tiers.html"

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    @display(
        description=_("point policy"),
        ordering="policy",
        label={str(policy): colour for policy, colour in POLICY_COLOURS.items()},
    )
    def shown_policy(self, product: Product) -> tuple[str, str]:
        label = product.get_policy_display()
        return product.policy, f"{label} +{product.bonus_points}" if product.bonus_points else label

    @display(description=_("price policy"), ordering="price_policy")
    def shown_price_policy(self, product: Product) -> str:
        label = "" if product.price_policy == PricePolicy.FOLLOW else product.get_price_policy_display()
        tier = product.discount_visible_from
        shown_from = _("discount from %(tier)s up") % {"tier": tier.name} if tier else ""
        return " · ".join(filter(None, (label, shown_from)))

    def get_urls(self) -> list[URLPattern]:
        check: Callable[..., HttpResponse] = self.admin_site.admin_view(partial(price_check_view, self))
        return [path("price-check/", check, name="crm_product_price_check"), *super().get_urls()]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        rows = _tier_rows(int(object_id)) if object_id.isdecimal() and self.has_view_permission(request) else []
        context = {**(extra_context or {}), "tier_rows": rows, "may_check": may_check(request), "product_id": object_id}
        response: HttpResponse = super().change_view(request, object_id, form_url, context)
        return response

    @action(description=_("Set the point policy"), permissions=["change"])
    def change_policy(self, request: HttpRequest, queryset: QuerySet[Product]) -> HttpResponse | None:
        def do(said: dict[str, Any], ids: list[int]) -> None:
            changed = set_policy(
                ids, ProductPolicy(said["policy"]), bonus_points=said["bonus_points"] or 0, **_who(request, said)
            )
            _tell(request, changed)

        title = _("Set the point policy")
        return ask_then_do(self, request, queryset, PolicyForm, action="change_policy", title=title, do=do)

    @action(description=_("Set the category"), permissions=["change"])
    def change_category(self, request: HttpRequest, queryset: QuerySet[Product]) -> HttpResponse | None:
        def do(said: dict[str, Any], ids: list[int]) -> None:
            _tell(request, set_category(ids, said["category"], **_who(request, said)))

        title = _("Set the category")
        return ask_then_do(self, request, queryset, CategoryForm, action="change_category", title=title, do=do)

    @action(description=_("Set whether discounts count"), permissions=["change"])
    def change_price_rules(self, request: HttpRequest, queryset: QuerySet[Product]) -> HttpResponse | None:
        def do(said: dict[str, Any], ids: list[int]) -> None:
            policy: Change[PricePolicy] = PricePolicy(said["price_policy"]) if said["price_policy"] else KEEP
            _tell(request, set_price_rules(ids, policy, said["visible_from"], **_who(request, said)))

        title = _("Set whether discounts count")
        return ask_then_do(self, request, queryset, PriceRulesForm, action="change_price_rules", title=title, do=do)

    @action(description=_("Take list prices from orders"), permissions=["change"])
    def list_prices_from_orders(self, request: HttpRequest, queryset: QuerySet[Product]) -> HttpResponse | None:
        def do(said: dict[str, Any], ids: list[int]) -> None:
            _tell(request, take_list_prices_from_orders(ids, overwrite=said["overwrite"], **_who(request, said)))

        title = _("Take list prices from orders")
        return ask_then_do(self, request, queryset, ListPriceForm, action="list_prices_from_orders", title=title, do=do)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        before = _own_prices(form.instance)
        super().save_related(request, form, formsets, change)
        changes = {
            name: [_plain(form.initial.get(name)), _plain(form.cleaned_data[name])] for name in form.changed_data
        }
        if (after := _own_prices(form.instance)) != before:
            changes["tier_prices"] = [before, after]
        if changes:
            log_action(
                "product.change",
                actor_id=person(request),
                at=timezone.now(),
                product=form.instance.pk,
                code=form.instance.code,
                changes=changes,
            )


def _who(request: HttpRequest, said: dict[str, Any]) -> dict[str, Any]:
    return {"actor_id": person(request), "at": timezone.now(), "reason": said["reason"]}


def _tell(request: HttpRequest, changed: int) -> None:
    text = ngettext("%(number)s product was changed.", "%(number)s products were changed.", changed)
    messages.success(request, text % {"number": changed})


def _own_prices(product: Product) -> dict[str, str]:
    rows = ProductTierPrice.objects.filter(product=product).order_by("tier__rank")
    return {
        code: f"{percent}%" if percent is not None else str(price)
        for code, percent, price in rows.values_list("tier__code", "percent", "price")
    }


def _plain(value: Any) -> Any:
    """What the staff log can keep of a value of the form."""
    if isinstance(value, Decimal):
        return str(value)
    return value.pk if isinstance(value, Model) else value


def _tier_rows(product_id: int) -> list[dict[str, Any]]:
    """What each tier pays for a product, and where a higher one pays more than a lower one."""
    rows: list[dict[str, Any]] = []
    least: Decimal | None = None
    for tier, line in prices_by_tier(product_id):
        price = line.unit_price
        dearer = price is not None and least is not None and price > least
        rows.append(
            {
                "tier": tier.name,
                "price": price,
                "source": source_in_words(line.winner) if line.winner else "",
                "percent": line.winner.percent if line.winner else None,
                "dearer": dearer,
            }
        )
        if price is not None:
            least = price if least is None else min(least, price)
    return rows
