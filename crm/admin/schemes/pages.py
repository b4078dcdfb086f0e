"""What all pages of tier schemes have in common."""

from datetime import datetime
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from unfold.admin import ModelAdmin

from crm.adminkit import may
from crm.choices import SchemeState
from crm.models import TierScheme

VIEW, CHANGE, PUBLISH = "crm.view_tierscheme", "crm.change_tierscheme", "crm.publish_tierscheme"
LONGEST_NUMBER = 18  # Digits of a number of the database.


def show(model_admin: ModelAdmin, request: HttpRequest, template: str, title: str, **context: Any) -> TemplateResponse:
    """A page of tier schemes, with what all of them have."""
    every = {
        **model_admin.admin_site.each_context(request),
        "title": title,
        "opts": model_admin.opts,
        "may_change": may(request, CHANGE),
        "may_publish": may(request, PUBLISH),
        "list_page": reverse("admin:crm_tierscheme_changelist"),
    }
    return TemplateResponse(request, f"admin/crm/scheme/{template}", every | context)


def demand(request: HttpRequest, *permissions: str) -> None:
    """Raise PermissionDenied unless the person has one of the permissions."""
    if not any(may(request, permission) for permission in permissions):
        raise PermissionDenied


def schemes() -> "QuerySet[TierScheme]":
    """Schemes with the people behind them and their rungs."""
    people = ("published_by", "created_by", "based_on")
    return TierScheme.objects.select_related(*people).prefetch_related("rungs__tier")


def in_force(now: datetime) -> TierScheme | None:
    """The scheme that counts at an instant; None while tiers move by hand only."""
    published = schemes().filter(state=SchemeState.PUBLISHED, effective_from__lte=now)
    return published.order_by("-effective_from", "-version").first()


def find_scheme_row(scheme_id: int) -> TierScheme:
    """The scheme with this id, a draft or a published one. Raises Http404."""
    row = schemes().filter(pk=scheme_id).first()
    if row is None:
        raise Http404
    return row


def find_draft(scheme_id: int) -> TierScheme:
    """The draft with this id. Raises Http404."""
    row = find_scheme_row(scheme_id)
    if row.state != SchemeState.DRAFT:
        raise Http404
    return row


def drafts() -> "QuerySet[TierScheme]":
    """The drafts, the latest first."""
    return schemes().filter(state=SchemeState.DRAFT).order_by("-created_at")


def scheme_name(row: TierScheme) -> str:
    """What a scheme is called on pages."""
    if row.version is not None:
        return _("Version %(version)s") % {"version": row.version}
    if row.note:
        return _("Draft “%(note)s”") % {"note": row.note}
    return _("Draft no. %(number)s") % {"number": row.pk}
