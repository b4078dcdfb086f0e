"""Sets of earning rules in the admin: drafts are worked on, published, and followed by the next version.

What is published is never changed or deleted: orders of its day refer to it.
"""

from collections.abc import Callable
from typing import Any

from django.contrib import admin
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import URLPattern, path
from unfold.admin import ModelAdmin

from crm.adminkit import may
from loyalty.admin.rules import editing, pages, reviewing
from loyalty.models import RuleSet

Page = Callable[..., HttpResponse]


@admin.register(RuleSet)
class RuleSetAdmin(ModelAdmin):
    """The pages of earning rules, at the addresses where the admin looks for a model's own."""

    def get_urls(self) -> list[URLPattern]:
        def at(route: str, page: Page, name: str) -> URLPattern:
            def view(request: HttpRequest, **arguments: Any) -> HttpResponse:
                return page(self, request, **arguments)

            pattern: URLPattern = path(route, self.admin_site.admin_view(view), name=f"loyalty_ruleset_{name}")
            return pattern

        return [
            at("compare/", pages.compare_page, "compare"),
            at("products/", editing.products_found, "products"),
            at("<int:set_id>/discard/", editing.discard_page, "discard"),
            at("<int:set_id>/review/", reviewing.review_page, "review"),
            at("<int:set_id>/roll-back/", reviewing.roll_back_page, "roll_back"),
            at("<int:set_id>/add/", editing.kinds_page, "kinds"),
            at("<int:set_id>/add/<slug:kind>/", editing.add_page, "add_rule"),
            at("<int:set_id>/rule/<slug:code>/", editing.edit_page, "rule"),
            at("<int:set_id>/rule/<slug:code>/act/", editing.act, "act"),
            *super().get_urls(),
        ]

    def has_view_permission(self, request: HttpRequest, obj: RuleSet | None = None) -> bool:
        return any(may(request, permission) for permission in (pages.VIEW, pages.CHANGE, pages.PUBLISH))

    def has_add_permission(self, request: HttpRequest) -> bool:
        return may(request, pages.CHANGE)

    def has_change_permission(self, request: HttpRequest, obj: RuleSet | None = None) -> bool:
        return (obj is None or obj.version is None) and may(request, pages.CHANGE)

    def has_delete_permission(self, request: HttpRequest, obj: RuleSet | None = None) -> bool:
        return False

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        return pages.list_page(self, request)

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        return editing.begin_page(self, request)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        number = object_id if object_id.isdecimal() and len(object_id) < 19 else None
        if number is None:
            raise Http404
        return pages.set_page(self, request, int(number))
