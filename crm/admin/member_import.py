"""Members out to a spreadsheet and back in."""

from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from crm.admin.exchange import SheetAdminMixin
from crm.adminkit import PERSONAL_DATA, may, person
from crm.models import Member
from crm.resources import MemberResource


class MemberImportExportMixin(SheetAdminMixin):
    """Exports are masked for those who may not see personal data; imports need that permission, as their preview shows
    what is stored."""

    noun = "members"
    imported_message = _("Members imported: %(new)s new, %(updated)s changed, %(unchanged)s unchanged.")
    titles = MemberResource.titles
    resource_classes = [MemberResource]

    def has_export_permission(self, request: HttpRequest) -> bool:
        return may(request, "crm.export_member")

    def has_import_permission(self, request: HttpRequest) -> bool:
        return all(may(request, name) for name in ("crm.add_member", "crm.change_member", PERSONAL_DATA))

    def get_export_resource_kwargs(self, request: HttpRequest, **kwargs: Any) -> dict[str, Any]:
        return {"full": may(request, PERSONAL_DATA)}

    def get_import_resource_kwargs(self, request: HttpRequest, **kwargs: Any) -> dict[str, Any]:
        return {"full": True, "at": timezone.now(), "actor_id": person(request)}

    def exported_rows(self, queryset: QuerySet[Member]) -> QuerySet[Member]:
        return queryset.order_by("pk").prefetch_related("identities__channel", "member_tags__tag")

    def export_details(self, request: HttpRequest) -> dict[str, Any]:
        return {"masked": not may(request, PERSONAL_DATA)}
