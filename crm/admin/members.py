"""Members: the list, and one page with all that is known of a buyer."""

from collections import defaultdict
from collections.abc import Callable
from datetime import date, datetime
from functools import partial
from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import Count, Max, Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy
from unfold.admin import ModelAdmin
from unfold.decorators import action, display
from unfold.views import ChangeList
from unfold.widgets import UnfoldAdminTextareaWidget

from crm.admin import member_panels
from crm.admin.member_access import disconnect_view, sign_out_all_view, sign_out_view
from crm.admin.member_data import data_file_view, data_view, erase_view
from crm.admin.member_import import MemberImportExportMixin
from crm.admin.member_search import find_members
from crm.admin.tags import TagFilter, member_tags_view, tag_many
from crm.admin.tier_by_hand import grant_view
from crm.admin.tiers import TierFilter
from crm.adminkit import (
    PERSONAL_DATA,
    Column,
    masked_email,
    masked_phone,
    may,
    member_actions,
    member_columns,
    names_field,
    person,
)
from crm.adminkit import member_panels as panels_of
from crm.feeds.cells import read_phone
from crm.models import Member, MemberTag, Order, Tier
from crm.stafflog import log_action
from crm.tiers.holding import held_tiers

member_panels.register()


class MemberForm(forms.ModelForm):  # type: ignore[type-arg]
    class Meta:
        model = Member
        fields = ("name", "email", "phone", "birthday", "note")
        widgets = {"note": UnfoldAdminTextareaWidget(attrs={"rows": 2})}

    def clean_email(self) -> str:
        return str(self.cleaned_data["email"]).lower()

    def clean_phone(self) -> str:
        """Keep digits only, as orders do, so that the search by phone finds both."""
        typed: str = self.cleaned_data["phone"]
        if "phone" not in self.changed_data:
            return typed
        phone = read_phone(typed)
        if typed and not phone:
            raise ValidationError(
                _("Write the whole phone number: eleven digits, or a country code such as +44 first.")
            )
        return phone


