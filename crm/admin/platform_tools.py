"""Other tools that grade buyers, what their grades take off, and the import of who has which grade."""

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
from crm.memberlists.importing import ListKind
from crm.models import PlatformGrade, PlatformTool
from crm.stafflog import log_action

IMPORT = "crm.change_memberplatformgrade"


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
    fields = ("name", "channel", "own_channel_only", "from_orders")
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
