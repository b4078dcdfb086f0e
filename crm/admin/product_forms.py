"""The forms of the product pages."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import Model
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.admin import TabularInline
from unfold.widgets import (
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanWidget,
)

from crm.admin.bulk import ReasonForm
from crm.choices import PricePolicy, ProductPolicy
from crm.models import Product, ProductTierPrice, Tier
from crm.products import KEEP, MOST_BONUS_POINTS, Change, tier_price_problem

_EVERYBODY = "0"


class _PolicyRules:
    """Bonus points belong to bonus products and to no others."""

    def check_bonus_points(self, policy: str | None, bonus_points: int) -> None:
        if policy == ProductPolicy.BONUS and not bonus_points:
            raise ValidationError({"bonus_points": _("Say how many points one piece of a bonus product earns.")})
        if policy != ProductPolicy.BONUS and bonus_points:
            raise ValidationError({"bonus_points": _("Only bonus products have points a piece.")})


class ProductForm(_PolicyRules, forms.ModelForm):  # type: ignore[type-arg]
    class Meta:
        model = Product
        fields = ("category", "policy", "bonus_points", "list_price", "price_policy", "discount_visible_from")

    def clean(self) -> None:
        super().clean()
        points = self.cleaned_data.get("bonus_points") or 0
        if points > MOST_BONUS_POINTS:
            raise ValidationError({"bonus_points": _("At most %(most)s points a piece.") % {"most": MOST_BONUS_POINTS}})
        self.check_bonus_points(self.cleaned_data.get("policy"), points)


class TierPriceForm(forms.ModelForm):  # type: ignore[type-arg]
    """A percentage or a price for one tier."""

    class Meta:
        model = ProductTierPrice
        fields = ("tier", "percent", "price")

    def clean(self) -> None:
        super().clean()
        said = self.cleaned_data
        if "percent" in said and "price" in said and (said["percent"] is None) == (said["price"] is None):
            raise ValidationError(_("Write either a percentage or a price."))


class TierPriceFormSet(forms.BaseInlineFormSet):  # type: ignore[type-arg]
    def clean(self) -> None:
        """Refuse prices that would never count: those of tiers that do not see the product's discounts."""
        super().clean()
        product: Product = self.instance
        for form in self.forms:
            tier = form.cleaned_data.get("tier") if form.is_valid() and not form.cleaned_data.get("DELETE") else None
            problem = tier_price_problem(product.discount_visible_from, tier) if tier is not None else ""
            if problem:
                form.add_error("tier", problem)


class TierPriceInline(TabularInline):
    """The prices of a product for the tiers; whoever may change the product may change them."""

    model = ProductTierPrice
    form = TierPriceForm
    formset = TierPriceFormSet
    extra = 0
    verbose_name_plural = gettext_lazy("Prices for tiers, in place of the tiers' own discounts")

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return request.user.has_perm("crm.view_product") or self.has_change_permission(request, obj)

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return request.user.has_perm("crm.change_product")

    has_add_permission = has_change_permission
    has_delete_permission = has_change_permission


class PolicyForm(_PolicyRules, ReasonForm):
    """Which policy the selected products get."""

    policy = forms.ChoiceField(
        label=gettext_lazy("Point policy"), choices=ProductPolicy.choices, widget=UnfoldAdminSelectWidget
    )
    bonus_points = forms.IntegerField(
        label=gettext_lazy("Bonus points a piece"),
        required=False,
        min_value=0,
        max_value=MOST_BONUS_POINTS,
        widget=UnfoldAdminIntegerFieldWidget,
        help_text=gettext_lazy("Only for bonus products: what one piece earns."),
    )

    def clean(self) -> None:
        super().clean()
        self.check_bonus_points(self.cleaned_data.get("policy"), self.cleaned_data.get("bonus_points") or 0)


class CategoryForm(ReasonForm):
    """Which category the selected products get."""

    category = forms.CharField(
        label=gettext_lazy("Category"),
        required=False,
        max_length=120,
        widget=UnfoldAdminTextInputWidget,
        help_text=gettext_lazy("Left empty, the products belong to no category."),
    )


class PriceRulesForm(ReasonForm):
    """Whether discounts count for the selected products, and from which tier up. Either may stay as it is."""

    price_policy = forms.ChoiceField(
        label=gettext_lazy("Price policy"),
        required=False,
        choices=[("", gettext_lazy("Leave as it is")), *PricePolicy.choices],
        widget=UnfoldAdminSelectWidget,
    )
    visible_from = forms.ChoiceField(
        label=gettext_lazy("Discount shown from tier"), required=False, widget=UnfoldAdminSelectWidget
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        tiers = [(str(pk), name) for pk, name in Tier.objects.values_list("pk", "name")]
        field: Any = self.fields["visible_from"]
        field.choices = [("", _("Leave as it is")), (_EVERYBODY, _("Shown to everybody")), *tiers]

    def clean_visible_from(self) -> Change[int | None]:
        said: str = self.cleaned_data["visible_from"]
        if not said:
            return KEEP
        return None if said == _EVERYBODY else int(said)

    def clean(self) -> None:
        super().clean()
        if not self.errors and not self.cleaned_data["price_policy"] and self.cleaned_data["visible_from"] is KEEP:
            raise ValidationError(_("Choose what shall change."))


class ListPriceForm(ReasonForm):
    """Whether list prices that are there give way to those of the orders."""

    overwrite = forms.BooleanField(
        label=gettext_lazy("Replace list prices that are there"),
        required=False,
        widget=UnfoldBooleanWidget,
        help_text=gettext_lazy(
            "Each product gets the price of a piece in its latest order, before discounts as the platform reports it. "
            "Products without such an order stay as they are."
        ),
    )
