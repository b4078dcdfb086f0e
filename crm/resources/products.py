"""Products as a table: what the seller says of each, edited in a spreadsheet.

A row is recognised by its channel and article number; a product that no order has brought yet is made new. Columns that
are missing from a file are left alone.
"""

from collections import defaultdict
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from import_export.fields import Field
from tablib import Dataset

from crm.choices import PricePolicy, ProductPolicy
from crm.models import Channel, Product, ProductTierPrice, Tier
from crm.products import MOST_BONUS_POINTS, tier_price_problem
from crm.resources.cells import ChoiceWidget, CountWidget, FixedField, PriceWidget, TextWidget, as_text
from crm.resources.sheet import SheetResource, cells_of
from crm.resources.tier_cells import Terms, TierWidget, known_tiers, read_tier_prices, tier_prices_text

_CHUNK = 10_000  # Keys in one query; the database takes 65,535 parameters.

Key = tuple[str, str]  # A channel's code and the article number there.

# Column titles, which are exported in the language of the page and understood in any of ours.
TITLES = {
    "channel": gettext_lazy("Channel"),
    "code": gettext_lazy("Article number"),
    "title": gettext_lazy("Title"),
    "policy": gettext_lazy("Point policy"),
    "bonus_points": gettext_lazy("Bonus points a piece"),
    "category": gettext_lazy("Category"),
    "list_price": gettext_lazy("List price"),
    "price_policy": gettext_lazy("Price policy"),
    "discount_visible_from": gettext_lazy("Discount shown from tier"),
    "tier_prices": gettext_lazy("Prices for tiers"),
}
_EDITED = ("policy", "bonus_points", "category", "list_price", "price_policy", "discount_visible_from")


