"""Other tools that grade buyers, what their grades take off, and the import of who has which grade."""

import re
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin, TabularInline
from unfold.decorators import action, display

from crm.admin.member_lists import import_page
from crm.adminkit import may, person
from crm.choices import ListKind, Platform
from crm.feeds.taobao import reads_column
from crm.models import Channel, ImportFile, PlatformGrade, PlatformTool
from crm.stafflog import log_action

IMPORT = "crm.change_memberplatformgrade"
_COLUMNS_SHOWN = 8
_SOUNDS_LIKE = re.compile("等级|级别|会员|vip|level|grade|tier|tag|group", re.IGNORECASE)


class ToolForm(forms.ModelForm):  # type: ignore[type-arg]
    """A tool, and whether its grades come with orders: then in which column of which channel's files."""

    class Meta:
        model = PlatformTool
        fields = ("name", "channel", "own_channel_only", "from_orders", "order_column")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "order_column" not in self.fields:  # For those who only look.
            return
        told = [
            self.fields["order_column"].help_text,
            _(
                "Any column will do that the import has no field for. Files of Shopify, WooCommerce, Youzan and others "
                "are read by an import profile; a column that the profile names is none of these. Lists that name no "
                "buyer, such as the detail list of Taobao, bring no grades."
            ),
        ]
        if self.instance.channel_id and (file := _latest_file(self.instance.channel_id)):
            # Those first that sound like grades; an export has many more.
            columns = "、".join(sorted(file.inspection.get("unknown", []), key=_sounds_unlike)[:_COLUMNS_SHOWN])
            told.append(
                _("The latest file “%(file)s” has, among others: %(columns)s")
                % {"file": file.name, "columns": columns or "–"}
            )
        self.fields["order_column"].help_text = " ".join(map(str, told))

    def clean(self) -> dict[str, Any]:
        said: dict[str, Any] = super().clean() or self.cleaned_data
        if not said.get("from_orders"):
            return said
        if not said.get("channel"):
            self.add_error("channel", _("Name the channel whose orders bring the grades."))
        if not said.get("order_column"):
            self.add_error("order_column", _("Name the column that holds the grades."))
        elif _is_a_field(said["order_column"], said.get("channel")):
            message = _(
                "The import reads this column as a field of the order, so no grades come from it. Name another."
            )
            self.add_error("order_column", message)
        return said


def _sounds_unlike(column: str) -> bool:
    return not _SOUNDS_LIKE.search(column)


def _latest_file(channel_id: int) -> ImportFile | None:
    """The file of the channel's orders that was looked at last."""
    return ImportFile.objects.filter(job__channel=channel_id).exclude(format="").order_by("-pk").first()


def _is_a_field(column: str, channel: Channel | None) -> bool:
    """Whether the import has a field for a column of this channel's files."""
    if channel is None:
        return False
    file = _latest_file(channel.pk)
    known = file.inspection.get("recognised", []) if file else []
    return column in known or (channel.platform == Platform.TAOBAO and reads_column(column))


class GradeInline(TabularInline):
    """What each grade takes off. Grades that members have are not deleted."""

    model = PlatformGrade
    fields = ("name", "discount_percent")
    ordering = ("name",)
    extra = 0
    can_delete = False


@admin.register(PlatformTool)
class PlatformToolAdmin(ModelAdmin):
    list_display = ("name", "channel", "own_channel_only", "from_orders", "shown_grades")
    form = ToolForm
    inlines = (GradeInline,)
    ordering = ("name",)
    sortable_by = ()
    actions = None
    actions_list = ("import_grades",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[PlatformTool]:
        tools: QuerySet[PlatformTool] = super().get_queryset(request)
        return tools.select_related("channel").annotate(number=Count("grades"))

    @display(description=_("grades"))
    def shown_grades(self, tool: PlatformTool) -> int:
        number: int = tool.number  # type: ignore[attr-defined]
        return number

    def has_delete_permission(self, request: HttpRequest, obj: PlatformTool | None = None) -> bool:
        return False

    def get_urls(self) -> list[URLPattern]:
        page = self.admin_site.admin_view(self.import_view)
        return [path("import/", page, name="crm_platformtool_import"), *super().get_urls()]

    @action(description=_("Import grades"), url_path="to-import", icon="upload", permissions=["import_grades"])
    def import_grades(self, request: HttpRequest) -> HttpResponse:
        return redirect("admin:crm_platformtool_import")

    def has_import_grades_permission(self, request: HttpRequest) -> bool:
        return may(request, IMPORT)

    def import_view(self, request: HttpRequest) -> HttpResponseBase:
        """Who has which grade on a tool, from a file."""
        return import_page(self, request, [ListKind.GRADES], IMPORT, _("Import grades"))

    def save_related(self, request: HttpRequest, form: "forms.ModelForm[Any]", formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        grades = dict(form.instance.grades.values_list("name", "discount_percent"))
        log_action(
            "platform_tool.change" if change else "platform_tool.add",
            actor_id=person(request), at=timezone.now(), tool=form.instance.name,
            grades={name: percent and str(percent) for name, percent in grades.items()},
        )  # fmt: skip
