"""What rules name by code or number, and what the shop calls it: its shops, tiers, tags, goods and ways of payment."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.apps import apps
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from crm.api import PaymentKind, ProductPolicy
from loyalty.earning.ruleset import RuleSet

PRODUCTS_AT_ONCE = 200


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Names by what rules have: codes of channels and tiers, ranks, names of tags and categories, ids of products."""

    channels: Mapping[str, str] = field(default_factory=dict)
    tiers: Mapping[str, str] = field(default_factory=dict)
    ranks: Mapping[int, str] = field(default_factory=dict)
    products: Mapping[int, str] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()

    def names(self, setting: str, values: Iterable[Any]) -> list[str]:
        """What a setting's values are called; what the shop has no more is called as the rule has it."""
        known = self.choices(setting)
        return [str(known.get(value, value)) for value in values]

    def choices(self, setting: str) -> Mapping[Any, Any]:
        """What can be picked for a setting, by value."""
        match setting:
            case "channels":
                return self.channels
            case "tiers":
                return self.tiers
            case "tags_any" | "tags_none":
                return {tag: tag for tag in self.tags}
            case "categories":
                return {category: category for category in self.categories}
            case "products":
                return self.products
            case "product_policies":
                return dict(ProductPolicy.choices)
            case "payment_kinds" | "kinds":
                return {kind.value: kind.label for kind in PaymentKind}
            case "weekdays":
                return weekdays()
        return {}


def of_sets(*sets: RuleSet) -> Vocabulary:
    """The names of all that these sets name, in a fixed number of queries."""
    products = {number for each in sets for rule in each.rules for number in rule.conditions.products}
    for rule in (rule for each in sets for rule in each.rules):
        products |= {share.product_id for share in getattr(rule.kind, "products", ())}
    return Vocabulary(
        channels=_pairs("Channel", "code", "name"),
        products=product_names(products),
        **_tiers(),
    )


def of_shop(products: Iterable[int]) -> Vocabulary:
    """Everything that can be picked for a rule; of the products these, and the first of the others."""
    product = apps.get_model("crm", "Product")
    first = product.objects.order_by("channel_id", "code").values_list("pk", flat=True)[:PRODUCTS_AT_ONCE]
    categories = product.objects.exclude(category="").order_by("category").values_list("category", flat=True).distinct()
    return Vocabulary(
        channels=_pairs("Channel", "code", "name"),
        products=product_names({*products, *first}),
        tags=tuple(apps.get_model("crm", "Tag").objects.order_by("name").values_list("name", flat=True)),
        categories=tuple(categories),
        **_tiers(),
    )


def product_names(ids: Iterable[int]) -> dict[int, str]:
    """Products as people know them: title and article number."""
    rows = apps.get_model("crm", "Product").objects.filter(pk__in=set(ids)).order_by("channel_id", "code")
    return {number: f"{title} · {code}" for number, title, code in rows.values_list("pk", "title", "code")}


def weekdays() -> dict[int, str]:
    """The days of the week, from Monday, by the numbers that rules have."""
    names = (_("Monday"), _("Tuesday"), _("Wednesday"), _("Thursday"), _("Friday"), _("Saturday"), _("Sunday"))
    return dict(enumerate(names, start=1))


def listed(names: Iterable[str]) -> str:
    """Names one after the other."""
    return pgettext("between the names of a list", ", ").join(names)


def _pairs(model: str, key: str, value: str) -> dict[Any, Any]:
    return dict(apps.get_model("crm", model).objects.values_list(key, value))


def _tiers() -> dict[str, Any]:
    rows = list(apps.get_model("crm", "Tier").objects.order_by("rank").values_list("code", "rank", "name"))
    return {
        "tiers": {code: name for code, _rank, name in rows},
        "ranks": {rank: name for _code, rank, name in rows},
    }
