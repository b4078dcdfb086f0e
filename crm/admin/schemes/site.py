"""Tier schemes in the admin: drafts are worked on, published, and followed by the next version.

What is published is never changed or deleted: grants name the version that they were given under.
"""

from collections.abc import Callable
from typing import Any

from django.contrib import admin
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import URLPattern, path
from unfold.admin import ModelAdmin

from crm.admin.schemes import adviser_page, editing, listing, moving, pages, previews, reviewing
from crm.adminkit import may
from crm.models import TierScheme

Page = Callable[..., HttpResponseBase]


@admin.register(TierScheme)
class TierSchemeAdmin(ModelAdmin):
    """The pages of tier schemes, at the addresses where the admin looks for a model's own."""

    def get_urls(self) -> list[URLPattern]:
        def at(route: str, page: Page, name: str) -> URLPattern:
            def view(request: HttpRequest, **arguments: Any) -> HttpResponseBase:
                return page(self, request, **arguments)

            pattern: URLPattern = path(route, self.admin_site.admin_view(view), name=f"crm_tierscheme_{name}")
            return pattern

        return [
            at("adviser/", adviser_page.adviser_page, "adviser"),
            at("moving/", moving.moving_page, "moving"),
            at("moving.csv", moving.moving_csv, "moving_csv"),
            at("compare/", reviewing.compare_page, "compare"),
            at("<int:scheme_id>/discard/", editing.discard_page, "discard"),
            at("<int:scheme_id>/preview/", previews.start_page, "preview"),
            at("<int:scheme_id>/progress/", previews.progress_page, "progress"),
            at("<int:scheme_id>/review/", reviewing.review_page, "review"),
            at("<int:scheme_id>/roll-back/", reviewing.roll_back_page, "roll_back"),
            *super().get_urls(),
        ]

    def has_view_permission(self, request: HttpRequest, obj: TierScheme | None = None) -> bool:
        return any(may(request, permission) for permission in (pages.VIEW, pages.CHANGE, pages.PUBLISH))

    def has_add_permission(self, request: HttpRequest) -> bool:
        return may(request, pages.CHANGE)

    def has_change_permission(self, request: HttpRequest, obj: TierScheme | None = None) -> bool:
        return (obj is None or obj.version is None) and may(request, pages.CHANGE)

    def has_delete_permission(self, request: HttpRequest, obj: TierScheme | None = None) -> bool:
        return False

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        return listing.list_page(self, request)

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        return editing.begin_page(self, request)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if not object_id.isdecimal() or len(object_id) > pages.LONGEST_NUMBER:
            raise Http404
        return listing.scheme_page(self, request, int(object_id))
