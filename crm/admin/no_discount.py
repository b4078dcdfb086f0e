"""Members who always pay the list price (无折扣会员): putting them on the list and taking them off, one or many."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.admin import ModelAdmin
from unfold.decorators import action, display
from unfold.widgets import UnfoldAdminIntegerFieldWidget

from crm.admin.bulk import ReasonForm, ask_then_do
from crm.admin.exchange import reason_field
from crm.admin.member_lists import import_page
from crm.adminkit import EndlessAdmin, may, person
from crm.choices import ListKind
from crm.memberlists.no_discount import put_on_list, take_off_list
from crm.models import Member, NoDiscount

CHANGE = "crm.change_nodiscount"


class NoDiscountForm(forms.ModelForm):  # type: ignore[type-arg]
    """A member by his number, and why he pays the list price."""

    member = forms.ModelChoiceField(
        label=_("Member number"), queryset=Member.objects.all(), widget=UnfoldAdminIntegerFieldWidget()
    )
    reason = reason_field()

    class Meta:
        model = NoDiscount
        fields = ("member", "reason")


class OnListFilter(admin.SimpleListFilter):
    """Those who are on the list, or those who were."""

    title = _("On the list")
    parameter_name = "now"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("yes", _("On the list now")), ("no", _("Taken off"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[NoDiscount]) -> QuerySet[NoDiscount]:
        match self.value():
            case "yes":
                return queryset.filter(until=None)
            case "no":
                return queryset.exclude(until=None)
        return queryset


@admin.register(NoDiscount)
class NoDiscountAdmin(EndlessAdmin):
    list_display = ("shown_member", "since", "reason", "until", "until_reason")
    list_filter = (OnListFilter,)
    list_select_related = ("member",)
    fields = ("member", "since", "reason", "added_by", "until", "until_reason")
    search_fields = ("=member__id", "member__name")
    form = NoDiscountForm
    actions = ("take_off",)
    actions_list = ("import_members",)

    @display(description=_("member"))
    def shown_member(self, row: NoDiscount) -> str:
        return f"#{row.member_id} {row.member}"

    def has_add_permission(self, request: HttpRequest) -> bool:
        return bool(ModelAdmin.has_add_permission(self, request))

    def has_take_off_permission(self, request: HttpRequest) -> bool:
        return may(request, CHANGE)

    def get_fields(self, request: HttpRequest, obj: NoDiscount | None = None) -> tuple[str, ...]:
        return ("member", "reason") if obj is None else self.fields

    def save_model(self, request: HttpRequest, obj: NoDiscount, form: Any, change: bool) -> None:
        """Put the member on the list; a member who is on it stays as he is."""
        put_on_list([obj.member_id], reason=obj.reason, at=timezone.now(), actor_id=person(request))
        row = NoDiscount.objects.get(member=obj.member_id, until=None)
        obj.pk, obj.since = row.pk, row.since

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        """The staff log has it."""

    @action(description=_("Take off the list"), permissions=["take_off"])
    def take_off(self, request: HttpRequest, queryset: QuerySet[NoDiscount]) -> HttpResponse | None:
        def do(cleaned: dict[str, Any], ids: list[int]) -> None:
            members = list(NoDiscount.objects.filter(pk__in=ids).values_list("member", flat=True))
            done = take_off_list(members, reason=cleaned["reason"], at=timezone.now(), actor_id=person(request))
            said = ngettext(
                "%(number)d member may have discounts again.", "%(number)d members may have discounts again.", done
            )
            messages.success(request, said % {"number": done})

        return ask_then_do(self, request, queryset, ReasonForm, action="take_off", title=_("Take off the list"), do=do)

    def get_urls(self) -> list[URLPattern]:
        page = self.admin_site.admin_view(self.import_view)
        return [path("import/", page, name="crm_nodiscount_import"), *super().get_urls()]

    @action(description=_("Import a list"), url_path="to-import", icon="upload", permissions=["take_off"])
    def import_members(self, request: HttpRequest) -> HttpResponse:
        return redirect("admin:crm_nodiscount_import")

    def import_view(self, request: HttpRequest) -> HttpResponseBase:
        """Who is put on the list or taken off it, from a file."""
        kinds = [ListKind.NO_DISCOUNT, ListKind.DISCOUNT_AGAIN]
        return import_page(self, request, kinds, CHANGE, _("Import members without discount"))
