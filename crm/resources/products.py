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

from crm.choices import ProductPolicy
from crm.models import Channel, Product
from crm.products import MOST_BONUS_POINTS
from crm.resources.cells import ChoiceWidget, CountWidget, FixedField, TextWidget, as_text
from crm.resources.sheet import SheetResource, cells_of

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
}
_EDITED = ("policy", "bonus_points", "category")


class ProductResource(SheetResource):
    """One product a row."""

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
        super().import_instance(instance, row, **kwargs)
        if "bonus_points" not in row and instance.policy != ProductPolicy.BONUS:
            instance.bonus_points = 0
        if (instance.policy == ProductPolicy.BONUS) != (instance.bonus_points > 0):
            raise ValidationError(
                {"bonus_points": _("Bonus products need their points a piece, and no other product has any.")}
            )

    def skip_row(
        self, instance: Product, original: Product | None, row: dict[str, Any], import_validation_errors: Any = None
    ) -> bool:
        if import_validation_errors or not instance.pk or original is None:
            return False
        return all(getattr(instance, name) == getattr(original, name) for name in _EDITED)

    def get_bulk_update_fields(self) -> list[str]:
        return list(_EDITED)


def _key(row: dict[str, Any]) -> Key:
    text = TextWidget()
    return text.clean(row.get("channel")), text.clean(row.get("code"))
