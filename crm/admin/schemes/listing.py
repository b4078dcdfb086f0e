"""What is shown: all schemes with how the members are divided now, and one version to read."""

from datetime import datetime
from typing import Any

from django.core.cache import cache
from django.core.paginator import Paginator
from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from unfold.admin import ModelAdmin

from crm.admin.schemes import editing, pages, reviewing, words
from crm.adminkit import may
from crm.choices import SchemeState
from crm.models import Member, Tier, TierGrant
from crm.tiers.holding import in_force as grant_in_force
from crm.tiers.schemebook import scheme_of

EARLIER_ON_A_PAGE = 20
COUNTED_SECONDS = 60  # Counting a million members takes a moment, so it is kept for a minute, however many look.


def list_page(model_admin: ModelAdmin, request: HttpRequest) -> HttpResponse:
    """What is in force, what is coming, what is being worked on, what was; and how the members are divided."""
    pages.demand(request, pages.VIEW, pages.CHANGE, pages.PUBLISH)
    now = timezone.now()
    current = pages.in_force(now)
    tiers = words.tiers_by_code()
    published = pages.schemes().filter(state=SchemeState.PUBLISHED)
    earlier = published.filter(effective_from__lte=now).exclude(pk=current.pk if current else 0)
    page = Paginator(earlier.order_by("-effective_from", "-version"), EARLIER_ON_A_PAGE).get_page(
        request.GET.get("page")
    )
    scheme = scheme_of(current) if current else None
    shares = distribution(now)
    drafts = list(pages.drafts())
    return pages.show(
        model_admin,
        request,
        "list.html",
        _("Tier schemes"),
        current=current,
        said=words.settings_in_words(scheme) if scheme else [],
        rungs=words.rungs_in_words(scheme, tiers) if scheme else [],
        coming=list(published.filter(effective_from__gt=now).order_by("effective_from", "version")),
        drafts=drafts,
        may_compare=current is not None and (len(drafts) > 0 or page.paginator.count > 0),
        earlier=page,
        shares=shares,
        chart=_chart(shares),
        may_see_members=may(request, "crm.view_member"),
    )


def distribution(now: datetime) -> list[dict[str, Any]]:
    """How many members hold each tier at this moment, the lowest tier first, and which part of all that is."""
    counted: list[tuple[str, int]] | None = cache.get("tier-distribution")
    if counted is None:
        holders = dict(
            TierGrant.objects.filter(grant_in_force(now), tier__rank__gt=0)
            .order_by()
            .values_list("tier")
            .annotate(number=Count("pk"))
        )
        rest = Member.objects.count() - sum(holders.values())
        tiers = Tier.objects.order_by("rank").values_list("pk", "name", "rank")
        counted = [(name, holders.get(pk, 0) if rank else rest) for pk, name, rank in tiers]
        cache.set("tier-distribution", counted, timeout=COUNTED_SECONDS)
    everybody = sum(number for _name, number in counted)
    return [
        {"tier": name, "members": number, "permille": number * 1000 // everybody if everybody else 0}
        for name, number in counted
    ]


def _chart(shares: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "horizontal": True,
        "months": [share["tier"] for share in shares],
        "series": [{"name": _("Members"), "values": [share["members"] for share in shares]}],
    }


def scheme_page(model_admin: ModelAdmin, request: HttpRequest, scheme_id: int) -> HttpResponse:
    """One scheme: a draft to work on, or a version to read."""
    pages.demand(request, pages.VIEW, pages.CHANGE, pages.PUBLISH)
    row = pages.find_scheme_row(scheme_id)
    if row.state == SchemeState.DRAFT:
        return editing.draft_page(model_admin, request, row)
    return reviewing.version_page(model_admin, request, row)