class ProductResource(SheetResource):
    """One product a row. ``tier_prices`` has one "tier: 90%" or "tier: 85.00" a line, and is all of them: what the cell
    does not name is taken away."""

    channel = Field(attribute="channel__code", column_name="channel", readonly=True, widget=TextWidget(40))
    code = FixedField(attribute="code", column_name="code", widget=TextWidget(120))
    title = FixedField(attribute="title", column_name="title", widget=TextWidget(300))
    policy = Field(
        attribute="policy",
        column_name="policy",
        widget=ChoiceWidget({word.value: word.label for word in ProductPolicy}),
    )
    bonus_points = Field(attribute="bonus_points", column_name="bonus_points", widget=CountWidget(MOST_BONUS_POINTS))
    category = Field(attribute="category", column_name="category", widget=TextWidget(120))
    list_price = Field(attribute="list_price", column_name="list_price", widget=PriceWidget())
    price_policy = Field(
        attribute="price_policy",
        column_name="price_policy",
        widget=ChoiceWidget({word.value: word.label for word in PricePolicy}),
    )
    discount_visible_from = Field(
        attribute="discount_visible_from", column_name="discount_visible_from", widget=TierWidget()
    )
    tier_prices = Field(column_name="tier_prices", readonly=True)

    titles = TITLES

    class Meta:
        model = Product
        fields = tuple(TITLES)
        export_order = import_order = tuple(TITLES)
        use_bulk = True
        batch_size = 1000
        report_skipped = False
        skip_unchanged = True

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._channels: dict[str, Channel] = {}
        self._products: dict[Key, Product] = {}
        self._rows: dict[Key, int] = {}  # Products that a row of this file has named: the row.
        self._tiers: dict[str, Tier] = {}
        self._prices: dict[int, dict[int, Terms]] = defaultdict(dict)  # What products say for tiers, as it is.
        self._repriced: list[tuple[Product, dict[int, Terms]]] = []

    def export_field(self, field: Field, instance: Product, **kwargs: Any) -> Any:
        if field.column_name == "tier_prices":
            return tier_prices_text(instance.tier_prices.all())
        return super().export_field(field, instance, **kwargs)

    def check_columns(self, columns: list[str]) -> None:
        if not {"channel", "code"} <= set(columns):
            raise ValueError(
                _("The file needs the columns “%(channel)s” and “%(code)s”. Start from an export.")
                % {"channel": TITLES["channel"], "code": TITLES["code"]}
            )

    def look_up(self, dataset: Dataset) -> None:
        self._channels = {channel.code: channel for channel in Channel.objects.all()}
        wanted: dict[str, set[str]] = defaultdict(set)
        text = TextWidget()
        for channel, code in zip(cells_of(dataset, "channel"), cells_of(dataset, "code"), strict=True):
            wanted[text.clean(channel)].add(text.clean(code))
        for channel, codes in wanted.items():
            ordered = sorted(codes)
            for start in range(0, len(ordered), _CHUNK):
                part = ordered[start : start + _CHUNK]
                found = Product.objects.filter(channel__code=channel, code__in=part).select_related("channel")
                self._products |= {(channel, product.code): product for product in found}
        if {"discount_visible_from", "tier_prices"} & set(dataset.headers):
            self._look_up_tiers()

    def _look_up_tiers(self) -> None:
        self._tiers = self.fields["discount_visible_from"].widget.tiers = known_tiers()
        by_id = {tier.pk: tier for tier in self._tiers.values()}
        ids = sorted(product.pk for product in self._products.values())
        for product in self._products.values():
            if product.discount_visible_from_id is not None:
                product.discount_visible_from = by_id[product.discount_visible_from_id]
        for start in range(0, len(ids), _CHUNK):
            rows = ProductTierPrice.objects.filter(product__in=ids[start : start + _CHUNK]).order_by()
            for product_id, tier_id, *terms in rows.values_list("product_id", "tier_id", "percent", "price"):
                self._prices[product_id][tier_id] = (terms[0], terms[1])

    def get_instance(self, instance_loader: Any, row: dict[str, Any]) -> Product | None:
        """Return the product a row means, or None for a new one."""
        return self._products.get(_key(row))

    def import_instance(self, instance: Product, row: dict[str, Any], **kwargs: Any) -> None:
        channel, code = key = _key(row)
        if channel not in self._channels:
            raise ValidationError({"channel": _("There is no channel “%(code)s”.") % {"code": channel[:40]}})
        if not code:
            raise ValidationError({"code": _("A product needs its article number.")})
        if self._rows.setdefault(key, kwargs["row_number"]) != kwargs["row_number"]:
            raise ValidationError({"code": _("An earlier row of this file names the same product.")})
        if not instance.pk:
            if not as_text(row.get("title")).strip():
                raise ValidationError({"title": _("No order has brought this product yet. A new one needs a title.")})
            instance.channel = self._channels[channel]
        instance.wanted_prices = self._wanted_prices(row)  # type: ignore[attr-defined]
        super().import_instance(instance, row, **kwargs)
        self._check_prices(instance)
        if "bonus_points" not in row and instance.policy != ProductPolicy.BONUS:
            instance.bonus_points = 0
        if (instance.policy == ProductPolicy.BONUS) != (instance.bonus_points > 0):
            raise ValidationError(
                {"bonus_points": _("Bonus products need their points a piece, and no other product has any.")}
            )

    def _wanted_prices(self, row: dict[str, Any]) -> dict[int, Terms] | None:
        """Return the prices for tiers that a row wants; None where the file has no such column."""
        if "tier_prices" not in row:
            return None
        try:
            return read_tier_prices(row["tier_prices"], self._tiers)
        except ValueError as error:
            raise ValidationError({"tier_prices": str(error)}) from error

    def _check_prices(self, instance: Product) -> None:
        """Refuse prices for tiers that do not see the product's discounts."""
        wanted = instance.wanted_prices  # type: ignore[attr-defined]
        prices = self._prices[instance.pk] if wanted is None else wanted
        if not prices or instance.discount_visible_from_id is None:
            return
        by_id = {tier.pk: tier for tier in self._tiers.values()}
        for tier_id in prices:
            if problem := tier_price_problem(instance.discount_visible_from, by_id[tier_id]):
                raise ValidationError({"tier_prices": problem})

    def skip_row(
        self, instance: Product, original: Product | None, row: dict[str, Any], import_validation_errors: Any = None
    ) -> bool:
        if import_validation_errors or not instance.pk or original is None:
            return False
        wanted = instance.wanted_prices  # type: ignore[attr-defined]
        if wanted is not None and wanted != self._prices[instance.pk]:
            return False
        return all(getattr(instance, name) == getattr(original, name) for name in _EDITED)

    def after_save_instance(self, instance: Product, row: dict[str, Any], **kwargs: Any) -> None:
        wanted = instance.wanted_prices  # type: ignore[attr-defined]
        if wanted is not None and (not instance.pk or wanted != self._prices[instance.pk]):
            self._repriced.append((instance, wanted))

    def after_import(self, dataset: Dataset, result: Any, **kwargs: Any) -> None:
        """Write the prices for tiers, now that new products have their ids."""
        ids = [product.pk for product, _wanted in self._repriced]
        for start in range(0, len(ids), _CHUNK):
            ProductTierPrice.objects.filter(product__in=ids[start : start + _CHUNK]).delete()
        ProductTierPrice.objects.bulk_create(
            (
                ProductTierPrice(product=product, tier_id=tier_id, percent=percent, price=price)
                for product, wanted in self._repriced
                for tier_id, (percent, price) in wanted.items()
            ),
            batch_size=_CHUNK,
        )
        super().after_import(dataset, result, **kwargs)

    def get_bulk_update_fields(self) -> list[str]:
        return list(_EDITED)


def _key(row: dict[str, Any]) -> Key:
    text = TextWidget()
    return text.clean(row.get("channel")), text.clean(row.get("code"))