class MemberChangeList(ChangeList):
    """One page of members with their figures: a fixed number of queries, however many members it shows."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        members: list[Member] = list(self.result_list)
        self.result_list: Any = members
        ids = [member.pk for member in members]
        orders: dict[int | None, Any] = {
            row["member_id"]: row
            for row in Order.objects.filter(member__in=ids)
            .order_by()
            .values("member_id")
            .annotate(number=Count("pk"), last=Max("placed_at"))
        }
        tags: dict[int, list[str]] = defaultdict(list)
        for tagged in MemberTag.objects.filter(member__in=ids).select_related("tag").order_by("tag__name"):
            tags[tagged.member_id].append(tagged.tag.name)
        base = Tier.objects.filter(rank=0).values_list("name", flat=True).first() or ""
        tiers = held_tiers(ids, timezone.now())
        columns = {column.name: column.values(ids) for column in member_columns()}
        for member in members:
            figures = orders.get(member.pk, {})
            member.page_figures = {  # type: ignore[attr-defined]
                "orders": figures.get("number", 0),
                "last_order": figures.get("last"),
                "tier": tiers.get(member.pk, base),
                "tags": tags[member.pk],
                **{name: values.get(member.pk) for name, values in columns.items()},
            }


def _figure(column: Column) -> Any:
    """Make a list column of what an upper floor handed in."""

    @display(description=column.title)
    def shown(member: Member) -> Any:
        value = member.page_figures.get(column.name)  # type: ignore[attr-defined]
        return column.empty if value is None else value

    return shown


@admin.register(Member)
class MemberAdmin(MemberImportExportMixin, ModelAdmin):
    """Phones and mail addresses are shown in full, and can be changed, only with the permission for personal data."""

    form = MemberForm
    list_per_page = 30
    search_fields = ("name",)
    search_help_text = _("Name or platform name, or a whole phone number or mail address")
    ordering = ("-id",)
    sortable_by = ()
    list_filter = (TierFilter, TagFilter)
    actions = ("add_tags", "remove_tags")
    readonly_fields = ("shown_email", "shown_phone", "joined_at")
    change_form_outer_after_template = "admin/crm/member/panels.html"

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return MemberChangeList

    def get_queryset(self, request: HttpRequest) -> QuerySet[Member]:
        members: QuerySet[Member] = super().get_queryset(request)
        return members.prefetch_related("identities__channel")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Member], search_term: str
    ) -> tuple[QuerySet[Member], bool]:
        return find_members(queryset, search_term), False

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        hidden = names_field(lookup, "email", "phone", "birthday") and not may(request, PERSONAL_DATA)
        return not hidden and bool(super().lookup_allowed(lookup, value, request))

    def get_list_display(self, request: HttpRequest) -> list[Any]:
        contact = ("full_phone", "full_email") if may(request, PERSONAL_DATA) else ("shown_phone", "shown_email")
        figures = [_figure(column) for column in member_columns()]
        return ["shown_name", "platform_names", "shown_tier", *contact, *figures, "orders", "last_order", "shown_tags"]

    def get_urls(self) -> list[URLPattern]:
        def page(route: str, name: str, view: Any) -> URLPattern:
            wrapped: Callable[..., HttpResponse] = self.admin_site.admin_view(partial(view, self))
            return path(f"<int:member_id>/{route}/", wrapped, name=f"crm_member_{name}")

        return [
            page("tags", "tags", member_tags_view),
            page("tier", "tier", grant_view),
            page("data", "data", data_view),
            page("data/file", "data_file", data_file_view),
            page("erase", "erase", erase_view),
            page("disconnect/<int:pk>", "disconnect", disconnect_view),
            page("sign-out/<int:number>", "sign_out", sign_out_view),
            page("sign-out", "sign_out_all", sign_out_all_view),
            *super().get_urls(),
        ]

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        actions: dict[str, Any] = super().get_actions(request)
        return actions | {act.name: (act.run, act.name, act.title) for act in member_actions(request)}

    def get_fields(self, request: HttpRequest, obj: Member | None = None) -> list[Any]:
        if obj is None or may(request, PERSONAL_DATA):
            fields: list[Any] = [("name", "birthday"), ("email", "phone"), "note"]
        else:
            fields = ["name", ("shown_email", "shown_phone"), "note"]
        return [*fields, "joined_at"] if obj is not None else fields

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """A row that stands for nobody any more is not filled anew."""
        erased = isinstance(obj, Member) and obj.erased_at is not None
        return not erased and bool(super().has_change_permission(request, obj))

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    @display(description=pgettext_lazy("of a person", "name"))
    def shown_name(self, member: Member) -> str:
        return str(member)

    @display(description=_("platform names"))
    def platform_names(self, member: Member) -> str:
        return "、".join(f"{identity.external_id}" for identity in member.identities.all())

    @display(description=_("tier"))
    def shown_tier(self, member: Member) -> str:
        name: str = member.page_figures["tier"]  # type: ignore[attr-defined]
        return name

    @display(description=_("tags"))
    def shown_tags(self, member: Member) -> str:
        return "、".join(member.page_figures["tags"])  # type: ignore[attr-defined]

    @action(description=_("Add tags"), permissions=["change"])
    def add_tags(self, request: HttpRequest, queryset: QuerySet[Member]) -> HttpResponse | None:
        return tag_many(self, request, queryset, add=True)

    @action(description=_("Take tags away"), permissions=["change"])
    def remove_tags(self, request: HttpRequest, queryset: QuerySet[Member]) -> HttpResponse | None:
        return tag_many(self, request, queryset, add=False)

    @display(description=_("phone"))
    def full_phone(self, member: Member) -> str:
        return _first("phone", member)

    @display(description=_("e-mail"))
    def full_email(self, member: Member) -> str:
        return _first("email", member)

    @display(description=_("phone"))
    def shown_phone(self, member: Member) -> str:
        return masked_phone(_first("phone", member))

    @display(description=_("e-mail"))
    def shown_email(self, member: Member) -> str:
        return masked_email(_first("email", member))

    @display(description=_("orders"))
    def orders(self, member: Member) -> int:
        number: int = member.page_figures["orders"]  # type: ignore[attr-defined]
        return number

    @display(description=_("last order"))
    def last_order(self, member: Member) -> date | None:
        placed_at: datetime | None = member.page_figures["last_order"]  # type: ignore[attr-defined]
        return timezone.localtime(placed_at).date() if placed_at else None

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        panels = []
        if object_id.isdecimal() and self.has_view_permission(request):
            member_id = int(object_id)
            panels = [
                {"name": panel.name, "title": panel.title, "template": panel.template}
                | {"data": panel.context(request, member_id)}
                for panel in panels_of(request)
            ]
        context = {**(extra_context or {}), "panels": panels}
        response: HttpResponse = super().change_view(request, object_id, form_url, context)
        return response

    def save_model(self, request: HttpRequest, obj: Member, form: "forms.ModelForm[Member]", change: bool) -> None:
        now = timezone.now()
        if not change:
            obj.joined_at = now
        super().save_model(request, obj, form, change)
        if form.changed_data:
            log_action(
                "member.change", actor_id=person(request), at=now, member_id=obj.pk, fields=sorted(form.changed_data)
            )


def _first(field: str, member: Member) -> str:
    """What staff typed, else what the first platform that knows it says."""
    own: str = getattr(member, field)
    return own or next((value for identity in member.identities.all() if (value := getattr(identity, field))), "")
