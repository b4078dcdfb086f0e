"""Shops, what they sell, and how their own files map to our columns."""

from typing import Any
from zoneinfo import available_timezones

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.admin import ModelAdmin
from unfold.decorators import action, display
from unfold.widgets import UnfoldAdminIntegerFieldWidget, UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from crm.admin.bulk import ReasonForm, ask_then_do
from crm.admin.product_import import ProductImportExportMixin
from crm.adminkit import person
from crm.choices import ProductPolicy
from crm.feeds import Profile, ProfileError
from crm.models import Channel, ImportProfile, Product
from crm.products import MOST_BONUS_POINTS, set_category, set_policy
from crm.stafflog import log_action

POLICY_COLOURS = {
    ProductPolicy.NORMAL: "default",
    ProductPolicy.SPECIAL: "warning",
    ProductPolicy.ZERO: "danger",
    ProductPolicy.BONUS: "success",
}
_MOST_CATEGORIES = 100  # In the filter; beyond that the search is quicker than reading.


class ChannelForm(forms.ModelForm):  # type: ignore[type-arg]
    class Meta:
        model = Channel
        fields = ("code", "name", "platform", "currency", "time_zone")

    def clean_time_zone(self) -> str:
        name: str = self.cleaned_data["time_zone"]
        if name not in available_timezones():
            raise ValidationError(_("There is no such time zone. Write it as in Asia/Shanghai."))
        return name


@admin.register(Channel)
class ChannelAdmin(ModelAdmin):
    """A shop's code stands in journal keys, so it never changes once it is given."""

    form = ChannelForm
    list_display = ("name", "code", "platform", "currency", "time_zone")
    search_fields = ("name", "code")

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> tuple[str, ...]:
        return ("code",) if obj is not None else ()


# --- products -----------------------------------------------------------------------------------------------------


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
        fields = ("policy", "bonus_points", "category")

    def clean(self) -> None:
        super().clean()
        points = self.cleaned_data.get("bonus_points") or 0
        if points > MOST_BONUS_POINTS:
            raise ValidationError({"bonus_points": _("At most %(most)s points a piece.") % {"most": MOST_BONUS_POINTS}})
        self.check_bonus_points(self.cleaned_data.get("policy"), points)


class PolicyForm(_PolicyRules, ReasonForm):
    """Which policy the selected products get."""

    policy = forms.ChoiceField(label=_("Point policy"), choices=ProductPolicy.choices, widget=UnfoldAdminSelectWidget)
    bonus_points = forms.IntegerField(
        label=_("Bonus points a piece"),
        required=False,
        min_value=0,
        max_value=MOST_BONUS_POINTS,
        widget=UnfoldAdminIntegerFieldWidget,
        help_text=_("Only for bonus products: what one piece earns."),
    )

    def clean(self) -> None:
        super().clean()
        self.check_bonus_points(self.cleaned_data.get("policy"), self.cleaned_data.get("bonus_points") or 0)


class CategoryForm(ReasonForm):
    """Which category the selected products get."""

    category = forms.CharField(
        label=_("Category"),
        required=False,
        max_length=120,
        widget=UnfoldAdminTextInputWidget,
        help_text=_("Left empty, the products belong to no category."),
    )


class CategoryFilter(admin.SimpleListFilter):
    """Filters by the categories in use; the first hundred of them."""

    title = _("category")
    parameter_name = "category"

    def lookups(self, request: HttpRequest, model_admin: object) -> list[tuple[str, str]]:
        used = Product.objects.exclude(category="").order_by("category").values_list("category", flat=True).distinct()
        return [(category, category) for category in used[:_MOST_CATEGORIES]]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Product]) -> QuerySet[Product]:
        return queryset.filter(category=self.value()) if self.value() else queryset


@admin.register(Product)
class ProductAdmin(ProductImportExportMixin, ModelAdmin):
    """Products come from orders and files; what they earn is said here."""

    form = ProductForm
    list_display = ("title", "code", "channel", "shown_policy", "category")
    list_filter = ("policy", CategoryFilter, "channel")
    list_select_related = ("channel",)
    list_per_page = 50
    search_fields = ("title", "code")
    fields = ("channel", "code", "title", "policy", "bonus_points", "category")
    readonly_fields = ("channel", "code", "title")
    actions = ("change_policy", "change_category")

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

    @action(description=_("Set the point policy"), permissions=["change"])
    def change_policy(self, request: HttpRequest, queryset: QuerySet[Product]) -> HttpResponse | None:
        def do(said: dict[str, Any], ids: list[int]) -> None:
            changed = set_policy(
                ids,
                ProductPolicy(said["policy"]),
                bonus_points=said["bonus_points"] or 0,
                actor_id=person(request),
                at=timezone.now(),
                reason=said["reason"],
            )
            _tell(request, changed)

        title = _("Set the point policy")
        return ask_then_do(self, request, queryset, PolicyForm, action="change_policy", title=title, do=do)

    @action(description=_("Set the category"), permissions=["change"])
    def change_category(self, request: HttpRequest, queryset: QuerySet[Product]) -> HttpResponse | None:
        def do(said: dict[str, Any], ids: list[int]) -> None:
            changed = set_category(
                ids, said["category"], actor_id=person(request), at=timezone.now(), reason=said["reason"]
            )
            _tell(request, changed)

        title = _("Set the category")
        return ask_then_do(self, request, queryset, CategoryForm, action="change_category", title=title, do=do)

    def save_model(self, request: HttpRequest, obj: Product, form: "forms.ModelForm[Product]", change: bool) -> None:
        super().save_model(request, obj, form, change)
        if form.changed_data:
            log_action(
                "product.change",
                actor_id=person(request),
                at=timezone.now(),
                product=obj.pk,
                code=obj.code,
                changes={name: [form.initial.get(name), form.cleaned_data[name]] for name in form.changed_data},
            )


def _tell(request: HttpRequest, changed: int) -> None:
    text = ngettext("%(number)s product was changed.", "%(number)s products were changed.", changed)
    messages.success(request, text % {"number": changed})


# --- import profiles ----------------------------------------------------------------------------------------------


class ImportProfileForm(forms.ModelForm):  # type: ignore[type-arg]
    class Meta:
        model = ImportProfile
        fields = ("code", "name", "settings")

    def clean_settings(self) -> Any:
        settings = self.cleaned_data["settings"]
        try:
            Profile.from_json(self.data.get("code", ""), settings)
        except ProfileError as error:
            raise ValidationError(str(error)) from error
        return settings


@admin.register(ImportProfile)
class ImportProfileAdmin(ModelAdmin):
    form = ImportProfileForm
    list_display = ("name", "code")
    search_fields = ("name", "code")
