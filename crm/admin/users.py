"""Staff logins and their groups. Buyers' logins are not shown here: the member page says whether a buyer has one."""

from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group, Permission
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.text import capfirst
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget

from crm.models import User

_POWERS = ("is_superuser", "groups")
_OUR_APPS = ("crm", "loyalty", "redemption")
_VERBS = {"add": _("add"), "change": _("change"), "delete": _("delete"), "view": _("view")}
# What nobody needs to be given: the pages refuse it to everybody, or go by the permission for what it belongs to.
_READ_ONLY = ("account", "entry", "hold", "lot", "lotuse", "order", "refund", "staffaction", "coupon")
_PARTS = (
    "identity", "importfile", "importproblem", "membertag", "orderline", "denomination", "permission", "earnrule",
    "ruleusage", "grantrow", "spenttoken",
)  # fmt: skip

# Importing Django's own pages above has registered its group page; this theme's page takes its place.
admin.site.unregister(Group)


class PermissionsField(forms.ModelMultipleChoiceField):  # type: ignore[type-arg]
    """Permissions by what they allow, in the language of the page. Django's own names are English sentences."""

    widget = UnfoldAdminCheckboxSelectMultipleWidget

    def label_from_instance(self, permission: Permission) -> str:
        verb, _underscore, _rest = permission.codename.partition("_")
        thing = capfirst(permission.content_type.name)
        standard = permission.codename == f"{verb}_{permission.content_type.model}" and verb in _VERBS
        return f"{thing} · {_VERBS[verb] if standard else gettext(permission.name)}"


def grantable() -> QuerySet[Permission]:
    """Return the permissions that mean something in this system."""
    never = [f"{verb}_{model}" for model in _READ_ONLY for verb in ("add", "change", "delete")]
    never += ["add_product", "delete_product", "view_tiergrant", "change_tiergrant", "delete_tiergrant"]
    never += ["change_importjob", "delete_importjob", "delete_member", "change_ruleset", "delete_ruleset"]
    never += ["change_grant", "delete_grant", "change_shopkey", "delete_shopkey", "delete_embed"]
    return (
        Permission.objects.filter(content_type__app_label__in=_OUR_APPS)
        .exclude(codename__in=never)
        .exclude(content_type__model__in=_PARTS)
        .select_related("content_type")
        .order_by("content_type__app_label", "content_type__model", "pk")
    )


@admin.register(Group)
class GroupAdmin(DjangoGroupAdmin, ModelAdmin):
    """A group is a job in the shop: what its people may do. Only a superuser says so."""

    filter_horizontal = ()

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.is_superuser

    def has_change_permission(self, request: HttpRequest, obj: Group | None = None) -> bool:
        return request.user.is_superuser

    def has_delete_permission(self, request: HttpRequest, obj: Group | None = None) -> bool:
        return request.user.is_superuser

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest | None = None, **kwargs: Any) -> Any:
        if db_field.name == "permissions":
            return PermissionsField(queryset=grantable(), required=False, label=_("Permissions"))
        return super().formfield_for_manytomany(db_field, request, **kwargs)


@admin.register(User)
class UserAdmin(DjangoUserAdmin, ModelAdmin):  # type: ignore[type-arg]
    """Only a superuser hands out powers: whoever may edit logins could otherwise make himself one."""

    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    list_display = ("username", "first_name", "last_name", "is_active", "is_superuser", "last_login")
    list_filter = ("is_active", "is_superuser", "groups")
    search_fields = ("username", "first_name", "last_name")
    filter_horizontal = ()
    fieldsets = (
        (None, {"fields": ("username", "password", ("last_name", "first_name"), "is_active", *_POWERS, "last_login")}),
    )
    readonly_fields = ("last_login",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        return super().get_queryset(request).filter(is_staff=True)

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> tuple[str, ...]:
        fields = tuple(super().get_readonly_fields(request, obj))
        return fields if request.user.is_superuser else (*fields, *_POWERS)

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest | None = None, **kwargs: Any) -> Any:
        kwargs.setdefault("widget", UnfoldAdminCheckboxSelectMultipleWidget())
        return super().formfield_for_manytomany(db_field, request, **kwargs)  # type: ignore[arg-type]

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        if obj is not None and obj.is_superuser and not request.user.is_superuser:
            return False
        return super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        if obj is not None and obj.is_superuser and not request.user.is_superuser:
            return False
        return super().has_delete_permission(request, obj)

    def save_model(self, request: HttpRequest, obj: User, form: "forms.ModelForm[User]", change: bool) -> None:
        if not change:
            obj.is_staff = True
        super().save_model(request, obj, form, change)
